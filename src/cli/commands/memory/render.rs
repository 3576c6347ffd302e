//! Items and numbers as people read them.

use std::fmt::Write;

use crate::cli::error::CommandError;
use crate::cli::output::printable;
use crate::memory::Count;
use crate::memory::Item;
use crate::memory::Stats;
use crate::memory::Trust;
use crate::protocol::ExitCode;

/// Lines of content in a list.
const LINES: usize = 3;

/// Categories and tags that `stats` names.
const NAMES: usize = 10;

pub(super) fn no_item(id: &str) -> CommandError {
    CommandError::new(ExitCode::TaskFailed, format!("there is no item `{id}`"))
        .with_hint("`agi-agent memory list` shows what there is")
}

/// Content first, then a line of facts: for lists.
pub(super) fn short(item: &Item) -> String {
    let mut text = String::new();
    let mut lines = item.content.trim_end().lines();
    for (number, line) in lines.by_ref().take(LINES).enumerate() {
        let indent = if number == 0 { "" } else { "  " };
        line_to(&mut text, &format!("{indent}{}", printable(line)));
    }
    let left = lines.count();
    if left > 0 {
        line_to(&mut text, &format!("  … {left} more lines"));
    }
    line_to(&mut text, &format!("  {}", facts(item)));
    text
}

/// Every field.
pub(super) fn whole(item: &Item) -> String {
    let mut text = String::new();
    let trust = match item.trust {
        Trust::Person => "person",
        Trust::Agent => "agent",
        Trust::Untrusted => "untrusted",
    };
    let tags = item.tags.join(", ");
    let confidence = item.confidence.to_string();
    let rows = [
        ("id", item.id.as_str()),
        ("category", &item.category),
        ("tags", &tags),
        ("source", &item.source),
        ("trust", trust),
        ("confidence", &confidence),
        ("created", &item.created_at),
        ("updated", &item.updated_at),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        line_to(&mut text, &format!("{name:10}  {}", printable(value)));
    }
    if let Some(provenance) = &item.provenance {
        line_to(&mut text, &format!("{:10}  {provenance}", "from"));
    }
    line_to(&mut text, "");
    text.push_str(&printable(item.content.trim_end()));
    text
}

fn facts(item: &Item) -> String {
    let mut facts = format!(
        "{}  {}  {}",
        printable(&item.id),
        item.updated_at.get(..10).unwrap_or_default(),
        printable(&item.category)
    );
    for tag in &item.tags {
        facts.push_str(" #");
        facts.push_str(&printable(tag));
    }
    if item.trust == Trust::Untrusted {
        facts.push_str("  (untrusted)");
    }
    facts
}

/// The database in numbers.
pub(super) fn stats(stats: &Stats) -> String {
    let mut text = String::new();
    line_to(&mut text, &format!("items       {}", stats.items));
    line_to(&mut text, &format!("sessions    {} ({} messages)", stats.sessions, stats.messages));
    line_to(&mut text, &format!("size        {} ({} free)", size(stats.size), size(stats.free)));
    if let (Some(oldest), Some(newest)) = (&stats.oldest, &stats.newest) {
        let day = |time: &str| time.get(..10).unwrap_or_default().to_owned();
        line_to(&mut text, &format!("changed     {} to {}", day(oldest), day(newest)));
    }
    names(&mut text, "categories", &stats.categories);
    names(&mut text, "tags", &stats.tags);
    text
}

fn names(text: &mut String, title: &str, counts: &[Count]) {
    for (number, count) in counts.iter().take(NAMES).enumerate() {
        let title = if number == 0 { title } else { "" };
        line_to(text, &format!("{title:10}  {} ({})", printable(&count.name), count.items));
    }
    if counts.len() > NAMES {
        line_to(text, &format!("{:10}  … {} more", "", counts.len() - NAMES));
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

fn line_to(text: &mut String, line: &str) {
    // Writing to a `String` cannot fail.
    writeln!(text, "{line}").ok();
}
