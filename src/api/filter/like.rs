//! SQL's `ILIKE`, as far as Prefect's filters use it: `%` stands for any text, `_` for one character, case does not count.

/// Whether `text` contains `pattern`.
pub(super) fn contains(text: &str, pattern: &str) -> bool {
    matches(text, &format!("%{pattern}%"))
}

/// Whether `text` begins with `pattern`.
pub(super) fn begins(text: &str, pattern: &str) -> bool {
    matches(text, &format!("{pattern}%"))
}

/// The usual matcher with one point to return to: time is at most length times length, no recursion.
fn matches(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let pattern: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let (mut at, mut in_pattern) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('%') => {
                again = Some((at, in_pattern));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '_' || *wanted == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match again {
                Some((from, star)) => {
                    again = Some((from + 1, star));
                    at = from + 1;
                    in_pattern = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|rest| *rest == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_sqls() {
        for (text, pattern, expected) in [
            ("sad-Marvin-robot", "marvin", true),
            ("marvin", "MARVIN", true),
            ("martin", "marvin", false),
            ("etl_daily", "l_d", true),
            ("etl-daily", "l_d", true),
            ("etl daily", "e%y", true),
            ("etl daily", "y%e", false),
            ("", "", true),
            ("", "a", false),
            ("Straße", "STRASSE", false),
            ("ÄPFEL", "äpf", true),
        ] {
            assert_eq!(contains(text, pattern), expected, "{text} {pattern}");
        }
        assert!(begins("Marvin-robot", "marvin") && !begins("sad-marvin", "marvin"));
    }

    #[test]
    fn a_hostile_pattern_is_quick() {
        let text = "a".repeat(10_000);
        assert!(!contains(&text, &format!("{}b", "%a".repeat(1_000))));
    }
}
