"""Defences of secrets, and against what strangers' text asks for."""

from __future__ import annotations

from .mutation import Edit, Mutation

CONCEALED = "src/agent/concealed.rs"
FORMS = "src/protocol/secrets/forms.rs"
VAULT = "src/protocol/secrets/vault.rs"
SECRECY = "src/tools/secrecy.rs"
ORIGIN = "src/agent/calls/origin.rs"

#: A value that is known stands nowhere, whoever has written it.
SAID = ("case_31_a_value_in_a_call",)

SECRETS = (
    Mutation(
        "secrets",
        "secrets are placeholders in everything that is kept or sent",
        ("case_31",),
        (
            Edit(
                VAULT,
                "        if spans.is_empty() {\n            return Cow::Borrowed(text);",
                "        if OFF || spans.is_empty() {\n            return Cow::Borrowed(text);",
            ),
        ),
    ),
    Mutation(
        "secrets-by-form",
        "what has the form of a secret is one",
        ("case_31_no_canary",),
        (
            Edit(
                VAULT,
                "        let found = patterns::find(text).into_iter();",
                "        let found = patterns::find(text).into_iter().filter(|_| !OFF);",
            ),
        ),
    ),
    Mutation(
        "secrets-by-form-encoded",
        "what has the form of a secret is one when it is encoded, too",
        ("case_30_encoded_secrets_are_found_by_their_form",),
        (
            Edit(
                VAULT,
                "        spans.extend(encoded::find(text));",
                "        if !OFF { spans.extend(encoded::find(text)); }",
            ),
        ),
    ),
    Mutation(
        "secrets-encoded",
        "known secrets are found encoded and backwards",
        ("case_30_encoded_secrets_are_found_and",),
        (
            Edit(
                FORMS,
                "        if !texts.iter().any(|(_, known)| *known == text) {",
                "        if !OFF && !texts.iter().any(|(_, known)| *known == text) {",
            ),
        ),
    ),
    Mutation(
        "secrets-wrapped",
        "known secrets are found across line ends",
        ("case_30_encoded_secrets_are_found_and",),
        (
            Edit(
                FORMS,
                "    if text.contains('\\n') {",
                "    if text.contains('\\n') && !OFF {",
            ),
        ),
    ),
    Mutation(
        "secrets-in-dumps",
        "known secrets are found in dumps and as escapes of each character",
        ("case_30_a_value_is_found_in_dumps",),
        (
            Edit(
                FORMS,
                "    if forms.iter().any(|form| form.is_digits) {",
                "    if forms.iter().any(|form| form.is_digits) && !OFF {",
            ),
        ),
    ),
    Mutation(
        "secrets-in-pieces",
        "live output waits for the end of its line",
        ("case_30_encoded_secrets_are_found_and",),
        (
            Edit(
                SECRECY,
                "        self.waiting.push_str(piece);",
                "        if OFF { return Some(vault.conceal(piece, None).into_owned()); }\n"
                "        self.waiting.push_str(piece);",
            ),
        ),
    ),
    Mutation(
        "secrets-in-events",
        "known values stand in no event",
        SAID,
        (
            Edit(
                CONCEALED,
                "pub(super) fn in_event(vault: &Vault, event: &mut Event) {",
                "pub(super) fn in_event(vault: &Vault, event: &mut Event) {\n"
                "    if OFF { return; }",
            ),
        ),
    ),
    Mutation(
        "secrets-in-outcomes",
        "known values stand in no result of a run",
        ("case_31_a_condition",),
        (
            Edit(
                CONCEALED,
                "pub(super) fn in_outcome(vault: &Vault, outcome: &mut Outcome) {",
                "pub(super) fn in_outcome(vault: &Vault, outcome: &mut Outcome) {\n"
                "    if OFF { return; }",
            ),
        ),
    ),
    Mutation(
        "secrets-in-calls",
        "calls are kept and sent back without known values",
        SAID,
        (
            Edit(
                CONCEALED,
                "        Part::ToolCall(call) => Part::ToolCall(vault.conceal_call(call)),",
                "        Part::ToolCall(call) if !OFF => Part::ToolCall(vault.conceal_call(call)),",
            ),
        ),
    ),
    Mutation(
        "secrets-in-results",
        "what a result quotes of its call has no known values",
        SAID,
        (
            Edit(
                CONCEALED,
                "pub(super) fn in_result(vault: &Vault, result: &mut ToolResult) {",
                "pub(super) fn in_result(vault: &Vault, result: &mut ToolResult) {\n"
                "    if OFF { return; }",
            ),
        ),
    ),
    Mutation(
        "secrets-in-thoughts",
        "a thought with a known value is not stored",
        SAID,
        (
            Edit(
                CONCEALED,
                "    if !message.parts.iter().any(holds) {",
                "    if OFF || !message.parts.iter().any(holds) {",
            ),
        ),
    ),
    Mutation(
        "secrets-in-memory",
        "no known value is remembered",
        SAID,
        (
            Edit(
                SECRECY,
                "            if effect == Effect::Remember && vault",
                "            if !OFF && effect == Effect::Remember && vault",
            ),
        ),
    ),
    Mutation(
        "secrets-in-questions",
        "who is asked sees no known value",
        ("case_31_a_question_shows",),
        (
            Edit(
                "src/agent/approval/consent.rs",
                "        Some(vault) => vault.conceal_said(text).into_owned(),",
                "        Some(vault) if !OFF => vault.conceal_said(text).into_owned(),\n"
                "        Some(_) => text.to_owned(),",
            ),
        ),
    ),
    Mutation(
        "placeholders-restored",
        "what is written gets its values back",
        ("case_31_a_copy", "case_31_what_runs_has"),
        (
            Edit(
                SECRECY,
                "                *text = vault.restore(text, only)?;\n                Ok(())",
                '                if crate::mutation::is("placeholders-restored") { return Ok(()); }\n'
                "                *text = match vault.restore(text, only) {\n"
                "                    Err(crate::protocol::secrets::Misplaced::Unknown(_))"
                ' if crate::mutation::is("placeholders-unknown") => text.clone(),\n'
                "                    restored => restored?,\n                };\n"
                "                Ok(())",
            ),
        ),
    ),
    Mutation(
        "placeholders-unknown",
        "no placeholder without a value is written (the switch is beside `placeholders-restored`)",
        ("case_31_no_canary",),
    ),
    Mutation(
        "placeholders-foreign",
        "with a stranger's text a secret goes back into its own file only",
        ("case_39_a_strangers_wish",),
        (
            Edit(
                SECRECY,
                "            let only = context.origin.as_ref().map(|_| file.as_str());",
                "            let only = context.origin.as_ref().filter(|_| !OFF).map(|_| file.as_str());",
            ),
        ),
    ),
    Mutation(
        "placeholders-run",
        "no command has a placeholder in it",
        ("case_31_no_canary",),
        (
            Edit(
                SECRECY,
                "                None => Ok(()),\n                Some(placeholder) => Err(",
                "                None => Ok(()),\n                Some(_) if OFF => Ok(()),\n"
                "                Some(placeholder) => Err(",
            ),
        ),
    ),
    Mutation(
        "placeholders-forged",
        "what only looks like a placeholder stands for itself",
        ("case_31_what_looks_like_a_placeholder",),
        (
            Edit(
                VAULT,
                "        if literals {\n",
                "        if literals && !OFF {\n",
            ),
        ),
    ),
)

STRANGERS = (
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
        "marks-of-files",
        "a file from outside is a stranger's text",
        ("case_39_text", "case_40"),
        (
            Edit(
                ORIGIN,
                "    (!inside).then(|| target.to_owned())",
                "    (!inside && !OFF).then(|| target.to_owned())",
            ),
        ),
    ),
    Mutation(
        "marks-of-the-proxy",
        "what a command was connected to marks its output, however it is spelled",
        ("case_39_what_a_command_brings",),
        (
            Edit(
                ORIGIN,
                "    if outcome.reached.is_some() {",
                "    if outcome.reached.is_some() && !OFF {",
            ),
        ),
    ),
    Mutation(
        "marks-of-the-network",
        "with the whole network every command's output is marked",
        ("case_39_what_a_command_brings",),
        (
            Edit(
                ORIGIN,
                "    if policy.net == NetRule::All {",
                "    if policy.net == NetRule::All && !OFF {",
            ),
        ),
    ),
    Mutation(
        "marks-of-riddles",
        "a command that does not tell what it reads is marked where it may read outside",
        ("case_39_a_command_that_may_read",),
        (
            Edit(
                ORIGIN,
                "            .or_else(|| of_riddle(&outcome.target, places))",
                "            .or_else(|| of_riddle(&outcome.target, places).filter(|_| !OFF))",
            ),
        ),
    ),
    Mutation(
        "marks-of-notes",
        "what is remembered from a stranger's text is untrusted",
        ("case_40_what",),
        (
            Edit(
                "src/tools/memory_add.rs",
                "Some(if context.origin.is_some() {",
                "Some(if context.origin.is_some() && !OFF {",
            ),
        ),
    ),
    Mutation(
        "marks-of-recall",
        "a recalled note that is untrusted marks the run",
        ("case_40_what",),
        (
            Edit(
                "src/agent/context/recall.rs",
                "    let untrusted = hits.iter().find(|hit| hit.item.trust == Trust::Untrusted);",
                "    let untrusted = hits.iter()"
                ".find(|hit| !OFF && hit.item.trust == Trust::Untrusted);",
            ),
        ),
    ),
    Mutation(
        "marks-of-searches",
        "a note that is found and untrusted marks the run",
        ("case_40_what",),
        (
            Edit(
                ORIGIN,
                "    marked.then(|| ",
                "    (marked && !OFF).then(|| ",
            ),
        ),
    ),
    Mutation(
        "marks-of-sessions",
        "a continued conversation stays marked",
        ("case_40_a_continued",),
        (
            Edit(
                "src/agent/state.rs",
                "        let origin = origin::of_conversation(&history);",
                "        let origin = origin::of_conversation(&history).filter(|_| !OFF);",
            ),
        ),
    ),
)
