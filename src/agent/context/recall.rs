//! What the memory knows about a task, fetched once, before the model is asked.
//!
//! A memory that cannot be read does not end the run; it is told, and the run goes on without.

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

/// The contents of the best items, best first; and which of them nobody vouches for.
pub(in crate::agent) async fn recall(
    memory: Option<&MemoryHandle>,
    task: &str,
    emitter: &Emitter,
    vault: &Vault,
) -> (Vec<String>, Option<String>) {
    let Some(memory) = memory else { return (Vec::new(), None) };
    let query = Query { text: task.to_owned(), limit: ITEMS, category: None, tags: Vec::new() };
    let mut hits = match memory.search(query).await {
        Ok(hits) => hits,
        Err(error) => {
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
