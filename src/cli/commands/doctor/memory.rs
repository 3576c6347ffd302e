//! The database: where it lies, on what, with which SQLite, and whether it is whole.

use std::path::Path;

use super::finding::Finding;
use crate::cli::output::Output;
use crate::config::settings::Settings;
use crate::memory;
use crate::system::user;

/// Before this version two writers could lose a commit when a write-ahead log was reset.
const SOUND_SQLITE: (u32, u32, u32) = (3, 51, 3);

pub(super) async fn check(settings: &Settings, output: &Output) -> Vec<Finding> {
    let sqlite = sqlite(memory::sqlite_version());
    if settings.memory.ephemeral.is_some() {
        let detail = "there is no home directory, so nothing is kept";
        let remedy = "set HOME, XDG_DATA_HOME or AGI_DATA_DIR";
        return vec![sqlite, Finding::note("memory", detail, remedy)];
    }
    let path = &settings.memory.path;
    let place = path.ancestors().find(|place| place.exists()).unwrap_or(path);
    let on_network = memory::is_on_network(place);
    vec![sqlite, file_system(place, on_network), database(settings, output).await]
}

fn sqlite(version: &str) -> Finding {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found >= SOUND_SQLITE {
        return Finding::ok("sqlite", version);
    }
    let detail = format!("{version} can lose a commit when two processes write");
    Finding::problem("sqlite", detail, "use a released file, or build with the bundled SQLite")
}

fn file_system(place: &Path, on_network: bool) -> Finding {
    if !on_network {
        return Finding::ok("file system", format!("{} is local", place.display()));
    }
    let detail = format!(
        "{} is on a network or shared file system: the database works with a rollback journal, \
         slower, and only as safe as the file system's locks",
        place.display()
    );
    Finding::note("file system", detail, "agi-agent config set data_dir /a/local/directory")
}

/// The database, or the directory in which it is or would be made, that is not for us to write.
fn unwritable(path: &Path) -> Option<(&Path, std::io::Error)> {
    let directory = path.ancestors().skip(1).find(|place| place.exists());
    let places = [Some(path).filter(|path| path.exists()), directory];
    places.into_iter().flatten().find_map(|place| Some((place, user::may_write(place).err()?)))
}

async fn database(settings: &Settings, output: &Output) -> Finding {
    let path = settings.memory.path.display().to_string();
    if let Some((place, error)) = unwritable(&settings.memory.path) {
        let detail = format!(
            "conversations and memory are not kept: `{}` cannot be written: {error}",
            place.display()
        );
        let remedy = "set AGI_DATA_DIR to a directory that can be written, or run with --ephemeral";
        return Finding::problem("memory", detail, remedy);
    }
    if !settings.memory.path.exists() {
        return Finding::ok("memory", format!("{path} (not there yet)"));
    }
    let checked = match memory::MemoryHandle::open_telling(&settings.memory, output.warner()) {
        Ok(handle) => handle.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(report) if report.ok => Finding::ok("memory", format!("{path} is whole")),
        Ok(_) => Finding::problem("memory", format!("{path} is damaged"), "agi-agent memory check"),
        Err(error) => Finding::problem("memory", error.to_string(), "agi-agent memory check"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn an_old_sqlite_and_a_shared_disk_are_named() {
        assert_eq!(sqlite(memory::sqlite_version()).grade, Grade::Ok);
        assert_eq!(sqlite("3.51.3").grade, Grade::Ok);
        assert_eq!(sqlite("3.51.2").grade, Grade::Problem);
        assert_eq!(sqlite("3.7").grade, Grade::Problem);
        assert_eq!(file_system(Path::new("/x"), false).grade, Grade::Ok);
        let shared = file_system(Path::new("/x"), true);
        assert_eq!(shared.grade, Grade::Note);
        assert!(shared.remedy.unwrap().contains("data_dir"));
    }
}
