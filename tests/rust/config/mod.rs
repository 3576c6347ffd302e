//! Configuration from files to settings, in process: broken files, layers, trust, cost.

mod broken;
mod cost;
mod fuzz;
mod layers;
mod mutate;
mod trust_table;

use std::path::Path;
use std::path::PathBuf;

use agi_agent::config::env::Environment;
use agi_agent::config::layer::Assignments;
use agi_agent::config::layer::Merged;
use agi_agent::config::load;
use agi_agent::config::places::Places;

/// A machine of its own: every layer's place below one temporary directory.
struct Machine {
    root: tempfile::TempDir,
    variables: Vec<(String, String)>,
    assignments: Assignments,
    profile: Option<&'static str>,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("home/work")).unwrap();
        Self { root, variables: Vec::new(), assignments: Vec::new(), profile: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn places(&self) -> Places {
        Places {
            system_config: self.path("etc/config.json"),
            managed_config: self.path("etc/managed.json"),
            user_config: Some(self.path("home/.config/agi-agent/config.json")),
            data_dir: Some(self.path("home/.local/share/agi-agent")),
            home: None,
        }
    }

    fn work(&self) -> PathBuf {
        self.path("home/work")
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    fn environment(&self) -> Environment {
        let home = self.path("home").to_string_lossy().into_owned();
        let pairs = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Environment::from_pairs(pairs.chain([("HOME", home.as_str())]))
    }

    fn load(&self) -> Merged {
        self.load_in(&self.work())
    }

    fn load_in(&self, directory: &Path) -> Merged {
        let (environment, places) = (self.environment(), self.places());
        load::load(&environment, &places, self.profile, directory, self.assignments.clone())
            .complete()
    }

    /// Trusts the project in the working directory as it is now.
    fn trust(&self) {
        let store = agi_agent::config::project::trust::TrustStore::new(
            &self.path("home/.local/share/agi-agent"),
        );
        let home = self.path("home");
        let project = agi_agent::config::project::nearest(&self.work(), Some(&home));
        store.add(&project.unwrap().unwrap(), "2026-01-01T00:00:00Z".into()).unwrap();
    }
}
