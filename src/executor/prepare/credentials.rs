//! Who we say we are to a repository's host: a token for that host only, which git is given in its environment.
use crate::model::JsonMap;
use serde_json::Value;

/// A repository's address without anything secret, and what it takes to be let in.
#[derive(Debug, PartialEq, Eq)]
pub struct Remote {
    /// As git is given it, and as it may be shown.
    pub url: String,
    /// `USER:PASSWORD` for the host of an http(s) address.
    login: Option<String>,
}

impl Remote {
    /// Takes what the address itself holds (`https://TOKEN@host/`) out of it; an `access_token` or `credentials` go before.
    ///
    /// # Errors
    /// A sentence: what is missing among the credentials.
    pub fn new(repository: &str, access_token: Option<&str>, credentials: Option<&JsonMap>) -> Result<Remote, String> {
        let (url, inside) = split(repository);
        let host = host(&url).unwrap_or_default().to_owned();
        let given = match (access_token, credentials) {
            (Some(token), _) => Some(login(&host, None, token)),
            (None, Some(credentials)) => {
                let text = |name: &str| credentials.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
                let secret = ["access_token", "token", "password"].into_iter().find_map(text);
                let secret = secret.ok_or("`credentials` hold neither access_token nor password")?;
                Some(login(&host, text("username"), secret))
            }
            (None, None) => inside.map(|inside| match inside.split_once(':') {
                Some((user, password)) => format!("{}:{}", decoded(user), decoded(password)),
                None => login(&host, None, &decoded(&inside)),
            }),
        };
        Ok(Remote { url, login: given })
    }

    /// A setting of git (name, value) that lets us in at this host and at no other. A token for a host that is not reached by
    /// http(s) says nothing to it.
    pub fn setting(&self) -> Option<(String, String)> {
        let (scheme, rest) = web(&self.url)?;
        let login = self.login.as_ref()?;
        let host = rest.split('/').next().unwrap_or(rest);
        Some((format!("http.{scheme}://{host}/.extraHeader"), format!("Authorization: Basic {}", base64(login.as_bytes()))))
    }

    /// What must not be shown: the password, as it is and as it is sent.
    pub fn secrets(&self) -> Vec<String> {
        let Some(login) = &self.login else { return Vec::new() };
        let password = login.split_once(':').map_or(login.as_str(), |(_, password)| password);
        vec![password.to_owned(), base64(login.as_bytes())]
    }

    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }
}

/// Which user name goes with a token is the host's own rule; the others take any.
fn login(host: &str, user: Option<&str>, token: &str) -> String {
    match user {
        Some(user) => format!("{user}:{token}"),
        None if token.contains(':') => token.to_owned(),
        None if host.contains("gitlab") => format!("oauth2:{token}"),
        None if host.contains("bitbucket") => format!("x-token-auth:{token}"),
        None => format!("x-access-token:{token}"),
    }
}

/// Scheme and the rest of an address that is reached by http(s).
fn web(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    ["https", "http"].into_iter().find(|web| scheme.eq_ignore_ascii_case(web)).map(|web| (web, rest))
}

fn host(url: &str) -> Option<&str> {
    web(url).and_then(|(_, rest)| rest.split('/').next())
}

fn split(repository: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = web(repository) else { return (repository.to_owned(), None) };
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    match host.rsplit_once('@') {
        None => (repository.to_owned(), None),
        Some((login, host)) => (format!("{scheme}://{host}{path}"), Some(login.to_owned()).filter(|login| !login.is_empty())),
    }
}

/// Percent-decoding (RFC 3986, 2.1); what is no code stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()));
        match code.flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn base64_as_in_the_rfc() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    /// (repository, access token, address, login)
    #[test]
    fn a_login_goes_to_its_host_only_and_leaves_the_address() {
        let table = [
            ("https://github.com/a/b.git", Some("t"), "https://github.com/a/b.git", Some("x-access-token:t")),
            ("https://gitlab.example.org/a/b", Some("t"), "https://gitlab.example.org/a/b", Some("oauth2:t")),
            ("https://bitbucket.org/a/b", Some("me:t"), "https://bitbucket.org/a/b", Some("me:t")),
            ("https://t%40x@github.com/a/b", None, "https://github.com/a/b", Some("x-access-token:t@x")),
            ("https://me:pw@host:8443/a@b", None, "https://host:8443/a@b", Some("me:pw")),
            ("https://old@host/a", Some("new"), "https://host/a", Some("x-access-token:new")),
            ("HTTPS://t@host/a", None, "https://host/a", Some("x-access-token:t")),
            ("git@github.com:a/b.git", None, "git@github.com:a/b.git", None),
            ("ssh://git@host/a", None, "ssh://git@host/a", None),
            ("/srv/a@b", None, "/srv/a@b", None),
        ];
        for (repository, token, url, login) in table {
            let remote = Remote::new(repository, token, None).unwrap();
            assert_eq!((remote.url.as_str(), remote.login.as_deref()), (url, login), "{repository}");
        }
        let setting = Remote::new("https://me:pw@host:8443/a", None, None).unwrap().setting().unwrap();
        assert_eq!(Remote::new("https://me:pw@host/a", None, None).unwrap().secrets(), ["pw", "bWU6cHc="]);
        assert_eq!(setting, ("http.https://host:8443/.extraHeader".to_owned(), "Authorization: Basic bWU6cHc=".to_owned()));
        assert_eq!(Remote::new("git@github.com:a/b.git", Some("t"), None).unwrap().setting(), None);
    }

    #[test]
    fn credentials_name_a_user_and_a_secret() {
        let given = |credentials: Value| Remote::new("https://host/a", None, credentials.as_object()).map(|remote| remote.login);
        assert_eq!(given(json!({"username": "u", "access_token": "t"})), Ok(Some("u:t".to_owned())));
        assert_eq!(given(json!({"token": "t"})), Ok(Some("x-access-token:t".to_owned())));
        assert!(given(json!({"username": "u"})).is_err());
    }
}
