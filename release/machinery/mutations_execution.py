"""Defences around what runs: ends, limits, order, the way to the network, files that are written."""

from __future__ import annotations

from .mutation import Edit, Mutation

LINUX = "src/sandbox/linux/"
SUPERVISE = LINUX + "keeper/supervise.rs"
TREE = LINUX + "limits/tree.rs"
OUTLET = "src/network/outlet/"

EXECUTION = (
    Mutation(
        "held-pipes",
        "who holds a command's output after its end is not waited for",
        ("t01_and_t02",),
        (
            Edit(
                LINUX + "capture.rs",
                "tokio::time::timeout(DRAIN, all)",
                "tokio::time::timeout(if OFF { Duration::from_secs(4) } else { DRAIN }, all)",
            ),
        ),
    ),
    Mutation(
        "last-signal",
        "what ignores SIGTERM gets SIGKILL",
        ("t04",),
        (
            Edit(
                SUPERVISE,
                "        let expired = deadline.is_some_and(",
                "        let expired = !OFF && deadline.is_some_and(",
            ),
        ),
    ),
    Mutation(
        "orphans",
        "commands end at once when the agent is gone",
        ("t10",),
        (
            # Bounded, so that a test leaves nothing behind for good.
            Edit(
                SUPERVISE,
                "        let expired = ",
                "        if OFF && told && order.is_none() { std::thread::sleep(Duration::from_secs(4)); }\n"
                "        let expired = ",
            ),
            Edit(
                LINUX + "keeper/members.rs",
                "        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;\n"
                "        Ok(Self(Bond::Namespace))",
                "        if !OFF { rustix::process::set_parent_process_death_signal"
                "(Some(Signal::KILL))?; }\n"
                "        Ok(Self(Bond::Namespace))",
            ),
        ),
    ),
    Mutation(
        "kept-output",
        "of what a command prints, head and tail are kept",
        ("t06", "t07"),
        (
            Edit(
                "src/sandbox/command.rs",
                "        let half = (limit / 2).max(1);",
                "        let half = if OFF { 40 << 20 } else { (limit / 2).max(1) };",
            ),
        ),
    ),
    Mutation(
        "order-of-calls",
        "calls that touch the same thing wait for each other",
        ("t08",),
        (
            Edit(
                "src/tools/schedule.rs",
                "        let blocker = self.index.blocker(number, &entry.claim);",
                "        let blocker = self.index.blocker(number, &entry.claim).filter(|_| !OFF);",
            ),
        ),
    ),
    Mutation(
        "one-end",
        "each item that was begun has one end, however the run ends",
        ("t09",),
        (
            Edit(
                "src/agent/calls/mod.rs",
                "        CallEvent::Ended { index, outcome } => {",
                "        CallEvent::Ended { outcome, .. }\n"
                "            if OFF && outcome.status == ItemStatus::Cancelled => {}\n"
                "        CallEvent::Ended { index, outcome } => {",
            ),
            Edit(
                "src/agent/events.rs",
                "    pub(super) fn end_all(&self, status: ItemStatus) {",
                "    pub(super) fn end_all(&self, status: ItemStatus) {\n"
                "        if OFF { return; }",
            ),
        ),
    ),
    Mutation(
        "kernel-limits",
        "the kernel limits each process: memory, processor time, open files",
        ("each_limit_holds",),
        (
            Edit(
                LINUX + "limits/mod.rs",
                "    for (resource, wanted) in wanted {",
                "    // Not the size of files: disks are small.\n"
                "    for (resource, wanted) in wanted.into_iter()"
                ".filter(|(it, _)| !OFF || *it == Resource::Fsize) {",
            ),
        ),
    ),
    Mutation(
        "memory-together",
        "the memory of all processes of a command counts together",
        ("each_limit_holds",),
        (
            Edit(
                TREE,
                "        if !exceeds(own) && !doubtful {",
                "        if OFF || !exceeds(own) && !doubtful {",
            ),
        ),
    ),
    Mutation(
        "memory-shared",
        "shared memory counts, mapped or only open",
        ("each_limit_holds",),
        (
            Edit(
                TREE,
                "        let few = members.len() <= FEW;",
                "        let few = !OFF && members.len() <= FEW;",
            ),
        ),
    ),
    Mutation(
        "left-overs",
        "what killed agents left is removed",
        ("case_48_what_a_killed", "what_a_killed_agent_left"),
        (
            Edit(
                "src/sandbox/scratch.rs",
                "        if unique.as_u128().is_multiple_of(SWEEPERS) {",
                "        if !OFF && unique.as_u128().is_multiple_of(SWEEPERS) {",
            ),
        ),
    ),
    Mutation(
        "left-over-links",
        "a link with the name of a left-over is left alone",
        ("case_48_what_a_killed",),
        (
            Edit(
                "src/sandbox/scratch.rs",
                "    let Ok(directory) = rustix::fs::openat(place, name, DIRECTORY, Mode::empty()) else {",
                "    let flags = if OFF { DIRECTORY.difference(OFlags::NOFOLLOW) } else { DIRECTORY };\n"
                "    let Ok(directory) = rustix::fs::openat(place, name, flags, Mode::empty()) else {",
            ),
        ),
    ),
    Mutation(
        "input",
        "a command gets no descriptor but a pipe",
        ("no_descriptor_but_a_pipe",),
        (
            Edit(
                "src/sandbox/command/input.rs",
                "    if kind != FileType::Fifo || !is_readable_only {",
                "    if !OFF && (kind != FileType::Fifo || !is_readable_only) {",
            ),
        ),
    ),
    Mutation(
        "terminals",
        "what others have written drives no terminal",
        ("what_a_file_holds_drives", "the_question_shows", "case_41"),
        (
            Edit(
                "src/system/visible.rs",
                "    if !text.chars().any(is_hidden) {",
                "    if OFF || !text.chars().any(is_hidden) {",
            ),
        ),
    ),
    Mutation(
        "half-a-page",
        "half a page is no page",
        ("t18_half_a_page",),
        (
            Edit(
                "src/network/response.rs",
                "            let portion = portion?;\n            let room",
                "            if OFF && portion.is_err() { break; }\n"
                "            let portion = portion?;\n            let room",
            ),
        ),
    ),
    Mutation(
        "whole-files",
        "of what cannot be written whole nothing is left",
        ("t18_a_file_that",),
        (
            Edit(
                "src/system/opener/unix/replacing.rs",
                "    if !matches!(named, Ok(true)) {",
                "    if !OFF && !matches!(named, Ok(true)) {",
            ),
        ),
    ),
    Mutation(
        "one-writer",
        "writers of one directory take turns, and a change in between is noticed",
        ("writes_at_once::",),
        (
            Edit(
                "src/files/changing/write.rs",
                "        let turn = opener.exclusive(path, &|| cancel.is_cancelled());",
                "        let turn = if OFF { Ok(None) } else {\n"
                "            opener.exclusive(path, &|| cancel.is_cancelled()).map(Some)\n        };",
            ),
            Edit(
                "src/system/opener/unix/replacing.rs",
                "    match expected {\n        Expected::Anything => {}",
                "    match expected {\n        _ if OFF => {}\n        Expected::Anything => {}",
            ),
        ),
    ),
    Mutation(
        "one-session",
        "one run at a time writes a session",
        ("session_lease::",),
        (
            Edit(
                "src/memory/lease.rs",
                "                Err(TryLockError::WouldBlock) => {",
                "                Err(TryLockError::WouldBlock) if OFF => return Ok(None),\n"
                "                Err(TryLockError::WouldBlock) => {",
            ),
        ),
    ),
    Mutation(
        "forbidden",
        "`--forbid` holds when its command says no, and at nothing else",
        ("a_forbidden_command",),
        (
            Edit(
                "src/agent/conditions.rs",
                "        DID_NOT => Ok(()),",
                "        _ if OFF => Ok(()),\n        DID_NOT => Ok(()),",
            ),
        ),
    ),
)

HOSTS = (
    Mutation(
        "addresses",
        "inner addresses are not fetched",
        ("case_34", "case_35", "case_36", "a_wildcard_opens"),
        (
            Edit(
                "src/network/policy.rs",
                "        AddressClass::Public => return Ok(()),",
                "        _ if OFF => return Ok(()),\n        AddressClass::Public => return Ok(()),",
            ),
        ),
    ),
    Mutation(
        "hosts",
        "commands reach the hosts that `--net` names",
        ("a_refused_host_is", "the_tools_say_what"),
        (
            Edit(
                OUTLET + "road.rs",
                "            Covered::No => Err(",
                "            Covered::No if !OFF => Err(",
            ),
        ),
    ),
    Mutation(
        "streams-only",
        "beside a proxy commands have streams of TCP and no other socket",
        ("nothing_leads_around",),
        (
            Edit(
                LINUX + "seccomp.rs",
                "            Network::Proxy(_) => program.streams_only(),",
                "            Network::Proxy(_) if OFF => {}\n"
                "            Network::Proxy(_) => program.streams_only(),",
            ),
        ),
    ),
    Mutation(
        "proxys-port",
        "commands connect to the proxy's port and listen nowhere",
        ("nothing_leads_around",),
        (
            Edit(
                LINUX + "landlock.rs",
                "        handled_net: if abi >= 4 && network != Network::Open {",
                "        handled_net: if !OFF && abi >= 4 && network != Network::Open {",
            ),
            Edit(
                LINUX + "landlock.rs",
                "        && abi >= 4\n    {",
                "        && abi >= 4 && !OFF\n    {",
            ),
        ),
    ),
    Mutation(
        "share-of-the-proxy",
        "one command leaves connections to others",
        ("hosts_share::",),
        (
            Edit(
                OUTLET + "mod.rs",
                "        if !command.has_room(road.bounds.share) {",
                "        if !OFF && !command.has_room(road.bounds.share) {",
            ),
        ),
    ),
    Mutation(
        "pages-in-bounds",
        "pages have a bound, decompressed",
        ("case_37",),
        (
            Edit(
                "src/tools/web_fetch.rs",
                "            let body = response.body.head(limit).await;",
                "            let limit = if OFF { 64 << 20 } else { limit };\n"
                "            let body = response.body.head(limit).await;",
            ),
        ),
    ),
    Mutation(
        "checked-addresses",
        "what is connected to is what was checked, though the name changes",
        ("case_35",),
        (
            Edit(
                "src/network/client.rs",
                "        let builder = match url.host() {",
                "        if OFF { return built(builder.dns_resolver(Arc::new(SystemResolver))); }\n"
                "        let builder = match url.host() {",
            ),
        ),
    ),
)
