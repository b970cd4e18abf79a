//! Who may talk to a server that can start programs: Host and Origin, checked on every request.
//!
//! A page on some web site can make its reader's browser call a server on loopback. It cannot choose `Origin`, and where it reaches us
//! through a name of its own (DNS rebinding) it cannot choose `Host`: so both must name this host. No route is exempt.
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The names under which this server may be called: those of loopback always, with any port.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed_hosts: Arc<[String]>,
}

impl Guard {
    /// Only loopback: `localhost`, `127.0.0.0/8`, `[::1]`.
    pub fn loopback() -> Self {
        Guard::default()
    }

    /// Loopback, and these names or addresses (without a port; IPv6 without brackets).
    pub fn with_hosts(hosts: impl IntoIterator<Item = String>) -> Self {
        Guard { allowed_hosts: hosts.into_iter().collect() }
    }

    fn allows(&self, host: &str) -> bool {
        is_loopback(host) || self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(bare(host)))
    }

    /// Whether a request with this target and these headers may pass.
    fn examine(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(_), Some(_)) => return Err("there are two Host headers".to_owned()),
            (Some(host), None) => Some(authority(host.as_bytes()).ok_or("the Host header is not a host name or address")?),
            (None, _) => None,
        };
        // A request line may name a host of its own; then both must be ours.
        let hosts = [host.as_ref(), uri.authority()];
        if hosts.iter().all(Option::is_none) {
            return Err("there is no Host header".to_owned());
        }
        if let Some(foreign) = hosts.into_iter().flatten().find(|host| !self.allows(host.host())) {
            return Err(format!("the Host {:?} is not this server's", foreign.host()));
        }
        for origin in headers.get_all(header::ORIGIN) {
            self.examine_origin(origin.as_bytes(), host.as_ref().or(uri.authority()))?;
        }
        Ok(())
    }

    fn examine_origin(&self, origin: &[u8], host: Option<&Authority>) -> Result<(), String> {
        let shown = String::from_utf8_lossy(origin);
        let refused = || format!("the Origin {shown:?} is another site");
        let (scheme, rest) = shown.split_once("://").ok_or_else(refused)?;
        if scheme != "http" && scheme != "https" {
            return Err(refused());
        }
        let origin = authority(rest.as_bytes()).ok_or_else(refused)?;
        let same = host.is_some_and(|host| {
            host.host().eq_ignore_ascii_case(origin.host()) && host.port_u16() == origin.port_u16()
        });
        if same || is_loopback(origin.host()) { Ok(()) } else { Err(refused()) }
    }
}

/// The middleware. Refuses with 403 and a sentence that says what to do.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.examine(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            let advice = "call it as http://localhost or http://127.0.0.1 with its port, from this host";
            ApiError::detail(StatusCode::FORBIDDEN, format!("request refused: {reason}; {advice}")).into_response()
        }
    }
}

fn authority(bytes: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(bytes).ok()?;
    let (host, whole) = (authority.host(), authority.as_str());
    // The parser takes anything for a port, `localhost:80.evil.example` among it.
    let is_plain = whole.len() == host.len() || authority.port_u16().is_some();
    (is_plain && !whole.contains('@') && !host.is_empty()).then_some(authority)
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare(host).parse::<Ipv6Addr>().is_ok_and(|address| IpAddr::V6(address).to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn verdict(guard: &Guard, uri: &str, host: &[&str], origin: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in host {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        for origin in origin {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        guard.examine(&uri.parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn only_loopback_names_pass() {
        let guard = Guard::loopback();
        for host in ["localhost", "LocalHost:4200", "127.0.0.1:4200", "127.9.8.7", "[::1]:4200", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(verdict(&guard, "/api/health", &[host], &[]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "0.0.0.0:4200", "[::]", "a@localhost", "localhost@evil.example", "127.1", "2130706433", "localhost:80.evil.example", "localhost:", "localhost:99999"] {
            assert!(!verdict(&guard, "/api/health", &[host], &[]), "{host}");
        }
        assert!(!verdict(&guard, "/api/health", &[], &[]), "no host at all");
        assert!(!verdict(&guard, "/api/health", &["localhost", "localhost"], &[]), "two hosts");
        assert!(!verdict(&guard, "http://evil.example/api/health", &["localhost"], &[]), "two names");
        assert!(verdict(&guard, "http://localhost:1/api/health", &["localhost"], &[]));
    }

    #[test]
    fn an_origin_must_be_ours() {
        let guard = Guard::with_hosts(["reeve.lan".to_owned()]);
        for (host, origin, passes) in [
            ("localhost:4200", "http://localhost:4200", true),
            ("localhost:4200", "http://127.0.0.1:5173", true),
            ("reeve.lan:4200", "http://reeve.lan:4200", true),
            ("reeve.lan:4200", "http://reeve.lan:80", false),
            ("localhost:4200", "https://evil.example", false),
            ("localhost:4200", "null", false),
            ("localhost:4200", "file://localhost", false),
            ("localhost:4200", "http://localhost:4200.evil.example", false),
            ("localhost:4200", "", false),
        ] {
            assert_eq!(verdict(&guard, "/api/health", &[host], &[origin]), passes, "{host} {origin}");
        }
        assert!(!verdict(&guard, "/", &["localhost"], &["http://localhost", "http://evil.example"]));
    }
}
