//! What the runs of one conversation share besides its messages: what a person allowed for the rest of
//! it, and what its placeholders stand for.
//!
//! Held by whoever starts the runs, for as long as the person is there: an [`super::Agent`] of its
//! own, or a connection whose runs each have another agent. Never stored.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::config::settings::SandboxSettings;
use crate::protocol::secrets::Vault;

use super::state::Grants;

/// Conversations that are remembered; of the one unused for longest the person is asked again.
const REMEMBERED: usize = 256;

/// What conversations keep, by session id. Clones share it.
#[derive(Clone, Default)]
pub struct Conversations(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Counts uses.
    clock: u64,
    kept: HashMap<String, Kept>,
}

struct Kept {
    used: u64,
    vault: Arc<Vault>,
    allowed: Vec<(Scope, Grants)>,
}

/// What a yes for a session was given under: the same call elsewhere, or less bounded, is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) directory: PathBuf,
    pub(super) sandbox: SandboxSettings,
}

impl Conversations {
    /// The vault and the grants of a conversation. `known` are the secrets of this run, with the names
    /// they go by; a vault that is there already learns them.
    pub(super) fn enter(
        &self,
        session: &str,
        scope: &Scope,
        known: &[(String, String)],
    ) -> (Arc<Vault>, Grants) {
        // A panic between two statements leaves nothing half done here.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let used = inner.clock;
        if !inner.kept.contains_key(session) && inner.kept.len() >= REMEMBERED {
            let oldest = inner.kept.iter().min_by_key(|(_, kept)| kept.used);
            let oldest = oldest.map(|(session, _)| session.clone());
            oldest.and_then(|session| inner.kept.remove(&session));
        }
        let kept = inner.kept.entry(session.to_owned()).or_insert_with(|| Kept {
            used,
            vault: Arc::default(),
            allowed: Vec::new(),
        });
        kept.used = used;
        kept.vault.learn(known);
        let allowed = kept.allowed.iter().find(|(known, _)| known == scope);
        (Arc::clone(&kept.vault), allowed.map(|(_, grants)| grants.clone()).unwrap_or_default())
    }

    /// Adds what was allowed while a run went on.
    pub(super) fn leave(&self, session: &str, scope: Scope, allowed: Grants) {
        if allowed == Grants::default() {
            return;
        }
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = inner.kept.get_mut(session) else { return };
        match kept.allowed.iter_mut().find(|(known, _)| *known == scope) {
            Some((_, grants)) => grants.join(allowed),
            None => kept.allowed.push((scope, allowed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SandboxLevel;

    fn scope(directory: &str, level: SandboxLevel) -> Scope {
        let sandbox = SandboxSettings {
            level,
            add_dirs: Vec::new(),
            read: Vec::new(),
            net: Vec::new(),
            env: Vec::new(),
        };
        Scope { directory: directory.into(), sandbox }
    }

    #[test]
    fn a_yes_holds_for_its_session_its_place_and_its_sandbox() {
        let all = Conversations::default();
        let here = scope("/a", SandboxLevel::WorkspaceWrite);
        let yes = |rule: &str| Grants { rules: vec![rule.to_owned()], ..Grants::default() };
        all.enter("s", &here, &[]);
        // Two runs side by side: neither takes away what the other was allowed.
        all.leave("s", here.clone(), yes("shell(ls)"));
        all.leave("s", here.clone(), yes("shell(cat)"));
        all.leave("s", here.clone(), yes("shell(cat)"));
        assert_eq!(all.enter("s", &here, &[]).1.rules, ["shell(ls)", "shell(cat)"]);
        for other in
            [scope("/b", SandboxLevel::WorkspaceWrite), scope("/a", SandboxLevel::DangerFullAccess)]
        {
            assert_eq!(all.enter("s", &other, &[]).1, Grants::default());
        }
        assert_eq!(all.enter("t", &here, &[]).1, Grants::default());
    }

    #[test]
    fn the_conversation_unused_for_longest_is_forgotten() {
        let all = Conversations::default();
        let here = scope("/a", SandboxLevel::ReadOnly);
        let first = all.enter("first", &here, &[]).0;
        for number in 0..REMEMBERED {
            all.enter("second", &here, &[]);
            all.enter(&format!("s{number}"), &here, &[]);
        }
        assert!(!Arc::ptr_eq(&first, &all.enter("first", &here, &[]).0));
        assert_eq!(all.0.lock().unwrap().kept.len(), REMEMBERED);
    }
}
