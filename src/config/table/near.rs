//! Did you mean: the known name that a mistyped one is nearest to, and whether it matters.

use super::fields::Field;

/// Names of other programs' settings that grant or limit power: whoever writes one here believes
/// that it holds.
const WORDS_OF_POWER: [&str; 12] = [
    "permission",
    "policy",
    "polici",
    "sandbox",
    "security",
    "trust",
    "managed",
    "hook",
    "rule",
    "allow",
    "deny",
    "deni",
];

/// What an unknown name probably meant.
pub(super) struct Guess {
    pub(super) name: Option<String>,
    /// It grants or limits power.
    pub(super) power: bool,
}

/// Compares a name with those that could stand in its place.
pub(super) fn guess(name: &str, fields: &[Field], root: bool) -> Guess {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let near = closest(name, &names);
    let field = fields.iter().find(|field| Some(field.name) == near.as_deref());
    let lower = name.to_lowercase();
    let sounds = root && WORDS_OF_POWER.iter().any(|word| lower.contains(word));
    Guess { power: sounds || field.is_some_and(|field| field.rules.power), name: near }
}

/// The known word that a typing error is nearest to.
pub fn closest(word: &str, known: &[&str]) -> Option<String> {
    // Nobody mistypes a kilobyte, and the comparison is quadratic.
    if word.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(word);
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| (*candidate).to_owned())
}

#[cfg(test)]
mod tests {
    use super::closest;
    use super::guess;
    use crate::config::table::schema::Config;
    use crate::config::table::schema::ModelConfig;

    #[test]
    fn typing_errors_and_other_spellings() {
        let known = ["max_turns", "timeout", "max_cost"];
        assert_eq!(closest("max_tunrs", &known).as_deref(), Some("max_turns"));
        assert_eq!(closest("maxTurns", &known).as_deref(), Some("max_turns"));
        assert_eq!(closest("something", &known), None);
        assert_eq!(closest(&"x".repeat(100_000), &known), None);
    }

    #[test]
    fn what_limits_power_matters() {
        assert!(guess("aprove", Config::FIELDS, true).power);
        assert!(guess("permissions", Config::FIELDS, true).power);
        assert!(!guess("memroy", Config::FIELDS, true).power);
        assert!(guess("base_ulr", ModelConfig::FIELDS, false).power);
        assert!(!guess("temprature", ModelConfig::FIELDS, false).power);
    }
}
