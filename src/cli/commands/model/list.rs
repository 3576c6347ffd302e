//! `agi-agent model list`: what the configured provider offers, and which models are on this machine.

use serde_json::json;

use super::settings;
use crate::bridge::models::local;
use crate::bridge::models::local::Found;
use crate::bridge::models::local::Listing;
use crate::bridge::models::local::Unreadable;
use crate::bridge::models::remote::Endpoint;
use crate::cli::commands::run::ModelArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::interrupt::heeding_signals;
use crate::cli::wiring;
use crate::config::settings::ModelSettings;
use crate::protocol::ExitCode;

pub async fn run(args: &ModelArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let mut settings = settings(args, context)?;
    let mut names = match settings.model.provider.as_str() {
        "openai" | "anthropic" => {
            let client = wiring::client(&settings)?;
            heeding_signals(|cancel| Ok(settings.model.read_secrets(cancel)?))?;
            Endpoint::new(&settings.model)?.list_models(&client).await?
        }
        "local" | "transformers" | "custom" => Vec::new(),
        _ => match &settings.model.route {
            Some(route) => route.rungs.iter().map(|rung| rung_line(&rung.model)).collect(),
            None => vec![settings.model.name.clone()],
        },
    };
    let Listing { models, unreadable } = local::listing(settings.model.local.directory.as_deref());
    if context.global.json {
        let mut rows: Vec<_> = names.into_iter().map(|name| json!({"name": name})).collect();
        rows.extend(models.iter().map(row));
        rows.extend(unreadable.iter().map(unreadable_row));
        context.output.json(&rows)?;
        return Ok(ExitCode::Done);
    }
    let nothing = names.is_empty() && models.is_empty();
    names.extend(table(&models));
    for line in names {
        context.output.line(&line)?;
    }
    for file in &unreadable {
        context.output.warning(&file.error.to_string());
    }
    if nothing {
        let place = settings.model.local.directory.unwrap_or_default();
        let place = place.display();
        context.output.status(&format!("no local models; put GGUF files into `{place}`"));
    }
    Ok(ExitCode::Done)
}

/// A model of a route, as `provider/name` and where it is.
fn rung_line(model: &ModelSettings) -> String {
    let name = format!("{}/{}", model.provider, model.name);
    model.base_url.as_ref().map_or(name.clone(), |url| format!("{name}  {url}"))
}

fn row(model: &Found) -> serde_json::Value {
    json!({
        "name": format!("local/{}", model.name),
        "family": model.header.architecture,
        "bytes": model.header.file_size,
        "parameters": model.header.parameters,
        "context": model.header.context_length(),
        "quantisation": model.quantisation(),
        "writes": model.writes(),
        "source": model.source,
    })
}

/// A file that is no model, and why.
fn unreadable_row(file: &Unreadable) -> serde_json::Value {
    json!({
        "name": format!("local/{}", file.name),
        "source": file.source,
        "unreadable": file.error.to_string(),
    })
}

/// One line per model, in columns.
fn table(models: &[Found]) -> Vec<String> {
    let names: Vec<String> = models.iter().map(|model| format!("local/{}", model.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let lines = models.iter().zip(names).map(|(model, name)| {
        let header = &model.header;
        let (family, context) = (&header.architecture, header.context_length());
        let (parameters, bytes) = (count(header.parameters), count(header.file_size));
        let quantisation = model.quantisation();
        let kind = if model.writes() { "" } else { "  embeddings" };
        format!(
            "{name:width$}  {family:8} {parameters:>6} parameters {bytes:>6}B  \
             context {context:>7}  {quantisation}{kind}"
        )
    });
    lines.map(|line| line.trim_end().to_owned()).collect()
}

/// A count in thousands, millions or billions, with three digits.
fn count(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64;
    let mut unit = "";
    for next in ["K", "M", "G", "T"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    let digits = usize::from(!unit.is_empty() && value < 100.0);
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_have_three_digits() {
        for (number, text) in [
            (7, "7"),
            (999, "999"),
            (1_500, "1.5 K"),
            (22_700_000, "22.7 M"),
            (8_030_000_000, "8.0 G"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
