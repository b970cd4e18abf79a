//! How a request travels: over HTTP, or straight into the router of this process. Nothing else differs.
use super::super::error::CliError;
use crate::control::Until;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use axum::body::{Bytes, HttpBody};
use serde_json::Value;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tower::ServiceExt;

/// How long a connection may take to be made; an answer may take as long as the work does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub enum Transport {
    /// `api` is the base address with `/api` at its end.
    Http { http: reqwest::Client, api: String },
    InProcess(axum::Router),
}

/// Who asks, why, and for how long: stands in the records of what is changed.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    pub who: Option<String>,
    pub why: Option<String>,
    /// When it ends by itself.
    pub until: Until,
}

impl Asker {
    /// The user of this process.
    pub fn of_process() -> Self {
        let named = |name: &str| std::env::var(name).ok().filter(|user| !user.is_empty());
        let who = named("USER").or_else(|| named("LOGNAME")).or_else(|| Some(format!("user {}", rustix::process::getuid().as_raw())));
        Asker { who, why: None, until: Until::Unsaid }
    }

    /// As headers; what no header can hold is left out.
    fn headers(&self) -> impl Iterator<Item = (&'static str, axum::http::HeaderValue)> {
        let until = match self.until {
            Until::Unsaid => None,
            Until::Never => Some("never".to_owned()),
            Until::At(at) => Some(at.to_string()),
        };
        let all = [("reeve-author", self.who.clone()), ("reeve-reason", self.why.clone()), ("reeve-until", until)];
        let plain = |text: &str| text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect::<String>();
        all.into_iter().filter_map(move |(name, text)| Some((name, axum::http::HeaderValue::from_bytes(plain(text.as_deref()?).as_bytes()).ok()?)))
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Body,
}

pub enum Body {
    Http(Box<reqwest::Response>),
    InProcess(axum::body::Body),
}

impl Transport {
    /// # Errors
    /// The address is not one, or TLS cannot be set up.
    pub fn http(api: &str) -> Result<Self, CliError> {
        Transport::http_with(api, None)
    }

    /// The same with a bearer token.
    ///
    /// # Errors
    /// Besides: everybody on the way could read the token.
    pub fn http_with(api: &str, token: Option<String>) -> Result<Self, CliError> {
        let api = base_address(api)?;
        if token.is_some() && api.scheme() != "https" && !is_loopback(&api) {
            return Err(CliError::new(format!("a token would go to {api} in the clear")).hint("use an https address, a tunnel to this host, or unset REEVE_API_KEY and PREFECT_API_KEY"));
        }
        // A second installation answers with the provider that is there already: either way there is one now.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("reeve/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&api) {
            // A proxy cannot reach this host's loopback, and must not be asked to.
            builder = builder.no_proxy();
        }
        if let Some(token) = token {
            let unusable = |error| CliError::because("the token in REEVE_API_KEY or PREFECT_API_KEY cannot be sent", &error);
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(unusable)?;
            value.set_sensitive(true);
            builder = builder.default_headers(HeaderMap::from_iter([(AUTHORIZATION, value)]));
        }
        let http = builder.build().map_err(|error| CliError::because("failed to set up the HTTP client", &error))?;
        Ok(Transport::Http { http, api: api.as_str().trim_end_matches('/').to_owned() })
    }

    /// # Errors
    /// Nobody answers. An answer that says no is not an error here.
    pub async fn send(&self, method: &'static str, path: &str, body: Option<Value>, asker: &Asker) -> Result<Answer, CliError> {
        match self {
            Transport::Http { http, api } => over_http(http, api, method, path, body, asker).await,
            Transport::InProcess(router) => in_process(router, method, path, body, asker).await,
        }
    }
}

impl Body {
    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CliError> {
        match self {
            Body::Http(response) => {
                response.chunk().await.map_err(|error| CliError::at_root("the connection to the API broke", &error).unreachable())
            }
            Body::InProcess(body) => loop {
                match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(CliError::because("failed to read the answer", &error)),
                    // Trailers carry no data.
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Ok(Some(data));
                        }
                    }
                }
            },
        }
    }
}

async fn over_http(
    http: &reqwest::Client,
    api: &str,
    method: &'static str,
    path: &str,
    body: Option<Value>,
    asker: &Asker,
) -> Result<Answer, CliError> {
    let url = format!("{api}{path}");
    let mut request = match method {
        "POST" => http.post(&url),
        "PATCH" => http.patch(&url),
        "DELETE" => http.delete(&url),
        _ => http.get(&url),
    };
    for (name, value) in asker.headers() {
        request = request.header(name, value);
    }
    if let Some(body) = &body {
        request = request.json(body);
    }
    let response = request.send().await.map_err(|error| {
        CliError::at_root(format!("failed to reach the API at {api}"), &error).hint("does a daemon run there? `reeve daemon` starts one").unreachable()
    })?;
    Ok(Answer { status: response.status().as_u16(), body: Body::Http(Box::new(response)) })
}

async fn in_process(
    router: &axum::Router,
    method: &'static str,
    path: &str,
    body: Option<Value>,
    asker: &Asker,
) -> Result<Answer, CliError> {
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(format!("/api{path}"))
        .header("host", "localhost")
        .header("user-agent", concat!("reeve/", env!("CARGO_PKG_VERSION")));
    for (name, value) in asker.headers() {
        request = request.header(name, value);
    }
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(axum::body::Body::from(body.to_string())),
        None => request.body(axum::body::Body::empty()),
    };
    let request = request.map_err(|error| CliError::because("failed to write the request", &error))?;
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    Ok(Answer { status: head.status.as_u16(), body: Body::InProcess(body) })
}

/// `http://host:4200` and `http://host:4200/api/` both mean `http://host:4200/api`.
fn base_address(text: &str) -> Result<reqwest::Url, CliError> {
    let wrong = |why: String| {
        CliError::new(format!("`{text}` is not the address of an API: {why}"))
            .hint("it looks like http://127.0.0.1:4200/api")
    };
    let mut url = reqwest::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("expected http:// or https:// and a host".to_owned()));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { "/api" } else { &path });
    Ok(url)
}

fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_and_checked() {
        for (text, expected) in [
            ("http://127.0.0.1:4200", Some("http://127.0.0.1:4200/api")),
            ("http://host:4200/api/", Some("http://host:4200/api")),
            ("https://host/reeve/api", Some("https://host/reeve/api")),
            ("127.0.0.1:4200", None),
            ("ftp://host", None),
            ("host", None),
        ] {
            assert_eq!(base_address(text).ok().map(|url| url.to_string()).as_deref(), expected, "{text}");
        }
    }
}
