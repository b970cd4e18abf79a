//! Which names hold secrets. Values of such names are stored as references, masked wherever they would be shown, and
//! resolved only when a run starts.

/// Words that mark a name as secret, also in the plural and with a number behind them.
const WORDS: [&str; 10] =
    ["token", "password", "passwd", "passphrase", "secret", "key", "credential", "apikey", "auth", "private"];

/// Those that mark it also at the end of a longer word: `GITHUBTOKEN`, but not `MONKEY`.
const ENDINGS: [&str; 5] = ["token", "password", "secret", "credential", "apikey"];

/// What is shown in a secret's place.
pub const MASK: &str = "***";

/// Whether a value under this name is taken for a secret: `API_TOKEN`, `dbPassword`, `aws-secret-access-key`.
pub fn looks_secret(name: &str) -> bool {
    parts(name).any(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let word = word.strip_suffix('s').unwrap_or(word);
        WORDS.contains(&word) || ENDINGS.iter().any(|ending| word.ends_with(ending))
    })
}

fn parts(name: &str) -> impl Iterator<Item = String> {
    let mut parts = vec![String::new()];
    let mut after_lower = false;
    for character in name.chars() {
        let begins = character.is_uppercase() && after_lower;
        if !character.is_alphanumeric() || begins {
            parts.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(character.to_lowercase());
        }
        after_lower = character.is_lowercase() || character.is_numeric();
    }
    parts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::looks_secret;

    #[test]
    fn secret_names_are_known_by_their_words() {
        for name in ["API_TOKEN", "dbPassword", "aws-secret-access-key", "KEY", "github.token", "AUTH_STRING", "PRIVATE_KEY", "TOKENS", "KEY2", "GITHUBTOKEN"] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["HOME", "MONKEY", "TOKENIZER_PATH", "keyboard", "author", "PATH", "PWD", ""] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
