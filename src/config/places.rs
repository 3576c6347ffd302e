//! Where configuration and data live on each platform. Opens no file.

use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use super::env::Environment;

/// Directory of our files inside each platform's place.
const NAME: &str = "agi-agent";

/// The files and directories of this machine and person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// For every user of the machine.
    pub system_config: PathBuf,
    /// What an organisation allows at most: a fixed place that no variable moves.
    pub managed_config: PathBuf,
    /// The person's own; `None` without a home directory.
    pub user_config: Option<PathBuf>,
    /// Where the database lives; `None` without a home directory.
    pub data_dir: Option<PathBuf>,
    /// The home directory, whether or not it is there.
    pub home: Option<PathBuf>,
}

impl Places {
    /// XDG on Unix, `Library/Application Support` on macOS, `%APPDATA%` on Windows.
    pub fn of(environment: &Environment) -> Self {
        let home = home(environment);
        let config_root = environment
            .path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| platform_root(environment, home.as_deref(), ".config", "APPDATA"));
        let data_root =
            environment.path("XDG_DATA_HOME").filter(|path| path.is_absolute()).or_else(|| {
                platform_root(environment, home.as_deref(), ".local/share", "LOCALAPPDATA")
            });
        Self {
            system_config: system_config(environment),
            managed_config: managed_config(),
            user_config: config_root.map(|root| root.join(NAME).join("config.json")),
            data_dir: data_root.map(|root| root.join(NAME)),
            home,
        }
    }

    /// The home directory, if there is none: nothing is made in it. That an account has no home is often
    /// said by the name of a directory that does not exist (`/nonexistent`).
    pub fn missing_home(&self) -> Option<&Path> {
        self.home.as_deref().filter(|home| !home.is_dir())
    }

    /// Where data can be kept: not in a home directory that does not exist.
    pub fn usable_data_dir(&self) -> Option<&Path> {
        let data = self.data_dir.as_deref()?;
        let is_lost = self.missing_home().is_some_and(|home| data.starts_with(home));
        (!is_lost).then_some(data)
    }

    /// A project's file.
    pub fn project_config(directory: &Path) -> PathBuf {
        directory.join(".agi-agent").join("config.json")
    }
}

/// Directories that requests to a model may name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Here {
    pub directory: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

/// The home directory: `HOME`, on Windows `USERPROFILE`; relative ones do not count.
pub fn home(environment: &Environment) -> Option<PathBuf> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    environment.path(name).filter(|path| path.is_absolute())
}

fn platform_root(
    environment: &Environment,
    home: Option<&Path>,
    unix: &str,
    windows: &str,
) -> Option<PathBuf> {
    if cfg!(windows) {
        environment.path(windows)
    } else if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        home.map(|home| home.join(unix))
    }
}

fn system_config(environment: &Environment) -> PathBuf {
    if cfg!(windows) {
        let root = environment.path("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
        root.join(NAME).join("config.json")
    } else {
        PathBuf::from("/etc").join(NAME).join("config.json")
    }
}

fn managed_config() -> PathBuf {
    let root = if cfg!(windows) {
        r"C:\ProgramData\agi-agent"
    } else if cfg!(target_os = "macos") {
        "/Library/Application Support/agi-agent"
    } else {
        "/etc/agi-agent"
    };
    Path::new(root).join("managed.json")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::Environment;
    use super::Places;

    #[test]
    fn follows_xdg_and_ignores_relative_values() {
        let places = Places::of(&Environment::from_pairs([
            ("HOME", "/home/ada"),
            ("XDG_DATA_HOME", "relative"),
            ("XDG_CONFIG_HOME", "/c"),
        ]));
        assert_eq!(places.user_config, Some("/c/agi-agent/config.json".into()));
        assert_eq!(places.data_dir, Some("/home/ada/.local/share/agi-agent".into()));
    }

    #[test]
    fn without_home_there_is_no_place_for_data() {
        let places = Places::of(&Environment::from_pairs([]));
        assert_eq!(places.user_config, None);
        assert_eq!(places.data_dir, None);
    }
}
