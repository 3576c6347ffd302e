//! Rules `tool(pattern)`: what an allow rule covers the same text as a deny rule covers too, a literal
//! path covers itself alone, and nothing is too odd to be read.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use agi_agent::agent::approval::covering::Places;
use agi_agent::agent::approval::rules::Allowed;
use agi_agent::agent::approval::rules::Rules;
use agi_agent::agent::approval::rules::Target;
use agi_agent::config::settings::ApprovalSettings;

const TOOLS: [&str; 5] = ["file_read", "file_write", "shell", "web_fetch", "memory_add"];

/// First line: a rule; second: which tool is called; the rest: at what it is aimed.
pub fn judge(data: &[u8]) {
    let Some(text) = super::text(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(rule), Some(tool), Some(name)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Some(tool) = TOOLS.iter().find(|known| **known == tool) else { return };
    let read = |allow: bool| {
        let texts = vec![rule.to_owned()];
        let mut settings = ApprovalSettings::default();
        if allow {
            settings.allow = texts;
        } else {
            settings.deny = texts;
        }
        Rules::new(&settings, &TOOLS)
    };
    let (Ok(allowing), Ok(denying)) = (read(true), read(false)) else {
        assert!(read(true).is_err() && read(false).is_err(), "one reading of {rule:?} only");
        return;
    };
    let places = Places { search: vec!["/usr/bin".into()], writable: vec!["/work".into()] };
    let names = [name.to_owned()];
    let is_path = tool.starts_with("file_");
    let cwd = Path::new("/work");
    let target = Target { tool, names: &names, is_path, cwd, root: cwd, places: &places };
    let allowed = allowing.allows(&target);
    let denied = denying.denies(&target).is_some();
    let Allowed::By(by) = allowed else { return };
    assert_eq!(by, rule.trim());
    assert!(denied, "{rule:?} allows {name:?} of {tool}, and would not deny it");
    let pattern = rule.trim().split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let pattern = pattern.unwrap_or_default().trim();
    if is_path && !pattern.is_empty() && !pattern.contains(['*', '?', '[', '{', '\\', ']', '}']) {
        assert_eq!(folded(cwd, pattern), folded(cwd, name), "{rule:?} allows {name:?}");
    }
}

/// Absolute, `.` and `..` taken away, as words alone.
fn folded(cwd: &Path, path: &str) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    let full = cwd.join(path);
    for part in full.components() {
        match part {
            Component::ParentDir if parts.len() > 1 => drop(parts.pop()),
            Component::CurDir | Component::ParentDir => {}
            part => parts.push(part),
        }
    }
    parts.iter().collect()
}
