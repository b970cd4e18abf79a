//! Which names hold secrets, and how what they hold is shown. Values of such names are stored as references, masked wherever they
//! would be shown, and resolved only when a run starts.

/// Words that mark a name as secret wherever they stand in it, also in the plural and with a number behind them.
const WORDS: [&str; 17] = [
    "token", "password", "passwd", "passphrase", "secret", "key", "credential", "cred", "apikey", "auth", "authorization", "bearer", "jwt",
    "dsn", "private", "passcode", "pgpass",
];

/// Those that mark it only as its last word: `DB_PASS`, but not `PASS_THROUGH`.
const LAST_WORDS: [&str; 3] = ["pass", "pat", "pwd"];

/// Those that mark it also at the end of a longer word: `GITHUBTOKEN`, but not `MONKEY`.
const ENDINGS: [&str; 10] =
    ["token", "password", "passwd", "passphrase", "secret", "credential", "apikey", "accesskey", "secretkey", "privatekey"];

/// Words before `key` and `tokens` with which they are ordinary words: `SORT_KEY`, `MAX_TOKENS`.
const ORDINARY: [(&str, &[&str]); 2] = [
    ("key", &["primary", "foreign", "sort", "sorting", "partition", "public", "cache", "group", "unique", "natural", "index", "row"]),
    ("token", &["max", "min", "num"]),
];

/// Last words of names that say where a secret is: `DB_PASSWORD_FILE`.
const PLACES: [&str; 4] = ["file", "path", "dir", "sock"];

/// What is shown in a secret's place.
pub const MASK: &str = "***";

/// Whether a value under this name is taken for a secret: `API_TOKEN`, `dbPassword`, `aws-secret-access-key`. The name's words count,
/// and not its letters: neither `MONKEY` nor `COMPASS` does.
pub fn looks_secret(name: &str) -> bool {
    let words: Vec<String> = words(name).collect();
    if words.len() > 1 && words.last().is_some_and(|last| PLACES.contains(&last.as_str())) {
        return false;
    }
    words.iter().enumerate().any(|(index, whole)| {
        let word = whole.trim_end_matches(|c: char| c.is_ascii_digit());
        let singular = word.strip_suffix('s').unwrap_or(word);
        let before = index.checked_sub(1).map(|before| words[before].as_str());
        let is_ordinary = ORDINARY.iter().any(|(of, befores)| *of == singular && before.is_some_and(|before| befores.contains(&before)));
        let is_last = index + 1 == words.len() && LAST_WORDS.contains(&word);
        // The shell's own `PWD` and `OLDPWD` are directories.
        let is_directory = word == "pwd" && before.is_none_or(|before| before == "old");
        !is_ordinary
            && (WORDS.contains(&singular) || is_last && !is_directory || ENDINGS.iter().any(|ending| singular.ends_with(ending)))
    })
}

/// The words of a name in lower case, parted at what is no letter or digit and at camel case: `SSHKey` has two.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut characters = name.chars().peekable();
    let (mut after_lower, mut after_upper) = (false, false);
    while let Some(character) = characters.next() {
        let upper = character.is_uppercase();
        let next_lower = characters.peek().is_some_and(|next| next.is_lowercase());
        if !character.is_alphanumeric() || upper && (after_lower || after_upper && next_lower) {
            words.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
        (after_lower, after_upper) = (character.is_lowercase() || character.is_numeric(), upper);
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_known_by_their_words() {
        for name in [
            "API_TOKEN", "dbPassword", "aws-secret-access-key", "KEY", "github.token", "AUTH_STRING", "PRIVATE_KEY", "TOKENS", "KEY2", "GITHUBTOKEN",
            "GITHUB_PAT", "PAT", "DB_PASS", "PGPASSWD", "PGPASSWORD", "PASSPHRASE", "SSH_PASSPHRASE", "CREDENTIALS", "AWS_CREDS", "API_KEY", "APIKEY", "SECRET",
            "ACCESS_KEY_ID", "SENTRY_DSN", "MYSQL_PWD", "dbPwd", "AUTH", "BASIC_AUTH", "SSHKey", "APIKey", "accessToken", "DB_PASS2", "SMTP-PASS", "SECRETKEY",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "HOME", "MONKEY", "TOKENIZER_PATH", "TOKENIZER", "TOKENIZERS_PARALLELISM", "keyboard", "KEYBOARD", "author", "AUTHORITY", "PATH", "PWD", "OLDPWD",
            "OLD_PWD", "COMPASS", "PASSENGER", "BYPASS", "PASS_THROUGH", "passes", "PATTERN", "PATIENT_ID", "PRIMARY_KEY", "SORT_KEY", "sortKey", "MAX_TOKENS",
            "DB_PASSWORD_FILE", "SSH_AUTH_SOCK", "KEYWORD", "_", "",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
