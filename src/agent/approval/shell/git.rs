//! The commands of `git` that a pattern with a wildcard covers: those that neither run another
//! program nor write a file because of what their arguments say.
//!
//! A list of what may be, not of what may not: `git` has a hundred and fifty commands, and each
//! release adds options. What the configuration of the repository, its hooks and its submodules name
//! runs here as it does for the person; docs/approvals.md says so.

use super::Word;

/// Commands that take the same options.
struct Family {
    /// Their names, separated by blanks.
    commands: &'static str,
    /// What the first argument must be where there are arguments that are not options; empty: anything.
    verbs: &'static str,
    /// Letters of options without a value; several may stand in one word.
    flags: &'static str,
    /// Letters of options with a value, glued on or not: they end a group.
    valued: &'static str,
    /// Options by their whole name: git would take `--outp` for `--output`, so nothing is shortened.
    names: &'static [&'static str],
    /// Whether it leaves the working directory's files as they are.
    only_reads: bool,
}

const DIGITS_AND_DIFF: &str = "0123456789puszwbaRrtcmigqEFPWD";

const REVISIONS: &str = "\
    --all --branches --tags --remotes --glob --exclude --not --merges --no-merges --min-parents \
    --max-parents --first-parent --reverse --topo-order --date-order --author-date-order --since \
    --after --until --before --author --committer --grep --invert-grep --all-match \
    --regexp-ignore-case --extended-regexp --fixed-strings --perl-regexp --max-count --skip \
    --full-history --simplify-merges --simplify-by-decoration --ancestry-path --boundary \
    --left-right --left-only --right-only --cherry --cherry-pick --cherry-mark --walk-reflogs \
    --parents --children --count --objects --no-walk --do-walk --sparse --dense --show-pulls \
    --timestamp --abbrev --no-abbrev --abbrev-commit --no-abbrev-commit --oneline --pretty --format \
    --date --relative-date --graph --no-graph --encoding";

const DIFFERENCES: &str = "\
    --patch --no-patch --raw --patch-with-stat --patch-with-raw --stat --shortstat --numstat \
    --dirstat --cumulative --summary --compact-summary --name-only --name-status --unified --minimal \
    --patience --histogram --diff-algorithm --anchored --indent-heuristic --word-diff \
    --word-diff-regex --color-words --color --no-color --color-moved --no-color-moved \
    --color-moved-ws --ignore-all-space --ignore-space-change --ignore-space-at-eol \
    --ignore-blank-lines --ignore-cr-at-eol --ignore-matching-lines --ignore-submodules \
    --function-context --inter-hunk-context --check --exit-code --quiet --find-renames --no-renames \
    --find-copies --find-copies-harder --break-rewrites --irreversible-delete --diff-filter \
    --full-index --binary --text --relative --no-relative --no-prefix --src-prefix --dst-prefix \
    --default-prefix --line-prefix --no-ext-diff --no-textconv --pickaxe-all --pickaxe-regex \
    --cached --staged --merge-base --no-index --base --ours --theirs --cc --combined-all-paths \
    --diff-merges --no-diff-merges --follow --decorate --no-decorate --decorate-refs \
    --decorate-refs-exclude --source --notes --no-notes --show-notes --mailmap --no-mailmap";

const FAMILIES: &[Family] = &[
    Family {
        commands: "log diff show whatchanged reflog rev-list diff-tree diff-index diff-files",
        verbs: "",
        flags: DIGITS_AND_DIFF,
        valued: "UnSGMCBlLI",
        names: &[REVISIONS, DIFFERENCES],
        only_reads: true,
    },
    Family {
        commands: "status",
        verbs: "",
        flags: "sbzv",
        valued: "uM",
        names: &["--short --branch --show-stash --porcelain --long --verbose --untracked-files \
            --ignored --ignore-submodules --column --no-column --ahead-behind --no-ahead-behind \
            --renames --no-renames --find-renames"],
        only_reads: true,
    },
    Family {
        commands: "shortlog",
        verbs: "",
        flags: "nsec",
        valued: "w",
        names: &[REVISIONS, "--numbered --summary --email --group"],
        only_reads: true,
    },
    Family {
        commands: "blame annotate",
        verbs: "",
        flags: "lstfnepwcb",
        valued: "LMC",
        names: &["--root --show-stats --porcelain --line-porcelain --incremental --date --since \
            --first-parent --reverse --abbrev --ignore-rev --color-lines --color-by-age \
            --show-name --show-number --show-email"],
        only_reads: true,
    },
    Family {
        commands: "grep",
        verbs: "",
        flags: "0123456789niIlLcwEFGPvhHoaqpWrz",
        valued: "ABCme",
        names: &[
            "--cached --untracked --no-index --no-exclude-standard --exclude-standard --text \
            --ignore-case --word-regexp --invert-match --full-name --extended-regexp \
            --basic-regexp --perl-regexp --fixed-strings --line-number --column \
            --files-with-matches --name-only --files-without-match --null --only-matching --count \
            --color --no-color --break --heading --show-function --function-context --context \
            --after-context --before-context --max-count --max-depth --recursive --no-recursive \
            --all-match --and --or --not --quiet",
        ],
        only_reads: true,
    },
    Family {
        commands: "rev-parse",
        verbs: "",
        flags: "q",
        valued: "",
        names: &["--verify --quiet --short --abbrev-ref --symbolic --symbolic-full-name --all \
            --branches --tags --remotes --show-toplevel --show-cdup --show-prefix --git-dir \
            --absolute-git-dir --git-common-dir --git-path --is-inside-work-tree \
            --is-inside-git-dir --is-bare-repository --is-shallow-repository --revs-only --no-revs \
            --flags --no-flags --default --sq --not --show-object-format --path-format"],
        only_reads: true,
    },
    Family {
        commands: "ls-files ls-tree",
        verbs: "",
        flags: "cdmosuktvzrl",
        valued: "x",
        names: &["--cached --deleted --modified --others --stage --unmerged --killed --ignored \
            --directory --no-empty-directory --exclude --exclude-standard --error-unmatch \
            --full-name --abbrev --deduplicate --eol --format --name-only --name-status \
            --object-only --long --full-tree"],
        only_reads: true,
    },
    Family {
        commands: "describe merge-base show-ref for-each-ref name-rev cat-file count-objects \
            check-ignore check-attr show-branch cherry var version",
        verbs: "",
        flags: "adsteplvqHhnz",
        valued: "",
        names: &[
            "--all --tags --long --always --contains --match --exclude --abbrev --candidates \
            --exact-match --first-parent --is-ancestor --fork-point --octopus --independent --heads \
            --branches --verify --head --dereference --hash --quiet --count --sort --format --color \
            --points-at --merged --no-merged --no-contains --ignore-case --omit-empty --name-only \
            --refs --verbose --human-readable --no-index --non-matching --list",
        ],
        only_reads: true,
    },
    Family {
        commands: "remote",
        verbs: "get-url",
        flags: "v",
        valued: "",
        names: &["--verbose --all --push"],
        only_reads: true,
    },
    Family {
        commands: "worktree",
        verbs: "list",
        flags: "vz",
        valued: "",
        names: &["--porcelain --verbose"],
        only_reads: true,
    },
    Family {
        commands: "branch tag",
        verbs: "",
        flags: "0123456789alrvqdDmMcCfi",
        valued: "n",
        names: &["--list --all --remotes --verbose --quiet --show-current --merged --no-merged \
            --contains --no-contains --points-at --sort --format --abbrev --no-abbrev --color \
            --no-color --column --no-column --ignore-case --delete --move --copy --force \
            --annotate --message"],
        only_reads: false,
    },
    Family {
        commands: "add",
        verbs: "",
        flags: "AunvfN",
        valued: "",
        names: &["--all --no-all --update --dry-run --verbose --force --intent-to-add --refresh \
            --ignore-errors --ignore-missing --chmod --renormalize --sparse"],
        only_reads: false,
    },
    Family {
        commands: "commit",
        verbs: "",
        flags: "aqvsnoiz",
        valued: "mu",
        names: &["--all --message --amend --no-edit --allow-empty --allow-empty-message --quiet \
            --verbose --signoff --no-signoff --author --date --reset-author --no-verify --dry-run \
            --short --branch --porcelain --long --only --include --untracked-files --no-gpg-sign \
            --cleanup --status --no-status"],
        only_reads: false,
    },
    Family {
        commands: "stash",
        verbs: "list show push pop apply drop",
        flags: "0123456789pukaqS",
        valued: "m",
        names: &[
            "--message --include-untracked --all --keep-index --no-keep-index --staged --index \
            --quiet --patch --stat --name-only --name-status --numstat --shortstat --oneline \
            --only-untracked",
        ],
        only_reads: false,
    },
];

/// Why a pattern with a wildcard does not cover a `git` with these arguments, if it does not.
pub(super) fn refusal(arguments: &[Word]) -> Option<String> {
    let arguments = without_pager(arguments);
    let subcommand = arguments.first()?;
    if !subcommand.fixed || !subcommand.operand {
        return Some("an option stands before the subcommand of `git`".to_owned());
    }
    let name = subcommand.text.as_str();
    let Some(family) = family(name) else {
        return Some(format!(
            "`git {name}` may run or write what its arguments or a repository say"
        ));
    };
    let rest = &arguments[1..];
    let first_is_verb =
        || rest.first().is_some_and(|word| word.fixed && has(family.verbs, &word.text));
    if !family.verbs.is_empty() && rest.iter().any(|word| !is_option(word)) && !first_is_verb() {
        let verbs = family.verbs.replace(' ', "`, `");
        return Some(format!("of `git {name}` only `{verbs}` is known to change nothing else"));
    }
    let mut ended = false;
    let mut before: Option<&Word> = None;
    for word in rest {
        if word.fixed && word.text == "--" {
            // After an option it may be that option's value.
            ended |= before.is_none_or(|word| !is_option(word));
        } else if !ended && is_option(word) && !family.has_option(&word.text) {
            return Some(format!("`{}` may let `git {name}` run or write", word.text));
        }
        before = Some(word);
    }
    None
}

/// Whether it is certain that a `git` with these arguments leaves files and their names as they are.
pub(super) fn only_reads(arguments: &[Word]) -> bool {
    let subcommand = without_pager(arguments).first();
    let family = subcommand.and_then(|word| family(&word.text));
    family.is_some_and(|family| family.only_reads) && refusal(arguments).is_none()
}

/// `--no-pager` is the one option before the subcommand that only takes something away.
fn without_pager(arguments: &[Word]) -> &[Word] {
    match arguments {
        [first, rest @ ..] if first.fixed && first.text == "--no-pager" => rest,
        _ => arguments,
    }
}

fn family(subcommand: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| has(family.commands, subcommand))
}

fn is_option(word: &Word) -> bool {
    word.text.starts_with('-')
}

fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

impl Family {
    fn has_option(&self, text: &str) -> bool {
        if text.starts_with("--") {
            let name = text.split_once('=').map_or(text, |(name, _)| name);
            return self.names.iter().any(|names| has(names, name));
        }
        let letters = &text[1..];
        for letter in letters.chars() {
            if self.valued.contains(letter) {
                return true;
            }
            if !self.flags.contains(letter) {
                return false;
            }
        }
        !letters.is_empty()
    }
}
