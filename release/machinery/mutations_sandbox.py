"""Defences that the operating system holds for us: what bounds commands."""

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
        ("case_43_whoever_detaches_is_dead_without",),
        (
            Edit(
                LINUX + "keeper/members.rs",
                "        let scoped = bounded && landlock",
                "        let scoped = !OFF && bounded && landlock",
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
