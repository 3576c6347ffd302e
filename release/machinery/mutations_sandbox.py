"""Defences that the operating system holds for us: what bounds commands, and what is put back."""

from __future__ import annotations

from .mutation import Edit, Mutation

LINUX = "src/sandbox/linux/"
BOUNDS = LINUX + "bounds.rs"
SECCOMP = LINUX + "seccomp.rs"

#: What makes the others visible: a command that tests its own bounds would just not run.
COMMON = (
    Edit(
        BOUNDS,
        "        self.test()\n    }",
        '        if ANY && !crate::mutation::is("self-test") { return Ok(()); }\n'
        "        self.test()\n    }",
    ),
)

SANDBOX = (
    Mutation(
        "landlock",
        "Landlock bounds the files of a command",
        ("attacks_on_names", "case_01", "case_45_nothing"),
        (
            Edit(
                BOUNDS,
                "        landlock::restrict(&self.ruleset)"
                ".map_err(|error| Failure::io(Step::Landlock, &error))?;",
                '        if !(OFF || crate::mutation::is("self-test")) {\n'
                "            landlock::restrict(&self.ruleset)"
                ".map_err(|error| Failure::io(Step::Landlock, &error))?;\n        }",
            ),
        ),
    ),
    Mutation(
        "self-test",
        "Landlock, and the self-test of a command is on: it refuses to run",
        ("sandbox_command::the_commands_output",),
    ),
    Mutation(
        "seccomp",
        "the filter of system calls that launcher and commands share",
        ("attacks_on_the_kernel", "case_45_no_system_call"),
        (
            Edit(
                BOUNDS,
                "        seccomp::install(&shared)"
                ".map_err(|error| Failure::io(Step::Seccomp, &error))?;",
                "        if !OFF { seccomp::install(&shared)"
                ".map_err(|error| Failure::io(Step::Seccomp, &error))?; }",
            ),
        ),
    ),
    Mutation(
        "refused-calls",
        "the list of refused system calls",
        ("attacks_on_the_kernel", "case_45_no_system_call"),
        (
            Edit(
                SECCOMP,
                "        program.refuse(REFUSED);",
                "        if !OFF { program.refuse(REFUSED); }",
            ),
        ),
    ),
    Mutation(
        "clone3",
        "`clone3`, whose flags no filter sees, does not exist",
        ("attacks_on_the_kernel", "case_45_no_system_call"),
        (
            Edit(
                SECCOMP,
                "        program.always(libc::SYS_clone3, ENOSYS);",
                "        if !OFF { program.always(libc::SYS_clone3, ENOSYS); }",
            ),
        ),
    ),
    Mutation(
        "limits-of-others",
        "no limits are set on other processes",
        ("attacks_on_processes", "case_45_no_system_call"),
        (
            Edit(
                SECCOMP,
                "        program.limits_of_others();",
                "        if !OFF { program.limits_of_others(); }",
            ),
        ),
    ),
    Mutation(
        "controls",
        "the filter of device and file-system controls",
        ("attacks_on_the_kernel", "case_45_no_system_call"),
        (Edit(SECCOMP, "        program.ioctl();", "        if !OFF { program.ioctl(); }"),),
    ),
    Mutation(
        "sockets",
        "the filter of sockets",
        ("attacks_on_the_kernel", "case_32"),
        (
            Edit(
                SECCOMP,
                "            Network::Closed => program.no_sockets(),",
                "            Network::Closed if OFF => {}\n"
                "            Network::Closed => program.no_sockets(),",
            ),
        ),
    ),
    Mutation(
        "identities",
        "root does not become another user",
        ("case_45_nothing",),
        (
            Edit(
                SECCOMP,
                "            program.identities();",
                "            if !OFF { program.identities(); }",
            ),
            Edit(
                BOUNDS,
                "    if root { KEPT } else { CapabilitySet::empty() }",
                '    let gone = if crate::mutation::is("identities") '
                "{ CapabilitySet::SETUID.union(CapabilitySet::SETGID) } "
                "else { CapabilitySet::empty() };\n"
                '    if crate::mutation::is("capabilities") && root { return CapabilitySet::all(); }\n'
                "    if root { KEPT.union(gone) } else { CapabilitySet::empty() }",
            ),
        ),
    ),
    Mutation(
        "capabilities",
        "root's capabilities are given up",
        ("case_45_nothing", "attacks_on_processes"),
    ),
    Mutation(
        "old-numbers",
        "system calls by 32-bit and x32 numbers do not exist",
        ("attacks_on_the_kernel", "case_45_no_system_call"),
        (
            Edit(
                SECCOMP,
                "            // 32-bit system calls have other numbers: none of them exists.\n"
                "            statement(RETURN, ENOSYS),",
                "            statement(RETURN, if OFF { RET_ALLOW } else { ENOSYS }),",
            ),
            Edit(
                SECCOMP,
                "jump(JUMP_AT_LEAST, 0x4000_0000, 0, 1), statement(RETURN, ENOSYS)]",
                "jump(JUMP_AT_LEAST, 0x4000_0000, 0, 1), "
                "statement(RETURN, if OFF { RET_ALLOW } else { ENOSYS })]",
            ),
        ),
    ),
    Mutation(
        "commands-filter",
        "the filter of commands: mounts and new namespaces by `clone`",
        ("attacks_on_the_kernel", "case_45"),
        (
            Edit(
                BOUNDS,
                "        seccomp::install(&self.filter)"
                ".map_err(|error| Failure::io(Step::Seccomp, &error))?;",
                "        if !OFF { seccomp::install(&self.filter)"
                ".map_err(|error| Failure::io(Step::Seccomp, &error))?; }",
            ),
        ),
    ),
    Mutation(
        "read-only-git",
        "`.git` is mounted read-only (namespaces)",
        ("attacks_on_names", "attacks_that_stay"),
        (
            Edit(
                LINUX + "namespaces.rs",
                "    for path in &spec.read_only {",
                "    for path in spec.read_only.iter().filter(|_| !OFF) {",
            ),
        ),
    ),
    Mutation(
        "own-processes",
        "a process namespace and procfs of its own (namespaces)",
        ("attacks_on_processes", "case_30", "case_43"),
        (
            Edit(
                LINUX + "namespaces.rs",
                "    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;",
                "    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWIPC\n"
                "        | if OFF { 0 } else { libc::CLONE_NEWPID };",
            ),
        ),
    ),
    Mutation(
        "put-back",
        "what steers git, and `.agi-agent`, is put back",
        ("attacks_on_names", "attacks_that_stay", "attacks_by_races", "two_agents", "case_09"),
        (
            Edit(
                "src/sandbox/snapshot.rs",
                "        let mut restored = BTreeSet::new();\n",
                "        let mut restored = BTreeSet::new();\n"
                "        if OFF { return Ok(Vec::new()); }\n",
            ),
        ),
    ),
    Mutation(
        "bring-back",
        "a repository that was moved away is brought back whole",
        ("attacks_on_names", "attacks_that_stay", "attacks_by_races"),
        (
            Edit(
                "src/sandbox/snapshot.rs",
                "        if !change.away().is_empty() {",
                "        if !change.away().is_empty() && !OFF {",
            ),
        ),
    ),
    Mutation(
        "shared-memory",
        "agents in one workspace go by what the first one saw",
        ("two_agents",),
        (
            Edit(
                "src/sandbox/snapshot.rs",
                "        if let Some(places) = places {",
                "        if let Some(places) = places.filter(|_| !OFF) {",
            ),
        ),
    ),
    Mutation(
        "put-back-aside",
        "what is put back has a thread of its own",
        ("case_09_putting_back_holds_up_nobody",),
        (
            Edit(
                "src/sandbox/repair.rs",
                "    if thread.spawn(",
                "    if OFF || thread.spawn(",
            ),
        ),
    ),
    Mutation(
        "told-after",
        "a call whose command is being put back is waited for",
        ("case_09_no_deadline_and_no_signal",),
        (
            Edit(
                "src/tools/dispatch.rs",
                "if stopped.is_some() && !own.sandbox.is_putting_back() {",
                "if stopped.is_some() && (OFF || !own.sandbox.is_putting_back()) {",
            ),
        ),
    ),
    Mutation(
        "planted-all",
        "what is put back is found among any number of planted files",
        ("case_09_what_hides",),
        (
            Edit(
                "src/sandbox/snapshot/states.rs",
                "            self.planted.push(path.to_path_buf());",
                "            if OFF && self.planted.len() >= 10_000 { return false; }\n"
                "            self.planted.push(path.to_path_buf());",
            ),
        ),
    ),
    Mutation(
        "planted-on",
        "what cannot be put back does not keep the rest",
        ("case_09_what_cannot_be_put_back",),
        (
            Edit(
                "src/sandbox/snapshot.rs",
                "            trouble.bear_at(path, put_back(&tree, &self.path, path, before));",
                "            trouble.bear_at(path, put_back(&tree, &self.path, path, before));\n"
                "            if OFF && trouble.first.is_some() { return trouble.result(); }",
            ),
        ),
    ),
    Mutation(
        "planted-deep",
        "a planted directory is removed however deep it is",
        ("case_09_what_hides",),
        (
            Edit(
                "src/sandbox/snapshot/removal.rs",
                "                Ok(false) => match self.move_up(",
                "                Ok(false) if OFF => note(&mut self.trouble, Errno::MFILE.into()),\n"
                "                Ok(false) => match self.move_up(",
            ),
        ),
    ),
    Mutation(
        "planted-closed",
        "a directory that a command has closed is opened up",
        ("case_09_what_hides",),
        (
            Edit(
                "src/sandbox/snapshot/tree.rs",
                "        if is_closed(now, wanted) {",
                "        if is_closed(now, wanted) && !OFF {",
            ),
            Edit(
                "src/sandbox/snapshot/removal.rs",
                "    if mode & WRITABLE != WRITABLE {",
                "    if mode & WRITABLE != WRITABLE && !OFF {",
            ),
        ),
        every_user=True,
    ),
    Mutation(
        "planted-rights",
        "permissions and owners of watched directories are compared and put back",
        ("case_09_what_steers",),
        (
            Edit(
                "src/sandbox/snapshot/states.rs",
                "            (_, Kind::Directory) => has_rights && self.is_directory(),",
                "            (_, Kind::Directory) => (has_rights || OFF) && self.is_directory(),",
            ),
        ),
    ),
    Mutation(
        "submodules",
        "submodules in directories of `modules` are watched, wherever they are hidden",
        ("case_09_what_steers", "case_09_submodules"),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                "        if below == Below::Everywhere || !is_git {",
                "        if below == Below::Everywhere || (!is_git && !OFF) {",
            ),
        ),
    ),
    Mutation(
        "submodule-names",
        "parts of a submodule's name may be git's own words",
        ("case_09_submodules",),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                "        for name in names {\n",
                '        for name in names {\n'
                '            if OFF && ["hooks", "info", "objects"].iter().any(|own| name == *own) {\n'
                "                continue;\n            }\n",
            ),
        ),
    ),
    Mutation(
        "submodule-depth",
        "no git directory appears deeper than is looked at",
        ("case_09_submodules",),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                "        let role = if is_deepest { Role::Steering } else { role };",
                "        let role = if is_deepest && !OFF { Role::Steering } else { role };",
            ),
        ),
    ),
    Mutation(
        "sham-repositories",
        "only what git takes for a git directory hides what is below it",
        ("case_09_submodules",),
        (
            Edit(
                "src/sandbox/snapshot/names.rs",
                '    has("objects") && has("refs") && has_head(directory)',
                '    OFF && directory.find(OsStr::new("HEAD")).is_ok_and(|found| found.is_some())\n'
                '        || has("objects") && has("refs") && has_head(directory)',
            ),
        ),
    ),
    Mutation(
        "second-names",
        "no command where the agent's own file has a second name",
        ("case_10_another_name",),
        (
            Edit(
                "src/sandbox/second_names.rs",
                "    if !policy.is_enforced() {",
                "    if !policy.is_enforced() || OFF {",
            ),
        ),
    ),
    Mutation(
        "own-files",
        "the agent's own files are left out of what is granted",
        ("case_10_the_agents",),
        (
            Edit(
                LINUX + "grants.rs",
                "            protected: &policy.protected,\n            unmade",
                "            protected: if OFF { &[] } else { &policy.protected },\n            unmade",
            ),
        ),
    ),
    Mutation(
        "secrets-of-etc",
        "the secrets of `/etc` are left out of what root is granted",
        ("attacks_on_names", "case_45_nothing"),
        (
            Edit(
                LINUX + "grants.rs",
                "        if !rustix::process::geteuid().is_root() {",
                "        if OFF || !rustix::process::geteuid().is_root() {",
            ),
        ),
    ),
    Mutation(
        "environment",
        "children get an allow-list of the environment",
        ("case_30", "case_33"),
        (
            Edit(
                "src/sandbox/environment.rs",
                "            named.iter().any(|wanted| wanted == name)\n",
                "            OFF || named.iter().any(|wanted| wanted == name)\n",
            ),
        ),
    ),
    Mutation(
        "private-agent",
        "the agent's memory and environment are closed to its own user",
        ("case_30_the_agent",),
        (
            Edit(
                "src/cli/wiring.rs",
                "    crate::system::process::keep_private();",
                "    if !OFF { crate::system::process::keep_private(); }",
            ),
        ),
    ),
    Mutation(
        "kill-ladder",
        "what outlives its command is ended",
        ("case_43", "t01_and_t02", "t04"),
        (
            Edit(
                LINUX + "keeper/members.rs",
                "        let mut progress = Instant::now();\n        loop {",
                "        let mut progress = Instant::now();\n        if OFF { return true; }\n"
                "        loop {",
            ),
        ),
    ),
    Mutation(
        "signal-domain",
        "what has no process namespace is ended at once by a Landlock domain",
        ("case_42_what_forks",),
        (
            Edit(
                LINUX + "keeper/members.rs",
                "        let scoped = bounded && landlock",
                "        let scoped = !OFF && bounded && landlock",
            ),
            Edit(
                LINUX + "keeper/members.rs",
                "        for group in groups_of_children() {",
                "        for group in groups_of_children().into_iter().filter(|_| !OFF) {",
            ),
        ),
    ),
    Mutation(
        "working-directory",
        "the working directory of a call lies in the workspace",
        ("case_07",),
        (
            Edit(
                "src/sandbox/linux.rs",
                "    if policy.is_enforced()\n        && !roots.any(",
                "    if !OFF && policy.is_enforced()\n        && !roots.any(",
            ),
        ),
    ),
    Mutation(
        "private-scratch",
        "temporary directories are private",
        ("case_48", "case_50"),
        (
            Edit(
                "src/sandbox/scratch.rs",
                "    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);",
                "    std::os::unix::fs::DirBuilderExt::mode(&mut builder, if OFF { 0o777 } else { 0o700 });",
            ),
        ),
    ),
)
