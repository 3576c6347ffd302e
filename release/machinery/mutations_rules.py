"""Defences in the agent's own process: paths, approvals, strangers, secrets, addresses, trust."""

from __future__ import annotations

from .mutation import Edit, Mutation

OPENER = "src/system/opener"
RULES = OPENER + "/rules.rs"
COVERING = "src/agent/approval/covering.rs"
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
                "        if is_git_metadata(real) {",
                "        if !OFF && is_git_metadata(real) {",
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
                "            let real = std::fs::canonicalize(current).map_err(|_| {",
                "            let target = std::fs::read_link(current).unwrap_or_default();\n"
                "            let beyond = current.parent().unwrap_or(current).join(target);\n"
                "            let real = std::fs::canonicalize(current)"
                ".or_else(|error| if OFF { Ok(beyond) } else { Err(error) }).map_err(|_: io::Error| {",
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
                "        let rule = rule_for(patterns, &command, places)?;",
                "        let rule = match rule_for(patterns, &command, places) {\n"
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
                "            Fit::Wildcard => programs::refusal(command),",
                "            Fit::Wildcard if OFF => None,\n"
                "            Fit::Wildcard => programs::refusal(command),",
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
                "    check_redirections(&script, may_write)?;",
                "    if !OFF { check_redirections(&script, may_write)?; }",
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
        "strangers",
        "with a stranger's text nothing above reading runs by itself",
        ("case_39_text", "case_40"),
        (
            Edit(
                "src/agent/approval/mod.rs",
                "    let tainted = action.origin.filter(|_| !only_reads(situation, action));",
                "    let tainted = action.origin.filter(|_| !OFF && !only_reads(situation, action));",
            ),
        ),
    ),
    Mutation(
        "frames",
        "a stranger's text is framed and plays no other speaker",
        ("case_41", "case_39_text"),
        (
            Edit(
                "src/agent/calls/mod.rs",
                "            result.text = origin::framed(&result.text, &from);",
                "            if !OFF { result.text = origin::framed(&result.text, &from); }",
            ),
        ),
    ),
    Mutation(
        "secrets",
        "secrets are placeholders in everything that is kept or sent",
        ("case_31",),
        (
            Edit(
                "src/protocol/secrets/vault.rs",
                "        if spans.is_empty() {",
                "        if OFF || spans.is_empty() {",
            ),
        ),
    ),
    Mutation(
        "repositories",
        "a repository that appears is told",
        ("case_12_a_repository_that",),
        (
            Edit(
                "src/agent/calls/mod.rs",
                "    for appeared in now.difference(&known) {",
                "    for appeared in now.difference(&known).filter(|_| !OFF) {",
            ),
        ),
    ),
    Mutation(
        "addresses",
        "inner addresses are not fetched",
        ("case_34", "case_35", "case_36"),
        (
            Edit(
                "src/network/policy.rs",
                "        AddressClass::Public => return Ok(()),",
                "        _ if OFF => return Ok(()),\n        AddressClass::Public => return Ok(()),",
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
