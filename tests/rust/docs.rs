//! Documentation that is generated, and documentation that must not forget a command or a link.
//! `AGI_UPDATE_CONTRACTS=1` rewrites the generated pages.

use std::fmt::Write;
use std::path::Path;

use agi_agent::cli::contract;
use agi_agent::config::env::variables;
use agi_agent::config::legacy;
use agi_agent::config::table::json_schema;
use agi_agent::protocol::ExitCode;
use serde_json::Value;

use crate::tree::sources;

pub fn hold(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("AGI_UPDATE_CONTRACTS").is_some() {
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == generated, "docs/{name} is stale: AGI_UPDATE_CONTRACTS=1 rewrites it");
}

#[test]
fn exit_codes_are_documented() {
    let mut page = String::from(
        "# Exit codes\n\n\
         An interface: scripts rely on them, `tests/cli` provokes them one by one, and this page is\n\
         generated from `src/protocol/exit_code.rs`. `agi-agent help-exit-codes --json` prints them.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in ExitCode::ALL {
        writeln!(page, "| {} | {meaning} |", u8::from(code)).unwrap();
    }
    page.push_str(
        "\nSeveral at once: the first that applies of 130/143, 124, 44, 55, 41, 45, 46, 54, 53/56,\n\
         47, 43, 48, 1. A run with a declined call ends 43 unless the same tool on the same target\n\
         succeeded later or every `--expect` held.\n\n\
         `--expect CMD` holds when CMD ends with 0, `--forbid CMD` when it ends with 1: 0 says that what is\n\
         forbidden is so, 1 that CMD looked and it is not (`test`, `grep -q`, `cmp`, `false`). Anything else\n\
         proves nothing: `grep` ends with 2 when it could not read, the shell with 2 at a syntax error, and a\n\
         command that cannot be run, runs out of time, is killed or meets a limit of the sandbox has not\n\
         looked. Neither holds then (48; 124 where the run's time is over). Where another number is the\n\
         command's way to say no, write `(CMD); test $? -ne 3`. The last lines that it printed are told.\n\n\
         A limit of tokens or cost is looked at before each request and at the answer: an answer that\n\
         took more than was left is delivered, and the run ends 56.\n\n\
         `agi-agent sandbox -- CMD` and `agi-agent python` end with the status of what they run: 128 and the\n\
         signal's number where one ended it, 124 when its time was over, and for CMD, as with a shell or\n\
         `env`, 127 where there is no such program and 126 where it cannot be executed. 56 instead of 0: more\n\
         came out of CMD than is kept (64 MiB), so some of it is missing.\n\n\
         Tool calls that failed do not change how a run ends: the model has seen them, and may have gone on\n\
         otherwise. The result counts them (`calls`, [events.md](events.md)).\n\n\
         `chat` without a terminal ends as one run would that failed in every way in which any of its turns did:\n\
         with the first of that order, and 0 if all went well.\n",
    );
    hold("exit-codes.md", &page);
}

#[test]
fn environment_variables_are_documented() {
    let mut page = String::from(
        "# Environment variables\n\n\
         Generated from `src/config`. They stand above configuration files and below the command line;\n\
         an empty variable counts as unset. Lists are written with commas (`a,b`) or as JSON. A variable\n\
         that begins with `AGI_` and is nearly one of these is named, and refused where it would have\n\
         limited something.\n\n\
         | variable | sets | meaning |\n|---|---|---|\n",
    );
    for variable in variables() {
        let (name, key) = (variable.name, variable.key);
        writeln!(page, "| `{name}` | `{key}` | {} |", variable.field.doc()).unwrap();
    }
    page.push_str(
        "\nVariables of the old Python agent, which stand below the ones above:\n\n\
         | variable | sets | today |\n|---|---|---|\n",
    );
    for (name, key, text) in legacy::table() {
        let key = key.map_or_else(|| "nothing".to_owned(), |key| format!("`{key}`"));
        writeln!(page, "| `{name}` | {key} | {text} |").unwrap();
    }
    page.push_str(
        "\nKeys and servers of models: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `ANTHROPIC_API_KEY`,\n\
         `ANTHROPIC_BASE_URL`. Network: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy` (the\n\
         latter three in upper case as well), `SSL_CERT_FILE`, `SSL_CERT_DIR`. Places:\n\
         `XDG_CONFIG_HOME`, `XDG_DATA_HOME`, `HOME`. Colours: `NO_COLOR`, `TERM`. `AGI_MANAGED_CONFIG`\n\
         names a further file of an organisation (docs/configuration.md).\n",
    );
    hold("environment.md", &page);
}

#[test]
fn settings_are_documented() {
    let mut page = String::from(
        "# Settings\n\n\
         Generated from `src/config/table/schema.rs`; docs/configuration.md says how files and layers work. A\n\
         mistyped name is an error beside the settings marked `!` (they grant or limit power), and a\n\
         warning elsewhere. The last column says what a project that is not trusted may do, and in which\n\
         direction an organisation bounds; empty means: ignored from such a project, replaced by an\n\
         organisation.\n\n\
         | key | value | default | meaning | narrows |\n|---|---|---|---|---|\n",
    );
    for row in json_schema::rows() {
        let mark = if row.power { " !" } else { "" };
        let default = row.default.map_or_else(String::new, |value| format!("`{value}`"));
        let narrows = row.narrows.unwrap_or_default();
        let (key, kind, doc) = (row.key, row.kind, row.doc);
        writeln!(page, "| `{key}`{mark} | {kind} | {default} | {doc} | {narrows} |").unwrap();
    }
    hold("settings.md", &page);
}

#[test]
fn every_command_and_flag_has_help() {
    let mut silent = Vec::new();
    walk(&contract::describe()["command"], "", &mut silent);
    assert!(silent.is_empty(), "no help: {silent:?}");
}

fn walk(command: &Value, parent: &str, silent: &mut Vec<String>) {
    let name = format!("{parent} {}", command["name"].as_str().unwrap());
    if command["about"].is_null() {
        silent.push(name.clone());
    }
    for argument in command["arguments"].as_array().unwrap() {
        if argument["help"].is_null() {
            silent.push(format!("{name} {argument}"));
        }
    }
    for sub in command["commands"].as_array().into_iter().flatten() {
        walk(sub, &name, silent);
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for source in sources("", "md") {
        let folder = top.join(&source.path).parent().unwrap().to_path_buf();
        for (at, _) in source.text.match_indices("](") {
            let link = source.text[at + 2..].split(')').next().unwrap();
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                broken.push(format!("{}: {link}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "links to nothing:\n{}", broken.join("\n"));
}
