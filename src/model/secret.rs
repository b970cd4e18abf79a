//! Which names hold secrets, and how what they hold is shown. Values of such names are stored as references, masked wherever they
//! would be shown, and resolved only when a run starts.
use super::JsonMap;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

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

/// Words before `keys` with which these are secrets; else they are names of columns and the like: `required_keys`.
const BEFORE_KEYS: [&str; 10] = ["api", "access", "secret", "private", "auth", "ssh", "gpg", "signing", "encryption", "service"];

/// Last words of names that say where a secret is: `DB_PASSWORD_FILE`.
const PLACES: [&str; 4] = ["file", "path", "dir", "sock"];

/// What is shown in a secret's place.
pub const MASK: &str = "***";

/// Whether a value under this name is taken for a secret: `API_TOKEN`, `dbPassword`, `aws-secret-access-key`. The name's words count,
/// and not its letters: neither `MONKEY` nor `COMPASS` does.
pub fn looks_secret(name: &str) -> bool {
    if !may_be_secret(name.as_bytes()) {
        return false;
    }
    let words: Vec<String> = words(name).collect();
    if words.len() > 1 && words.last().is_some_and(|last| PLACES.contains(&last.as_str())) {
        return false;
    }
    words.iter().enumerate().any(|(index, whole)| {
        let word = whole.trim_end_matches(|c: char| c.is_ascii_digit());
        let singular = word.strip_suffix('s').unwrap_or(word);
        let before = index.checked_sub(1).map(|before| words[before].as_str());
        let is_ordinary = ORDINARY.iter().any(|(of, befores)| *of == singular && before.is_some_and(|before| befores.contains(&before)));
        let is_ordinary = is_ordinary || word == "keys" && !before.is_some_and(|before| BEFORE_KEYS.contains(&before));
        let is_last = index + 1 == words.len() && LAST_WORDS.contains(&word);
        // The shell's own `PWD` and `OLDPWD` are directories.
        let is_directory = word == "pwd" && before.is_none_or(|before| before == "old");
        !is_ordinary
            && ([word, singular].iter().any(|word| WORDS.contains(word)) || is_last && !is_directory || ENDINGS.iter().any(|ending| singular.ends_with(ending)))
    })
}

/// Whether the beginning of one of the words above stands anywhere in a name: nearly all names of a large project end here.
fn may_be_secret(name: &[u8]) -> bool {
    const BEGINNINGS: [&[u8; 3]; 12] = [b"tok", b"pas", b"sec", b"key", b"cre", b"aut", b"bea", b"jwt", b"dsn", b"pri", b"pat", b"pwd"];
    name.windows(3).any(|three| BEGINNINGS.iter().any(|beginning| three.eq_ignore_ascii_case(*beginning)))
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

/// A login of an address without a password is a token from this length on (`https://ghp_...@host/`): names of users are shorter.
const SHORTEST_TOKEN: usize = 20;

/// The value of `{secret: VALUE}`, which marks it as a secret.
pub fn marked(value: &Value) -> Option<&Value> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get("secret").filter(|inner| !inner.is_object() && !inner.is_array())
}

/// The value as people may be shown it: text under a secret-looking name is masked, however deep it lies, and so are passwords in
/// addresses. A placeholder such as `{{ $API_TOKEN }}` says where a secret is and not what it is, so that it is shown.
pub fn masked(secret: bool, value: &Value) -> Value {
    match value {
        Value::String(text) if !secret => Value::String(without_logins(text).into_owned()),
        Value::String(text) if !text.is_empty() && !is_placeholder(text) => Value::String(MASK.to_owned()),
        Value::Array(items) => items.iter().map(|item| masked(secret, item)).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), masked(secret || looks_secret(key), value)));
            Value::Object(entries.collect::<JsonMap>())
        }
        other => other.clone(),
    }
}

/// A map whose keys are names that people choose, as they may be shown it.
pub fn masked_map(map: &JsonMap) -> JsonMap {
    map.iter().map(|(name, value)| (name.clone(), masked(looks_secret(name), value))).collect()
}

fn is_placeholder(text: &str) -> bool {
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("{{") && !inner.contains("}}"))
}

/// Where passwords and tokens stand in the addresses of a text (`https://user:PASSWORD@host/`), in bytes.
pub fn logins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("://").map(|offset| at + offset + 3) {
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>')).unwrap_or(rest.len());
        at = start + end;
        let Some((login, _)) = rest[..end].rsplit_once('@') else { continue };
        let range = match login.split_once(':') {
            Some((user, password)) if !password.is_empty() => start + user.len() + 1..start + login.len(),
            None if login.chars().count() >= SHORTEST_TOKEN => start..start + login.len(),
            _ => continue,
        };
        found.push(range);
    }
    found
}

/// The text with [`MASK`] for the passwords and tokens in its addresses.
pub fn without_logins(text: &str) -> Cow<'_, str> {
    let found = logins(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = text.to_owned();
    found.into_iter().rev().for_each(|range| shown.replace_range(range, MASK));
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_under_a_secret_name_is_masked() {
        let value = json!({"token": "hunter2", "n": {"a": ["x"]}, "api_keys": ["y", 3], "password": "{{ $DB }}", "passwd": "", "AUTH": "{{ a }}x{{ b }}"});
        let shown = json!({"token": MASK, "n": {"a": ["x"]}, "api_keys": [MASK, 3], "password": "{{ $DB }}", "passwd": "", "AUTH": MASK});
        assert_eq!(masked(false, &value), shown);
        assert_eq!(masked(true, &json!("{{ a }}x{{ b }}")), json!(MASK));
        let variables = json!({"env": {"Q": {"secret": "hunter2"}, "URL": "pg://me:hunter2@db/x", "MODE": "fast"}});
        let shown = json!({"env": {"Q": {"secret": MASK}, "URL": "pg://me:***@db/x", "MODE": "fast"}});
        assert_eq!(Value::Object(masked_map(variables.as_object().unwrap())), shown);
    }

    #[test]
    fn passwords_leave_addresses() {
        for (text, shown) in [
            ("https://me:hunter2@host/a", "https://me:***@host/a"),
            ("clone https://me:a@b@host/a and pg://u:p@h", "clone https://me:***@host/a and pg://u:***@h"),
            ("https://ghp_0123456789abcdef0123@host/a", "https://***@host/a"),
            ("redis://:hunter2@host", "redis://:***@host"),
            ("https://me@host/a", "https://me@host/a"),
            ("https://{{ $TOKEN }}@host/a", "https://{{ $TOKEN }}@host/a"),
            ("ssh://git@host:22/a", "ssh://git@host:22/a"),
            ("https://host/a?mail=me:x@host", "https://host/a?mail=me:x@host"),
            ("://", "://"),
        ] {
            assert_eq!(without_logins(text), shown);
        }
    }

    #[test]
    fn a_mark_has_one_key_and_one_value() {
        assert_eq!(marked(&json!({"secret": "x"})), Some(&json!("x")));
        for other in [json!("x"), json!({"secret": "x", "y": 1}), json!({"secret": {}}), json!({"Secret": "x"})] {
            assert_eq!(marked(&other), None);
        }
    }

    #[test]
    fn secret_names_are_known_by_their_words() {
        for name in [
            "API_TOKEN", "API_KEYS", "dbPassword", "aws-secret-access-key", "KEY", "github.token", "AUTH_STRING", "PRIVATE_KEY", "TOKENS", "KEY2", "GITHUBTOKEN",
            "GITHUB_PAT", "PAT", "DB_PASS", "PGPASSWD", "PGPASSWORD", "PASSPHRASE", "SSH_PASSPHRASE", "CREDENTIALS", "AWS_CREDS", "API_KEY", "APIKEY", "SECRET",
            "ACCESS_KEY_ID", "SENTRY_DSN", "MYSQL_PWD", "dbPwd", "AUTH", "BASIC_AUTH", "SSHKey", "APIKey", "accessToken", "DB_PASS2", "SMTP-PASS", "SECRETKEY",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "HOME", "REQUIRED_KEYS", "keys", "MONKEY", "TOKENIZER_PATH", "TOKENIZER", "TOKENIZERS_PARALLELISM", "keyboard", "KEYBOARD", "author", "AUTHORITY", "PATH", "PWD", "OLDPWD",
            "OLD_PWD", "COMPASS", "PASSENGER", "BYPASS", "PASS_THROUGH", "passes", "PATTERN", "PATIENT_ID", "PRIMARY_KEY", "SORT_KEY", "sortKey", "MAX_TOKENS",
            "DB_PASSWORD_FILE", "SSH_AUTH_SOCK", "KEYWORD", "_", "",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
        let all = WORDS.iter().chain(&LAST_WORDS).chain(&ENDINGS);
        assert!(all.into_iter().all(|word| may_be_secret(word.as_bytes()) && looks_secret(&format!("A_{word}"))));
    }
}
