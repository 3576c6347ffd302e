//! The scheduler's promises, on claims made up here and on random ones.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::Bounds;
use super::Claim;
use super::Class;
use super::Scheduler;
use super::Thing;

/// What the scheduler has to hold, said in the plainest way.
impl Claim {
    /// Whether the two must not run at the same time.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.things.iter().any(|(thing, writes)| {
            other.things.iter().any(|(its, it_writes)| (*writes || *it_writes) && meet(thing, its))
        })
    }
}

fn meet(left: &Thing, right: &Thing) -> bool {
    match (left, right) {
        (Thing::Everything, _) | (_, Thing::Everything) | (Thing::Memory, Thing::Memory) => true,
        (Thing::Path(left), Thing::Path(right)) => {
            left.starts_with(right) || right.starts_with(left)
        }
        (Thing::Path(_), Thing::Memory) | (Thing::Memory, Thing::Path(_)) => false,
    }
}

fn path(name: &str, writes: bool) -> Claim {
    Claim::of(Class::Disk, Thing::Path(PathBuf::from(name)), writes)
}

#[test]
fn readers_share_and_a_writer_is_alone_on_its_path() {
    for (left, right, conflict) in [
        (path("/a", false), path("/a", false), false),
        (path("/a", true), path("/a", false), true),
        (path("/a", true), path("/b", true), false),
        // A directory is what lies in it; a longer name is another.
        (path("/a", false), path("/a/b/c", true), true),
        (path("/a", true), path("/ab", true), false),
        (path("/a", true), Claim::nothing(Class::Cpu), false),
        (path("/a", true), Claim::of(Class::Disk, Thing::Memory, true), false),
        (path("/a", false), Claim::of(Class::Process, Thing::Everything, false), false),
        (path("/a", false), Claim::of(Class::Process, Thing::Everything, true), true),
    ] {
        assert_eq!(left.conflicts_with(&right), conflict, "{left:?} {right:?}");
        assert_eq!(right.conflicts_with(&left), conflict, "{right:?} {left:?}");
    }
}

#[test]
#[cfg(unix)]
fn two_names_of_one_file_meet() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("d")).unwrap();
    std::os::unix::fs::symlink("d", root.path().join("link")).unwrap();
    let claim = |name: &str| Claim::path(&root.path().join(name), true);
    assert!(claim("d/new/file").conflicts_with(&claim("link/new/file")));
    assert!(claim("d").conflicts_with(&claim("link")));
    assert!(!claim("d/x").conflicts_with(&claim("link/y")));
    let relative = Claim::path(Path::new("no/such/place"), true);
    assert!(relative.conflicts_with(&Claim::path(Path::new("no/such/place"), false)));
}

#[tokio::test]
async fn nobody_overtakes_whom_it_conflicts_with_and_others_pass() {
    let scheduler = Scheduler::default();
    let reader = scheduler.wait(path("/a", false)).await;
    let mut writer = Box::pin(scheduler.wait(path("/a", true)));
    let mut late_reader = Box::pin(scheduler.wait(path("/a", false)));
    assert!((&mut writer).now_or_never().is_none(), "a reader runs");
    assert!((&mut late_reader).now_or_never().is_none(), "a writer is first");
    let other = scheduler.wait(path("/b", true)).now_or_never();
    assert!(other.is_some(), "another path");
    drop(reader);
    let writing = writer.now_or_never().expect("its turn");
    assert!((&mut late_reader).now_or_never().is_none());
    drop(writing);
    assert!(late_reader.now_or_never().is_some());
}

#[tokio::test]
async fn who_gives_up_holds_nobody_and_bounds_hold() {
    let scheduler = Scheduler::new(Bounds { cpu: 1, disk: 2, network: 1, process: 1 });
    let running = scheduler.wait(path("/a", true)).await;
    let given_up = scheduler.wait(path("/a", true));
    let mut next = Box::pin(scheduler.wait(path("/a", true)));
    drop(given_up);
    assert!((&mut next).now_or_never().is_none());
    drop(running);
    assert!(next.now_or_never().is_some());
    let cpu = scheduler.wait(Claim::nothing(Class::Cpu)).await;
    assert!(scheduler.wait(Claim::nothing(Class::Cpu)).now_or_never().is_none(), "the bound");
    assert!(scheduler.wait(Claim::nothing(Class::Network)).now_or_never().is_some());
    drop(cpu);
}

/// Sets looked into for calls that all come first and then end, the first ones first.
fn work(claims: impl Iterator<Item = Claim>) -> usize {
    let scheduler = Scheduler::default();
    let mut waiting: Vec<_> = claims.map(|claim| Box::pin(scheduler.wait(claim))).collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain_mut(|turn| turn.now_or_never().is_none());
        assert_ne!(waiting.len(), before, "nobody can run");
    }
    let queue = scheduler.lock();
    assert!(queue.entries.is_empty() && queue.running.iter().all(|running| *running == 0));
    queue.index.looked.get()
}

#[test]
fn the_work_grows_with_the_number_of_calls_and_not_faster() {
    type Calls = fn(usize) -> Claim;
    let mixtures: [Calls; 5] = [
        |_| Claim::nothing(Class::Cpu),
        |_| path("/w/d/one", true),
        |number| path(&format!("/w/d/{}", number % 50), number % 3 == 0),
        |number| path(if number % 10 == 0 { "/w" } else { "/w/d/one" }, number % 7 == 0),
        |number| Claim::of(Class::Process, Thing::Everything, number % 2 == 0),
    ];
    for (at, calls) in mixtures.into_iter().enumerate() {
        let (few, many) = (work((0..300).map(calls)), work((0..3000).map(calls)));
        assert!(many <= 12 * few.max(1), "mixture {at}: {few} and {many}");
        assert!(many <= 3000 * 40, "mixture {at}: {many}");
    }
}

fn claims() -> impl Strategy<Value = Vec<(Claim, u64)>> {
    let thing = prop_oneof![
        6 => "/[ab](/[ab]){0,2}".prop_map(|text| Thing::Path(PathBuf::from(text))),
        1 => Just(Thing::Memory),
        1 => Just(Thing::Everything),
    ];
    let class = prop_oneof![
        Just(Class::Cpu),
        Just(Class::Disk),
        Just(Class::Network),
        Just(Class::Process)
    ];
    let claim = (class, proptest::collection::vec((thing, any::<bool>()), 0..3))
        .prop_map(|(class, things)| Claim { class, things });
    proptest::collection::vec((claim, 0_u64..20), 1..24)
}

proptest! {
    /// Any calls, some of which give up: nobody runs beside whom it conflicts with, no bound is
    /// passed, conflicting calls run in their order, and all come to an end.
    #[test]
    fn any_mixture_is_as_if_one_after_the_other(claims in claims(), give_up in 0_u64..40) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        let bounds = Bounds { cpu: 2, disk: 3, network: 1, process: 2 };
        let scheduler = Scheduler::new(bounds);
        let running: Arc<Mutex<Vec<usize>>> = Arc::default();
        let order: Arc<Mutex<Vec<usize>>> = Arc::default();
        let all = claims.clone();
        let each = |index: usize| {
            let (scheduler, running, order, all) =
                (scheduler.clone(), Arc::clone(&running), Arc::clone(&order), all.clone());
            let (claim, length) = all[index].clone();
            async move {
                let waiting = scheduler.wait(claim.clone());
                let patience = if index % 5 == 4 { give_up } else { 1_000_000 };
                let Ok(turn) = tokio::time::timeout(Duration::from_millis(patience), waiting).await
                    else { return };
                {
                    let mut running = running.lock().unwrap();
                    let beside: Vec<&Claim> = running.iter().map(|at| &all[*at].0).collect();
                    assert!(!beside.iter().any(|other| claim.conflicts_with(other)));
                    let same = beside.iter().filter(|other| other.class == claim.class).count();
                    assert!(same < bounds.of(claim.class));
                    running.push(index);
                    order.lock().unwrap().push(index);
                }
                tokio::time::sleep(Duration::from_millis(length)).await;
                running.lock().unwrap().retain(|at| *at != index);
                drop(turn);
            }
        };
        runtime.block_on(futures_util::future::join_all((0..all.len()).map(each)));
        let order = order.lock().unwrap().clone();
        for (at, later) in order.iter().enumerate() {
            for earlier in &order[at + 1..] {
                let conflict = all[*earlier].0.conflicts_with(&all[*later].0);
                prop_assert!(!(conflict && earlier < later), "{later} overtook {earlier}");
            }
        }
        let patient = (0..all.len()).filter(|index| index % 5 != 4).count();
        prop_assert!(order.len() >= patient);
    }
}
