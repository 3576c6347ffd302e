//! Which rule to offer a person who is asked about a call: one that covers the call and what is
//! plainly like it, or none.

use super::rules::Allowed;
use super::rules::Rules;
use super::rules::Target;
use crate::config::settings::ApprovalSettings;
use crate::protocol::Effect;

/// A rule that covers the target, for an answer "from now on".
pub fn propose(effect: Effect, target: &Target<'_>) -> Option<String> {
    let name = target.names.first()?;
    let pattern = match effect {
        Effect::Network => {
            let url = url::Url::parse(name).ok()?;
            format!("{}://{}/*", url.scheme(), url.host_str()?)
        }
        Effect::Write => {
            let (directory, _) = name.rsplit_once('/')?;
            format!("{directory}/*")
        }
        Effect::Process if target.tool == "shell" => command(name)?,
        Effect::Process | Effect::Pure | Effect::Read | Effect::Remember => return None,
    };
    let rule = format!("{}({pattern})", target.tool);
    covers(&rule, target).then_some(rule)
}

/// The program and its subcommand, if it has one: `git log *`.
fn command(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let program = words.next()?;
    let is_subcommand = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let subcommand = words.next().filter(is_subcommand).filter(|word| !word.starts_with('-'));
    Some(match subcommand {
        Some(subcommand) => format!("{program} {subcommand} *"),
        None => format!("{program} *"),
    })
}

/// Whether a rule can be understood and covers a target.
pub fn covers(rule: &str, target: &Target<'_>) -> bool {
    let settings = ApprovalSettings { allow: vec![rule.to_owned()], ..ApprovalSettings::default() };
    Rules::new(&settings, &[target.tool])
        .is_ok_and(|rules| matches!(rules.allows(target), Allowed::By(_)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::agent::approval::covering::tests::places;

    #[test]
    fn what_is_offered_covers_the_call_and_nothing_that_runs_others() {
        let offered = |effect, tool, name: &str| {
            let names = [name.to_owned()];
            let is_path = tool == "file_write";
            let cwd = Path::new("/ws");
            let target = Target { tool, names: &names, is_path, cwd, root: cwd, places: places() };
            propose(effect, &target).unwrap_or_default()
        };
        assert_eq!(offered(Effect::Process, "shell", "git log -3"), "shell(git log *)");
        assert_eq!(offered(Effect::Process, "shell", "ls -l"), "shell(ls *)");
        assert_eq!(offered(Effect::Write, "file_write", "src/a.rs"), "file_write(src/*)");
        assert_eq!(
            offered(Effect::Network, "web_fetch", "https://docs.example/a?b"),
            "web_fetch(https://docs.example/*)"
        );
        for command in ["python3 -c 1", "git log; rm x", "sh run", "git -c a=b log", "nosuch x"] {
            assert_eq!(offered(Effect::Process, "shell", command), "", "{command}");
        }
        assert_eq!(offered(Effect::Process, "kill_program", "sleep"), "");
    }
}
