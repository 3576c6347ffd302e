//! States as bytes, for other agents of the same user and the same program.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::Contents;
use super::State;
use super::States;
use super::looks::Birth;
use super::looks::Stamp;

/// Changes with the form; what another version wrote is not read.
const MARK: &[u8; 8] = b"agi-snp4";

const DIRECTORY: u8 = 0;
const CONTAINER: u8 = 1;
const BORN_CONTAINER: u8 = 2;
const REPOSITORY: u8 = 3;
const BORN_REPOSITORY: u8 = 4;
const FILE: u8 = 5;
const LINK: u8 = 6;
const UNKEPT: u8 = 7;
const COPY: u8 = 8;

pub(super) fn encode(states: &States) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    number(&mut bytes, states.len() as u64);
    for (path, state) in states {
        text(&mut bytes, path.as_os_str().as_bytes());
        state.stamp.0.iter().for_each(|field| number(&mut bytes, *field));
        bytes.push(u8::from(state.settled));
        match &state.contents {
            Contents::Directory => bytes.push(DIRECTORY),
            Contents::Container(None) => bytes.push(CONTAINER),
            Contents::Container(Some(birth)) => born(&mut bytes, BORN_CONTAINER, *birth),
            Contents::Repository(None) => bytes.push(REPOSITORY),
            Contents::Repository(Some(birth)) => born(&mut bytes, BORN_REPOSITORY, *birth),
            Contents::File(contents) => {
                bytes.push(FILE);
                text(&mut bytes, contents);
            }
            Contents::Copy(copy) => {
                bytes.push(COPY);
                text(&mut bytes, copy.as_os_str().as_bytes());
            }
            Contents::Link(target) => {
                bytes.push(LINK);
                text(&mut bytes, target.as_os_str().as_bytes());
            }
            Contents::Unkept => bytes.push(UNKEPT),
        }
    }
    bytes
}

/// `None`: not all of it is there, or another version wrote it.
pub(super) fn decode(bytes: &[u8]) -> Option<States> {
    let mut rest = bytes.strip_prefix(MARK)?;
    let mut states = States::new();
    for _ in 0..take_number(&mut rest)? {
        let path = path(take_text(&mut rest)?);
        let stamp = Stamp(take_numbers(&mut rest)?);
        let settled = take(&mut rest, 1)? == [1];
        let contents = match take(&mut rest, 1)? {
            [DIRECTORY] => Contents::Directory,
            [CONTAINER] => Contents::Container(None),
            [BORN_CONTAINER] => Contents::Container(Some(Birth(take_numbers(&mut rest)?))),
            [REPOSITORY] => Contents::Repository(None),
            [BORN_REPOSITORY] => Contents::Repository(Some(Birth(take_numbers(&mut rest)?))),
            [FILE] => Contents::File(take_text(&mut rest)?.into()),
            [LINK] => Contents::Link(self::path(take_text(&mut rest)?)),
            [COPY] => Contents::Copy(self::path(take_text(&mut rest)?)),
            [UNKEPT] => Contents::Unkept,
            _ => return None,
        };
        states.insert(path, State { stamp, settled, contents });
    }
    rest.is_empty().then_some(states)
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

fn number(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend(value.to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, value: &[u8]) {
    number(bytes, value.len() as u64);
    bytes.extend(value);
}

fn born(bytes: &mut Vec<u8>, kind: u8, birth: Birth) {
    bytes.push(kind);
    birth.0.iter().for_each(|field| number(bytes, *field));
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (first, later) = rest.split_at_checked(count)?;
    *rest = later;
    Some(first)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    take(rest, 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn take_numbers<const COUNT: usize>(rest: &mut &[u8]) -> Option<[u64; COUNT]> {
    let mut fields = [0; COUNT];
    for field in &mut fields {
        *field = take_number(rest)?;
    }
    Some(fields)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = usize::try_from(take_number(rest)?).ok()?;
    take(rest, count)
}

#[cfg(test)]
mod tests {
    use super::Birth;
    use super::Contents;
    use super::Stamp;
    use super::State;
    use super::States;

    #[test]
    fn what_was_written_is_read_and_half_of_it_is_not() {
        let contents = [
            Contents::Directory,
            Contents::Container(None),
            Contents::Container(Some(Birth([1, 2, 3, u64::MAX]))),
            Contents::Repository(None),
            Contents::Repository(Some(Birth([4, 3, 2, 1]))),
            Contents::File((*b"\0\xff\n").into()),
            Contents::Copy("/kept/x".into()),
            Contents::Link("../x".into()),
            Contents::Unkept,
        ];
        let states: States = contents
            .into_iter()
            .enumerate()
            .map(|(number, contents)| {
                let stamp = Stamp([number as u64, 1, 2, 3, 4, 5, 6, 7]);
                let settled = number % 2 == 0;
                (format!("/a/{number}").into(), State { stamp, settled, contents })
            })
            .collect();
        let bytes = super::encode(&states);
        assert_eq!(super::decode(&bytes), Some(states));
        for length in 0..bytes.len() {
            assert_eq!(super::decode(&bytes[..length]), None, "{length}");
        }
    }
}
