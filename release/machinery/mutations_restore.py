"""Defences that hold after a command: what it must not have changed is put back."""

from __future__ import annotations

from .mutation import Edit, Mutation

RESTORE = (
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
                "    if thread.spawn(move || take(&theirs).map(|job| job())).is_err()",
                "    if (OFF || thread.spawn(move || take(&theirs).map(|job| job())).is_err())",
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
                "            trouble.bear_at(path, put_back(&tree, top, path, before));",
                "            trouble.bear_at(path, put_back(&tree, top, path, before));\n"
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
                "        for name in names {\n"
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
        "large-files",
        "protected files that memory does not hold are copied",
        ("case_09_large_files", "case_09_copies"),
        (
            Edit(
                "src/sandbox/snapshot/states.rs",
                "            Some(store) if size <= self.bounds.copies => {",
                "            Some(store) if size <= self.bounds.copies && !OFF => {",
            ),
            Edit(
                "src/sandbox/snapshot/states.rs",
                "            Err(source) if self.bounds.exposed || found.has_other_names => {",
                "            Err(source)\n"
                "                if (self.bounds.exposed || found.has_other_names)\n"
                '                    && !crate::mutation::is("too-large") && !OFF =>\n'
                "            {",
            ),
        ),
    ),
    Mutation(
        "too-large",
        "no command runs that could write what cannot be kept (the switch is beside `large-files`)",
        ("case_09_what_is_too_large",),
    ),
    Mutation(
        "rebase-list",
        "a list of programs that a rebase would run is watched",
        ("case_09_old_remotes",),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                "            && names::rebase_runs_programs(&directory)\n",
                "            && !OFF && names::rebase_runs_programs(&directory)\n",
            ),
        ),
    ),
    Mutation(
        "attributes",
        "commands set no attributes of files (access lists)",
        ("case_09_no_attributes",),
        (
            Edit(
                "src/sandbox/linux/seccomp.rs",
                "        program.refuse_as(ATTRIBUTES, EOPNOTSUPP);",
                "        if !OFF { program.refuse_as(ATTRIBUTES, EOPNOTSUPP); }",
            ),
        ),
    ),
    Mutation(
        "git-elsewhere",
        "git directories that are not the workspace's `.git` are protected",
        ("case_09_git_directories", "case_09_file_tools"),
        (
            Edit(
                "src/sandbox/policy.rs",
                "            git: directories::of(&write),",
                "            git: if OFF { Vec::new() } else { directories::of(&write) },",
            ),
        ),
    ),
    Mutation(
        "git-links",
        "a link in place of `.git` is followed",
        ("case_09_git_directories",),
        (
            Edit(
                "src/sandbox/git/directories.rs",
                "        path.canonicalize().ok()\n",
                "        path.canonicalize().ok().filter(|_| !OFF)\n",
            ),
        ),
    ),
    Mutation(
        "git-pointers",
        "`.git` files of submodules and worktrees are put back",
        ("case_09_git_directories",),
        (
            Edit(
                "src/sandbox/snapshot/pointers.rs",
                "        path.starts_with(top)\n",
                "        !OFF && path.starts_with(top)\n",
            ),
        ),
    ),
    Mutation(
        "git-head",
        "a `.git/HEAD` that is none is put back",
        ("case_09_git_directories",),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                '            self.meet(&directory, &path.join("HEAD"), Role::Head);',
                '            if !OFF { self.meet(&directory, &path.join("HEAD"), Role::Head); }',
            ),
        ),
    ),
    Mutation(
        "git-refs",
        "`.git/refs` is put back",
        ("case_09_git_directories",),
        (
            Edit(
                "src/sandbox/snapshot/survey.rs",
                '            self.meet(&directory, &path.join("refs"), Role::Container);',
                '            if !OFF { self.meet(&directory, &path.join("refs"), Role::Container); }',
            ),
        ),
    ),
    Mutation(
        "git-included",
        "files that git's configuration includes are put back",
        ("case_09_git_directories",),
        (
            Edit(
                "src/sandbox/snapshot/included.rs",
                "            let includes = is_config",
                "            let includes = !OFF && is_config",
            ),
        ),
    ),
    Mutation(
        "git-included-tools",
        "file tools write no file that git's configuration includes",
        ("case_09_file_tools",),
        (
            Edit(
                "src/sandbox/policy.rs",
                ".chain(&self.included)",
                ".chain(self.included.iter().filter(|_| !OFF))",
            ),
        ),
    ),
    Mutation(
        "git-obeyed",
        "files that git goes by are told when they change",
        ("case_12_what_a_later", "case_12_tools_that_write"),
        (
            Edit(
                "src/sandbox/git/obeyed.rs",
                "            .filter(|(_, _, file)| !other",
                "            .filter(|(_, _, file)| !OFF && !other",
            ),
        ),
    ),
    Mutation(
        "git-nested",
        "what steers a nested repository is told when it changes",
        ("case_12_what_a_later",),
        (
            Edit(
                "src/sandbox/git/obeyed.rs",
                "repository.filter(|_| !is_own)",
                "repository.filter(|_| !is_own && !OFF)",
            ),
        ),
    ),
    Mutation(
        "git-bare-beside",
        "a bare layout beside a `.git` is told",
        ("case_12_what_a_later",),
        (
            Edit(
                "src/sandbox/git/layouts.rs",
                "    [has_git, bare == BARE.len()]",
                "    [has_git, bare == BARE.len() && !(OFF && has_git)]",
            ),
        ),
    ),
)
