//! What the memory knows about a task, fetched once, before the model is asked.
//!
//! A memory that cannot be read does not end the run; it is told, and the run goes on without.

use tokio_util::sync::CancellationToken;

use crate::memory::Item;
use crate::memory::MemoryHandle;
use crate::memory::Query;
use crate::memory::Trust;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::secrets::Vault;

use crate::agent::events::Emitter;

/// Items that are recalled at most.
const ITEMS: usize = 5;

/// Words of a task that say nothing of what it is about: each would bring up whatever holds it too.
const EMPTY: [&str; 76] = [
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "but", "by", "can", "did",
    "do", "does", "each", "every", "file", "files", "find", "for", "from", "give", "had", "has",
    "have", "how", "i", "if", "in", "into", "is", "it", "its", "list", "many", "me", "much", "my",
    "no", "not", "of", "on", "or", "our", "out", "please", "run", "show", "so", "tell", "than",
    "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "up",
    "was", "we", "were", "what", "when", "where", "which", "who", "why", "with", "you",
];

/// The words of a task that something remembered could be about; all of them where none is.
fn words_of(task: &str) -> String {
    let says_something = |word: &&str| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
        !EMPTY.contains(&bare.as_str())
    };
    let mut words: Vec<String> = Vec::new();
    // Every second part stands between double quotes, and stays whole.
    for (index, part) in task.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(format!("\"{part}\""));
        } else {
            words.extend(part.split_whitespace().filter(says_something).map(str::to_owned));
        }
    }
    if words.is_empty() { task.to_owned() } else { words.join(" ") }
}

/// The contents of the best items, best first; and which of them nobody vouches for.
pub(in crate::agent) async fn recall(
    memory: Option<&MemoryHandle>,
    task: &str,
    emitter: &Emitter,
    cancel: &CancellationToken,
    vault: &Vault,
) -> (Vec<String>, Option<String>) {
    let Some(memory) = memory else { return (Vec::new(), None) };
    let query = Query { text: words_of(task), limit: ITEMS, category: None, tags: Vec::new() };
    let mut hits = match emitter.with_memory(cancel, memory.search(query)).await {
        Some(Ok(hits)) => hits,
        // The run is over.
        None => return (Vec::new(), None),
        Some(Err(error)) => {
            let message = format!("nothing could be recalled: {error}");
            emitter.instant(ItemStatus::Failed, ItemBody::Error { message });
            return (Vec::new(), None);
        }
    };
    for hit in &mut hits {
        hit.item.content = vault.conceal(&hit.item.content, None).into_owned();
        let body = ItemBody::Memory {
            action: "recall".to_owned(),
            id: hit.item.id.clone(),
            text: hit.item.content.clone(),
        };
        emitter.instant(ItemStatus::Completed, body);
    }
    let untrusted = hits.iter().find(|hit| hit.item.trust == Trust::Untrusted);
    let origin = untrusted.map(|hit| format!("the untrusted note {}", hit.item.id));
    (hits.into_iter().map(|hit| note(hit.item)).collect(), origin)
}

/// What nobody vouches for stays marked.
fn note(item: Item) -> String {
    match item.trust {
        Trust::Untrusted => format!("[untrusted] {}", item.content),
        Trust::Person | Trust::Agent => item.content,
    }
}

#[cfg(test)]
mod tests {
    use super::EMPTY;
    use super::words_of;

    #[test]
    fn only_words_that_say_something_are_looked_for() {
        assert!(EMPTY.is_sorted(), "a list that people extend");
        assert_eq!(words_of("How many lines is README.md?"), "lines README.md?");
        assert_eq!(words_of("what is my favourite colour"), "favourite colour");
        assert_eq!(words_of("do it"), "do it");
        assert_eq!(words_of("deploy \"to the\" staging host"), "deploy \"to the\" staging host");
    }
}
