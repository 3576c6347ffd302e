//! The command line as data: contracts/cli.json is this, checked in and diffed in CI, so that no
//! flag or exit code changes unseen.

use clap::Arg;
use clap::Command;
use clap::CommandFactory;
use serde_json::Value;
use serde_json::json;

use super::args::Cli;
use crate::protocol::ExitCode;

/// Commands, flags and exit codes.
pub fn describe() -> Value {
    let mut root = Cli::command();
    root.build();
    let codes: Vec<Value> = ExitCode::ALL
        .iter()
        .map(|(code, meaning)| json!({"code": u8::from(*code), "meaning": meaning}))
        .collect();
    json!({"command": command(&root, true), "exit_codes": codes})
}

fn command(command: &Command, root: bool) -> Value {
    let arguments: Vec<Value> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.get_id() != "help")
        // Global flags are listed once, at the root.
        .filter(|argument| root || !argument.is_global_set())
        .map(describe_argument)
        .collect();
    let commands: Vec<Value> = command
        .get_subcommands()
        .filter(|sub| !sub.is_hide_set())
        .map(|sub| self::command(sub, false))
        .collect();
    let about = command.get_about().map(ToString::to_string);
    let mut object = json!({"name": command.get_name(), "about": about, "arguments": arguments});
    if !commands.is_empty() {
        object["commands"] = commands.into();
    }
    object
}

fn describe_argument(argument: &Arg) -> Value {
    let mut object = serde_json::Map::new();
    match argument.get_long() {
        Some(long) => object.insert("flag".into(), format!("--{long}").into()),
        None => object.insert("position".into(), argument.get_id().to_string().into()),
    };
    if let Some(short) = argument.get_short() {
        object.insert("short".into(), format!("-{short}").into());
    }
    if argument.get_action().takes_values() {
        let names = argument.get_value_names().unwrap_or_default();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        object.insert("value".into(), names.join(" ").into());
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        if !values.is_empty() {
            object.insert("values".into(), values.into());
        }
    }
    if argument.is_required_set() {
        object.insert("required".into(), true.into());
    }
    if matches!(argument.get_action(), clap::ArgAction::Append | clap::ArgAction::Count) {
        object.insert("repeatable".into(), true.into());
    }
    if let Some(help) = argument.get_help() {
        object.insert("help".into(), help.to_string().into());
    }
    Value::Object(object)
}
