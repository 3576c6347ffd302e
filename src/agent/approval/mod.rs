//! Whether a tool call may run: a pure function of what it does, how far the sandbox holds it, what
//! the person said beforehand, and whether somebody can be asked.
//!
//! Asks nobody and enforces nothing: the opener and the sandbox hold a call that was let through,
//! the loop puts the question. docs/approvals.md has the table; the tests check each cell.

pub(super) mod bond;
pub(super) mod consent;
pub mod covering;
pub(super) mod proposal;
pub mod rules;
pub mod shell;

use crate::config::settings::ApproveMode;
use crate::config::settings::SandboxLevel;
use crate::network::policy;
use crate::protocol::Effect;
use crate::protocol::host_rule;
use crate::protocol::host_rule::Covered;

use self::covering::Places;
use self::rules::Allowed;
use self::rules::Rules;
use self::rules::Target;

/// Tools of effect `Process` that act only through a sandboxed child. Every other process effect
/// (`kill_program`) happens outside the sandbox, whatever its level.
const SANDBOXED: [&str; 2] = ["shell", "python_exec"];

/// Where a run stands: the same for all of its calls.
#[derive(Debug, Clone)]
pub struct Situation {
    pub level: SandboxLevel,
    pub mode: ApproveMode,
    /// Somebody can be asked (a terminal, an editor).
    pub can_ask: bool,
    /// Hosts that `--net` opens; `all` opens every one.
    pub net: Vec<String>,
    pub rules: Rules,
    /// Where the programs of commands are looked up.
    pub places: Places,
}

/// One call, as far as approval looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    pub effect: Effect,
    pub target: Target<'a>,
    /// Where text that nobody vouches for came from, if the conversation has any.
    pub origin: Option<&'a str>,
}

/// What is to be done with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow {
        reason: String,
        /// An `--allow` rule says so, and nothing else.
        by_rule: bool,
    },
    /// Ask the person; without an answer it is denied.
    Ask {
        reason: String,
    },
    Deny {
        reason: String,
    },
}

/// How far something other than a person's consent holds a call.
enum Held {
    /// It can do no harm, or the sandbox, the opener or a rule of the network bounds it.
    Bounded(&'static str),
    /// The level forbids it; consent would change nothing, since the opener refuses.
    Forbidden(&'static str),
    /// Only consent stands between the call and the world.
    Free(&'static str),
}

/// Decides a call.
pub fn decide(situation: &Situation, action: &Action<'_>) -> Decision {
    if let Some(rule) = situation.rules.denies(&action.target) {
        return Decision::Deny { reason: format!("the rule `--deny {rule}` forbids it") };
    }
    let held = held(situation, action);
    if let Held::Forbidden(why) = held {
        return Decision::Deny { reason: why.to_owned() };
    }
    if let Some(rule) = situation.rules.asks(&action.target) {
        return consent(situation, &format!("the rule `--ask {rule}` wants a person's word"));
    }
    let tainted = action.origin.filter(|_| !only_reads(situation, action));
    if let (Held::Bounded(why), None) = (&held, tainted) {
        return Decision::Allow { reason: (*why).to_owned(), by_rule: false };
    }
    let (Held::Bounded(why) | Held::Forbidden(why) | Held::Free(why)) = held;
    let near = match situation.rules.allows(&action.target) {
        Allowed::By(rule) => {
            let reason = format!("the rule `--allow {rule}` covers it");
            return Decision::Allow { reason, by_rule: true };
        }
        Allowed::Nearly(near) => format!(", and {near}"),
        Allowed::No => String::new(),
    };
    match tainted {
        Some(origin) => {
            let why =
                format!("the conversation has text from {origin}, which may have asked for it");
            consent(situation, &format!("{why}{near}"))
        }
        None => by_mode(situation, &format!("{why}{near}")),
    }
}

/// Whether a call does no more than reading: then a stranger's text in the conversation does not
/// matter. A command at `read-only` without network can do nothing else; a connection to a host that
/// `--net` names is the person's word, which `all` is not.
fn only_reads(situation: &Situation, action: &Action<'_>) -> bool {
    match action.effect {
        Effect::Pure | Effect::Read => true,
        Effect::Remember | Effect::Write => false,
        Effect::Process => {
            SANDBOXED.contains(&action.target.tool)
                && situation.level == SandboxLevel::ReadOnly
                && !host_rule::opens_all(&situation.net)
        }
        Effect::Network => {
            let is_named =
                |name: &String| opened(&situation.net, name) > Covered::ByAll || name.is_empty();
            action.target.names.iter().all(is_named)
        }
    }
}

/// The host rule (`host:port`) that would open what a call connects to, where none does.
pub fn missing_rule(situation: &Situation, effect: Effect, target: &str) -> Option<String> {
    if effect != Effect::Network || opened(&situation.net, target) != Covered::No {
        return None;
    }
    let url = policy::parse_fetch_url(target).ok()?;
    let host = host_rule::host(url.host_str()?).filter(policy::can_open)?;
    Some(format!("{host}:{}", url.port_or_known_default()?))
}

/// What to do about a host that is not open.
pub fn net_hint(rule: &str) -> String {
    format!("`--net {rule}` opens that host to commands and `web_fetch`")
}

/// What to do about a call that is declined only because strangers' text may have asked for it.
pub fn strangers_hint(situation: &Situation, action: &Action<'_>) -> Option<String> {
    let without = Action { origin: None, ..*action };
    let is_why = action.origin.is_some()
        && !matches!(decide(situation, action), Decision::Allow { .. })
        && matches!(decide(situation, &without), Decision::Allow { .. });
    let tool = action.target.tool;
    is_why.then(|| {
        format!(
            "your word holds whatever a stranger wrote: `--allow {tool}`, or `--allow` with \
             `{tool}(…)` and what it may be about"
        )
    })
}

/// Only a person's word will do, whatever the mode allows.
fn consent(situation: &Situation, why: &str) -> Decision {
    if situation.mode == ApproveMode::Deny {
        return Decision::Deny { reason: format!("{why}, and `--approve deny` is set") };
    }
    if situation.can_ask {
        return Decision::Ask { reason: why.to_owned() };
    }
    Decision::Deny { reason: format!("{why}, and nobody can be asked") }
}

/// The columns of the table: nothing but consent holds the call, and no rule speaks of it.
fn by_mode(situation: &Situation, why: &str) -> Decision {
    match situation.mode {
        ApproveMode::Auto if situation.level == SandboxLevel::DangerFullAccess => Decision::Allow {
            reason: "`--approve auto` with `danger-full-access` allows everything".to_owned(),
            by_rule: false,
        },
        ApproveMode::Ask | ApproveMode::Auto | ApproveMode::Deny => consent(situation, why),
    }
}

/// The rows of the table: effect and level.
fn held(situation: &Situation, action: &Action<'_>) -> Held {
    use SandboxLevel::DangerFullAccess;
    use SandboxLevel::ReadOnly;
    use SandboxLevel::WorkspaceWrite;
    match (action.effect, situation.level) {
        (Effect::Pure, _) => Held::Bounded("it only computes"),
        (Effect::Read, _) => Held::Bounded("it only reads what the sandbox level opens"),
        (Effect::Remember, _) => Held::Bounded("it only changes the agent's own memory"),
        (Effect::Write, ReadOnly) => Held::Forbidden(
            "the sandbox level `read-only` forbids writing (`workspace-write` allows it here)",
        ),
        (Effect::Write, WorkspaceWrite) => Held::Bounded("the workspace may be written"),
        (Effect::Write, DangerFullAccess) => {
            Held::Free("at `danger-full-access` nothing bounds a write")
        }
        (Effect::Process, level) => {
            if !SANDBOXED.contains(&action.target.tool) {
                Held::Free("it acts on processes outside the sandbox")
            } else if level == DangerFullAccess {
                Held::Free("at `danger-full-access` nothing bounds a process")
            } else {
                Held::Bounded("the sandbox bounds it")
            }
        }
        (Effect::Network, _) => {
            let names = action.target.names;
            if names.iter().all(String::is_empty) {
                // A search without a configured endpoint: the tool itself says what is missing.
                Held::Bounded("it has nothing to connect to")
            } else if names.iter().all(|host| opened(&situation.net, host) != Covered::No) {
                Held::Bounded("`--net` opens the host")
            } else {
                Held::Free("it connects to a host that `--net` does not open")
            }
        }
    }
}

/// How far the rules open a host, or the host and port of a URL. What two parsers might read
/// differently (a backslash, a control character) is never open.
fn opened(net: &[String], target: &str) -> Covered {
    if target.contains(|c: char| c == '\\' || c.is_control()) {
        return Covered::No;
    }
    let (host, port) = match url::Url::parse(target) {
        Ok(url) if url.has_host() => {
            (url.host_str().and_then(host_rule::host), url.port_or_known_default())
        }
        _ => (host_rule::host(target), None),
    };
    host.map_or(Covered::No, |host| host_rule::covered(net, &host, port))
}

#[cfg(test)]
mod tests;
