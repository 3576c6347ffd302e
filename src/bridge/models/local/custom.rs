//! What the provider `custom` of the old package means: the person's own transformers where their
//! wheels are configured, else a model on this machine, else the builtin one.

use std::path::Path;

use super::Found;
use super::find;
use crate::config::settings::ModelSettings;

/// The provider that answers for `custom`.
#[derive(Debug)]
pub enum Custom {
    Transformers,
    Local(Box<Found>),
    Builtin,
}

impl Custom {
    /// Looks which there is.
    pub fn choose(settings: &ModelSettings) -> Self {
        let wheels = settings.local.transformers.wheels.as_deref();
        if wheels.is_some_and(has_transformers) {
            return Self::Transformers;
        }
        match find(settings) {
            Ok(found) => Self::Local(Box::new(found)),
            Err(error) => {
                tracing::debug!(%error, "no local model for `custom`");
                Self::Builtin
            }
        }
    }

    /// One line for the person.
    pub fn told(&self, settings: &ModelSettings) -> String {
        match self {
            Self::Transformers => format!("model: transformers/{} (custom)", settings.name),
            Self::Local(found) => format!("model: local/{} (custom)", found.name),
            Self::Builtin => {
                "model: builtin (custom: neither wheels of torch and transformers nor a local model)"
                    .to_owned()
            }
        }
    }
}

/// Whether both packages lie in a directory of installed wheels.
pub(in crate::bridge) fn has_transformers(wheels: &Path) -> bool {
    ["torch", "transformers"].iter().all(|package| wheels.join(package).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_count_when_both_are_there() {
        let wheels = tempfile::tempdir().unwrap();
        assert!(!has_transformers(wheels.path()));
        for package in ["torch", "transformers"] {
            std::fs::create_dir(wheels.path().join(package)).unwrap();
        }
        assert!(has_transformers(wheels.path()));
    }
}
