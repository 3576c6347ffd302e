//! Reads every layer, low to high, and merges them. Never stops at an error: all of them are told
//! at once, and `config explain` works on a broken configuration.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::bounded;
use super::env::Environment;
use super::env::MANAGED_VARIABLE;
use super::env::from_text;
use super::error::ConfigError;
use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use super::layer::Assignments;
use super::layer::Layer;
use super::layer::Merged;
use super::layer::Standing;
use super::legacy;
use super::places;
use super::places::Places;
use super::project;
use super::project::Project;
use super::project::ProjectState;
use super::project::dotenv;
use super::project::trust::TrustStore;
use super::source;
use super::source::Links;
use super::source::Owner;
use super::source::Source;
use crate::config::file::migrate;
use crate::config::table::check;
use crate::config::table::check::Checked;
use crate::config::table::check::Strictness;
use crate::config::table::check::Whence;
use crate::config::table::fields::Kind;
use crate::config::table::schema;

/// Loads and merges what somebody set around `directory` ([`Merged::complete`] adds the rest). Errors
/// are in the result's diagnostics; [`Merged::check`] makes them one.
pub fn load(
    environment: &Environment,
    places: &Places,
    profile: Option<&str>,
    directory: &Path,
    command_line: Assignments,
) -> Merged {
    let mut loader = Loader { merged: Merged::default(), directory };
    loader.file(&places.system_config, Layer::System);
    if let Some(user) = &places.user_config {
        loader.file(user, Layer::User);
    }
    loader.projects(environment, places);
    if let Some(name) = profile {
        match profile_file(places, name) {
            Ok(path) => loader.file(&path, Layer::Profile),
            Err(error) => loader.merged.diagnostics.push(error),
        }
    }
    loader.add(legacy::configuration(environment), Layer::Environment);
    loader.add(environment.configuration(), Layer::Environment);
    for (key, value, flag) in command_line {
        loader.add(check::check_key(&key, &value, &Place::Flag(flag)), Layer::CommandLine);
    }
    // The person's own first: the fixed place has the last word.
    if let Some(path) = environment.path(MANAGED_VARIABLE) {
        loader.managed(&directory.join(path), true);
    }
    loader.managed(&places.managed_config, false);
    loader.merged
}

struct Loader<'a> {
    merged: Merged,
    directory: &'a Path,
}

impl Loader<'_> {
    fn add(&mut self, checked: Checked, layer: Layer) {
        self.merged.diagnostics.extend(checked.diagnostics);
        for leaf in checked.leaves {
            self.merged.ground(&leaf);
            self.merged.add(leaf, layer);
        }
    }

    fn file(&mut self, path: &Path, layer: Layer) {
        match read(path, Owner::Person, Strictness::Lenient) {
            Ok(Some(checked)) => self.add(checked, layer),
            Ok(None) => {}
            Err(error) => self.merged.diagnostics.push(error),
        }
    }

    /// `named`: somebody asked for this file, so it has to be there.
    fn managed(&mut self, path: &Path, named: bool) {
        match read(path, Owner::Organisation, Strictness::Strict) {
            Ok(Some(checked)) => {
                self.merged.diagnostics.extend(checked.diagnostics);
                for leaf in checked.leaves {
                    if leaf.key != "config_version" {
                        let finding = self.merged.clamp(leaf, self.directory);
                        self.merged.diagnostics.extend(finding);
                    }
                }
            }
            Ok(None) if named => {
                let message = format!("there is no file `{}`", path.display());
                let place = Place::Variable(MANAGED_VARIABLE.to_owned());
                self.merged.diagnostics.push(Diagnostic::error(Rule::Place, place, message));
            }
            Ok(None) => {}
            Err(error) => self.merged.diagnostics.push(error),
        }
    }

    fn projects(&mut self, environment: &Environment, places: &Places) {
        if self.directory.as_os_str().is_empty() {
            return;
        }
        let home = places::home(environment);
        let found =
            project::discover(self.directory, home.as_deref(), &mut self.merged.diagnostics);
        let store = places.data_dir.as_deref().map(TrustStore::new);
        for project in found {
            let hash = project.hash();
            let trusted = store.as_ref().is_some_and(|store| store.trusts(&project, &hash));
            let standing = if trusted { Standing::Believed } else { Standing::Untrusted };
            let mut ignored = Vec::new();
            self.project_config(&project, standing, &mut ignored);
            self.project_environment(&project, standing, &mut ignored);
            self.merged.projects.push(ProjectState {
                files: project.files.iter().map(|file| file.path.clone()).collect(),
                directory: project.directory,
                hash,
                trusted,
                ignored,
            });
        }
    }

    fn project_config(&mut self, project: &Project, standing: Standing, ignored: &mut Vec<String>) {
        let Some(file) = project.file(project::FILES[0]) else { return };
        let checked = match parse(&file.path, file.bytes.clone(), Strictness::Lenient) {
            Ok(checked) => checked,
            // Only a person can tell a slip of their own from what a running command has left there.
            Err(error) => {
                let remedy = error.remedy.clone().unwrap_or_else(|| "mend it".to_owned());
                let way = "or move the file away (what another agent's command left there is put back \
                           when that command ends)";
                let error = error.with_remedy(format!("{remedy}, {way}"));
                return self.merged.diagnostics.push(error);
            }
        };
        if standing == Standing::Believed {
            return self.add(checked, Layer::Project);
        }
        self.merged.diagnostics.extend(checked.diagnostics);
        for leaf in checked.leaves {
            if leaf.key == "config_version" {
                continue;
            }
            if let Some(finding) = self.merged.narrow(leaf, &project.directory) {
                ignored.extend(finding.key.clone());
                self.merged.diagnostics.push(finding);
            }
        }
    }

    fn project_environment(
        &mut self,
        project: &Project,
        standing: Standing,
        ignored: &mut Vec<String>,
    ) {
        let Some(file) = project.file(".env") else { return };
        if standing == Standing::Believed {
            let (checked, variables) = dotenv::configuration(&file.path, &file.bytes);
            self.add(checked, Layer::Project);
            self.merged.project_environment.extend(variables);
            return;
        }
        for line in dotenv::lines(&file.bytes) {
            let message = format!("`{}` is ignored: this project is not trusted", line.name);
            let place = Place::file(&file.path, line.number, 1);
            self.merged.diagnostics.push(
                Diagnostic::warning(Rule::Untrusted, place, message)
                    .with_remedy(bounded::remedy(&project.directory)),
            );
            ignored.push(line.name);
        }
    }
}

/// Reads and checks a file; `None` where there is none.
pub fn read(
    path: &Path,
    owner: Owner,
    strictness: Strictness,
) -> Result<Option<Checked>, Diagnostic> {
    source::read(path, Links::Followed, owner)?
        .map(|bytes| parse(path, bytes, strictness))
        .transpose()
}

/// Checks bytes as the content of `path`.
pub fn parse(path: &Path, bytes: Vec<u8>, strictness: Strictness) -> Result<Checked, Diagnostic> {
    let source = Source::new(path, bytes)?;
    let mut tree = source.parse()?;
    let old_names = migrate::tree(&mut tree, &source);
    let mut checked = check::check(&tree, Whence::File(&source), strictness);
    checked.diagnostics.extend(old_names);
    Ok(checked)
}

/// The file of a profile, which has to exist.
pub fn profile_file(places: &Places, name: &str) -> Result<PathBuf, Diagnostic> {
    let path = profile_path(places, name)?;
    if path.exists() {
        return Ok(path);
    }
    Err(no_profile(name, format!("no file `{}`", path.display())))
}

fn no_profile(name: &str, message: String) -> Diagnostic {
    Diagnostic::error(Rule::Place, Place::Flag(format!("--profile {name}")), message)
        .with_remedy("profiles are files `NAME.profile.json` beside the user's `config.json`")
}

/// Where the file of a profile is, or would be.
pub fn profile_path(places: &Places, name: &str) -> Result<PathBuf, Diagnostic> {
    let plain = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let wrong = |message: String| no_profile(name, message);
    if !plain {
        return Err(wrong("a profile's name has letters, digits, `-` and `_` only".into()));
    }
    let user = places
        .user_config
        .as_ref()
        .ok_or_else(|| wrong("there is no home directory to look into".into()))?;
    Ok(user.with_file_name(format!("{name}.profile.json")))
}

/// `key=value` of `-c`: text, or JSON where the setting is not text.
pub fn assignment(text: &str) -> Result<(String, Value, String), ConfigError> {
    let Some((key, raw)) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
        let place = Place::Flag(format!("-c {text}"));
        return Err(Diagnostic::error(Rule::Syntax, place, "has no `key=`")
            .with_remedy("write `-c key=value`, for example `-c limits.max_turns=5`")
            .into());
    };
    let key = key.trim();
    let kind = schema::lookup(key).map_or(Kind::Object(&[]), |field| field.kind);
    Ok((key.to_owned(), from_text(kind, raw), format!("-c {key}")))
}
