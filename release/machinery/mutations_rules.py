"""Defences in the agent's own process: paths, approvals, trust."""

from __future__ import annotations

from .mutation import Edit, Mutation

OPENER = "src/system/opener"
RULES = OPENER + "/rules.rs"
COVERING = "src/agent/approval/covering.rs"
LIST = "src/agent/approval/rules.rs"
CONSENT = "src/agent/approval/consent.rs"
#: The fuzzer's judge of the resolver of paths, over what the fuzzer has kept.
PATHS = ("corpus::paths",)

RULES_AND_TOOLS = (
    Mutation(
        "write-roots",
        "file tools write below what may be written",
        ("case_01", "case_05", "case_11"),
        (
            Edit(
                RULES,
                "        if !self.write.iter().any(|root| real.starts_with(root)) {",
                "        if !OFF && !self.write.iter().any(|root| real.starts_with(root)) {",
            ),
        ),
        judges=PATHS,
    ),
    Mutation(
        "read-roots",
        "file tools read below what may be read",
        ("case_01", "case_05"),
        (
            Edit(
                RULES,
                "        if self.read.iter().chain(&self.write).any(|root| real.starts_with(root)) {",
                "        if OFF || self.read.iter().chain(&self.write).any(|root| real.starts_with(root)) {",
            ),
        ),
        judges=PATHS,
    ),
    Mutation(
        "own-files-of-tools",
        "file tools leave the agent's own files alone",
        ("case_10_the_agents",),
        (
            Edit(
                RULES,
                "        if self.protected.iter().any(|root| is_below_ignoring_case(real, root))",
                "        if !OFF && self.protected.iter().any(|root| is_below_ignoring_case(real, root))",
            ),
        ),
    ),
    Mutation(
        "git-names",
        "file tools refuse git's own files in every spelling",
        ("case_05", "case_09_what"),
        (
            Edit(
                RULES,
                "        if is_git_metadata(real) || self",
                "        if !OFF && is_git_metadata(real) || self",
            ),
        ),
        judges=PATHS,
    ),
    Mutation(
        "agent-names",
        "file tools refuse a project's `.agi-agent`",
        ("case_09_what",),
        (
            Edit(
                RULES,
                "        if is_agent_directory(real) {",
                "        if !OFF && is_agent_directory(real) {",
            ),
        ),
    ),
    Mutation(
        "swapped-links",
        "what is opened is the real path that was judged, no link followed",
        ("case_02",),
        (
            Edit(
                OPENER + "/unix.rs",
                "    use rustix::fs::ResolveFlags;\n",
                "    use rustix::fs::ResolveFlags;\n    if OFF {\n"
                "        return Ok(rustix::fs::open(real, flags | OFlags::CLOEXEC, Mode::empty())?);\n"
                "    }\n",
            ),
        ),
    ),
    Mutation(
        "dangling-links",
        "nothing is written through a link to nothing",
        ("case_03",),
        (
            Edit(
                OPENER + ".rs",
                "            let real = std::fs::canonicalize(current).map_err(|_| match access {",
                "            let target = std::fs::read_link(current).unwrap_or_default();\n"
                "            let beyond = current.parent().unwrap_or(current).join(target);\n"
                "            let real = std::fs::canonicalize(current)"
                ".or_else(|error| if OFF { Ok(beyond) } else { Err(error) })\n"
                ".map_err(|_: io::Error| match access {",
            ),
        ),
    ),
    Mutation(
        "hard-links",
        "file tools do not write a file that has another name",
        ("case_04",),
        (
            Edit(
                OPENER + "/unix.rs",
                "        if self.stat.st_nlink <= 1 {",
                "        if OFF || self.stat.st_nlink <= 1 {",
            ),
        ),
    ),
    Mutation(
        "later",
        "whoever is asked is told that a file runs later",
        ("case_11",),
        (
            Edit(
                "src/tools/file.rs",
                "pub(super) fn later_note(path: &Path) -> String {",
                "pub(super) fn later_note(path: &Path) -> String {\n"
                "    if OFF { return String::new(); }",
            ),
        ),
    ),
    Mutation(
        "every-command",
        "an allow rule has to cover each command of a text",
        ("case_21", "case_25", "case_26"),
        (
            Edit(
                COVERING,
                "        let rule = rule_for(patterns, command, surroundings.places)?;",
                "        let rule = match rule_for(patterns, command, surroundings.places) {\n"
                "            Err(_) if OFF => continue,\n            rule => rule?,\n        };",
            ),
        ),
    ),
    Mutation(
        "whole-words",
        "a pattern ends at a word",
        ("case_22",),
        (
            Edit(
                COVERING,
                "    let mut words = words.iter();\n    let mut pattern_words",
                '    let joined = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");\n'
                "    if OFF && joined.starts_with(pattern.trim_end_matches([' ', '*'])) "
                "{ return Some(Fit::Wildcard); }\n"
                "    let mut words = words.iter();\n    let mut pattern_words",
            ),
        ),
    ),
    Mutation(
        "runners",
        "a wildcard covers no program that runs others by its options",
        ("case_23", "case_24"),
        (
            Edit(
                COVERING,
                "            Fit::Wildcard => programs::refusal(command).or",
                "            Fit::Wildcard if OFF => None,\n"
                "            Fit::Wildcard => programs::refusal(command).or",
            ),
        ),
    ),
    Mutation(
        "variables",
        "a command that sets variables is not covered",
        ("case_24",),
        (
            Edit(
                COVERING,
                "script.variables.iter().find(|name| !is_harmless_variable(name)) {",
                "script.variables.iter().find(|name| !OFF && !is_harmless_variable(name)) {",
            ),
        ),
    ),
    Mutation(
        "wrappers",
        "wrappers are taken off",
        ("case_25",),
        (
            Edit(
                "src/agent/approval/shell/unwrap.rs",
                '        "nohup" | "setsid" => ',
                '        _ if OFF => return None,\n        "nohup" | "setsid" => ',
            ),
        ),
    ),
    Mutation(
        "redirections",
        "a redirection needs a rule of its own",
        ("case_27",),
        (
            Edit(
                COVERING,
                "    check_redirections(&script, &commands, surroundings.may_write)?;",
                "    if !OFF { check_redirections(&script, &commands, surroundings.may_write)?; }",
            ),
        ),
    ),
    Mutation(
        "programs-outside",
        "a program of the workspace is not the one a rule means",
        ("case_28",),
        (
            Edit(
                COVERING,
                "    !places.writable.iter().any(|place| real.starts_with(place) || directory.starts_with(place))",
                "    OFF || !places.writable.iter().any("
                "|place| real.starts_with(place) || directory.starts_with(place))",
            ),
        ),
    ),
    Mutation(
        "real-programs",
        "a wildcard covers no other program behind a link either",
        ("case_23_a_link_to",),
        (
            Edit(
                COVERING,
                "    let name = &command.words.first()?.text;\n    let file",
                "    if OFF { return None; }\n"
                "    let name = &command.words.first()?.text;\n    let file",
            ),
        ),
    ),
    Mutation(
        "git-list",
        "of `git` a wildcard covers what is on a list",
        ("case_23_git", "case_23_programs"),
        (
            Edit(
                "src/agent/approval/shell/git.rs",
                "    let arguments = without_pager(arguments);\n    let subcommand",
                "    if OFF { return None; }\n"
                "    let arguments = without_pager(arguments);\n    let subcommand",
            ),
        ),
    ),
    Mutation(
        "rules-at-home",
        "rules for commands hold in the workspace's directory",
        ("a_rule_does_not_follow",),
        (
            Edit(
                COVERING,
                "    check_directory(&commands, surroundings.is_elsewhere)?;",
                "    if !OFF { check_directory(&commands, surroundings.is_elsewhere)?; }",
            ),
            Edit(
                LIST,
                "        self.cwd != self.root\n",
                "        !OFF && self.cwd != self.root\n",
            ),
        ),
    ),
    Mutation(
        "made-links",
        "nothing beside a redirection may change where it leads",
        ("a_link_that_is_made_first",),
        (
            Edit(
                COVERING,
                "commands.iter().find(|command| !keeps(command)) {",
                "commands.iter().find(|command| !OFF && !keeps(command)) {",
            ),
        ),
    ),
    Mutation(
        "same-files",
        "what a rule lets a call write is looked at again when the call starts",
        ("a_link_that_is_made_first",),
        (
            Edit(
                CONSENT,
                "Ok(same_files(prepared, &target)),",
                "Ok(same_files(prepared, &target).filter(|_| !OFF)),",
            ),
        ),
    ),
    Mutation(
        "denied-names",
        "a deny rule holds for each name of a file",
        ("case_06",),
        (
            Edit(
                LIST,
                "target.names.iter().any(|name| rule.may_cover(name, target))",
                "target.names.iter().take(if OFF { 1 } else { usize::MAX })"
                ".any(|name| rule.may_cover(name, target))",
            ),
        ),
    ),
    Mutation(
        "denied-commands",
        "a deny rule finds its program wherever in a command it hides",
        ("a_deny_rule_finds",),
        (
            Edit(
                LIST,
                "            return command_may_match(pattern, name) ||",
                "            return !OFF && command_may_match(pattern, name) || !OFF &&",
            ),
        ),
    ),
    Mutation(
        "nobody-asked",
        "where nobody can be asked, what needs a yes is declined",
        ("case_26", "case_39_text"),
        (
            Edit(
                "src/agent/approval/mod.rs",
                '    Decision::Deny { reason: format!("{why}, and nobody can be asked") }',
                "    if OFF { return Decision::Allow { reason: String::new(), by_rule: false }; }\n"
                '    Decision::Deny { reason: format!("{why}, and nobody can be asked") }',
            ),
        ),
    ),
    Mutation(
        "typed-ahead",
        "what was typed before the question answers nothing",
        ("what_was_typed_before",),
        (
            Edit(
                "src/cli/task/approve.rs",
                "            discard_typed_ahead();",
                "            if !OFF { discard_typed_ahead(); }",
            ),
        ),
    ),
    Mutation(
        "bond",
        "a yes is void once directory or files are others",
        ("case_8_",),
        (
            Edit(
                "src/agent/approval/bond.rs",
                "    pub fn check(&self) -> Result<(), String> {",
                "    pub fn check(&self) -> Result<(), String> {\n        if OFF { return Ok(()); }",
            ),
        ),
    ),
    Mutation(
        "repositories",
        "a repository that appears is told",
        ("case_12_a_repository_that",),
        (
            Edit(
                "src/sandbox/git/obeyed.rs",
                "        let appeared = now.layouts.difference(&self.layouts).map(",
                "        let appeared = now.layouts.difference(&self.layouts).filter(|_| !OFF).map(",
            ),
        ),
    ),
    Mutation(
        "trust",
        "a project's settings count once they are trusted as they are",
        ("config_trust::",),
        (
            Edit(
                "src/config/load.rs",
                "            let standing = if trusted {",
                "            let standing = if trusted || OFF {",
            ),
        ),
    ),
    Mutation(
        "nested-trust",
        "a repository inside another has a trust of its own",
        ("case_18",),
        (
            Edit(
                "src/config/project/mod.rs",
                "        if is_home || std::fs::symlink_metadata",
                "        if is_home || !OFF && std::fs::symlink_metadata",
            ),
        ),
    ),
    Mutation(
        "trusted-content",
        "trust is bound to the content",
        ("case_19",),
        (
            Edit(
                "src/config/project/trust.rs",
                "record.directory == project.directory && record.content == *hash)",
                "record.directory == project.directory && (OFF || record.content == *hash))",
            ),
        ),
    ),
)
