//! What children see of the environment: an allow-list, and nothing that carries secrets or code.

use std::ffi::OsString;

use crate::config::env::Environment;
use crate::protocol::secrets::has_secret;
use crate::protocol::secrets::is_secret_name;

/// Passed on as they are.
const ALLOWED: [&str; 13] = [
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "USER",
    "LOGNAME",
    "SHELL",
    "TZ",
    "SOURCE_DATE_EPOCH",
    "SYSTEMROOT",
];

/// Names that make a program load or run something.
const LOADERS: [&str; 14] = [
    "LD_",
    "DYLD_",
    "PYTHON",
    "GIT_",
    "PERL5",
    "RUBYOPT",
    "NODE_OPTIONS",
    "BASH_ENV",
    "BASH_FUNC_",
    "ENV",
    "IFS",
    "PROMPT_COMMAND",
    "JAVA_TOOL_OPTIONS",
    "GCONV_PATH",
];

/// The variables of `environment` that children get. `named`: further names the person asked for
/// (`--env NAME`), which win over the patterns, since that is the person's word.
pub fn for_children(environment: &Environment, named: &[String]) -> Vec<(OsString, OsString)> {
    environment
        .all()
        .filter(|(name, value)| {
            let Some(name) = name.to_str() else { return false };
            named.iter().any(|wanted| wanted == name)
                || (is_allowed(name) && !value.to_str().is_some_and(has_secret))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether children get a variable of this name without anybody asking for it, whatever its value.
pub fn is_allowed(name: &str) -> bool {
    (ALLOWED.contains(&name) || name.starts_with("LC_"))
        && !is_loader(name)
        && !is_secret_name(name)
}

/// Whether a variable makes programs load or run something.
pub fn is_loader(name: &str) -> bool {
    LOADERS.iter().any(|prefix| match *prefix {
        "ENV" | "IFS" => name == *prefix,
        prefix => name.starts_with(prefix),
    })
}

#[cfg(test)]
mod tests {
    use super::for_children;
    use crate::config::env::Environment;

    #[test]
    fn only_listed_names_pass_and_the_persons_word_wins() {
        let environment = Environment::from_pairs([
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("LC_API_TOKEN", "x"),
            ("LC_URL", "https://ada:hunter2@example.org"),
            ("OPENAI_API_KEY", "x"),
            ("LD_PRELOAD", "x"),
            ("BASH_ENV", "x"),
            ("ENV", "x"),
            ("GIT_SSH_COMMAND", "x"),
            ("PYTHONPATH", "x"),
            ("CI", "1"),
            ("DEPLOY_TOKEN", "x"),
        ]);
        let names = |named: &[&str]| -> Vec<String> {
            let named: Vec<String> = named.iter().map(ToString::to_string).collect();
            let found = for_children(&environment, &named);
            found.into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
        };
        assert_eq!(names(&[]), ["LC_ALL", "PATH"]);
        assert_eq!(names(&["CI", "DEPLOY_TOKEN"]), ["CI", "DEPLOY_TOKEN", "LC_ALL", "PATH"]);
    }
}
