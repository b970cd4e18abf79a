//! The one way from a command to reeve's state: the HTTP API's JSON.
//!
//! Beside a daemon it goes over HTTP. Where none runs on this home, the same router is called in process over the
//! home's store; commands cannot tell the difference, and must not try to reach the store any other way.
mod discovery;
mod transport;

pub use discovery::{Access, Connection};

use super::error::CliError;
use super::exit::Exit;
use crate::control::Until;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use transport::{Asker, Body, Transport};

/// The largest answer that is read: a list of 200 objects stays far below it.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// How many objects one request lists at most (Prefect's limit).
const PAGE: usize = 200;

/// How many objects are listed at all; what a terminal or a script can still use.
const MAX_LISTED: usize = 100_000;

/// A connection to the API.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    asker: Asker,
    /// How it was found, where it was looked for.
    connection: Option<Connection>,
}

impl Client {
    /// Finds the API: `--api`, else the daemon of this home, else the home itself.
    ///
    /// # Errors
    /// The address is wrong or nobody answers there; the home is locked by something that does not answer, or
    /// cannot be opened.
    pub async fn connect(connection: &Connection, access: Access) -> Result<Self, CliError> {
        let transport = discovery::find(connection, access).await?;
        Ok(Client { transport, asker: Asker::of_process(), connection: Some(connection.clone()) })
    }

    /// The daemon as it can be found now, maybe at another address; `None` while none answers. Never opens the home itself, which
    /// would keep a daemon that is being started from it.
    ///
    /// # Errors
    /// There is no home or no such address to look at.
    pub async fn find_again(&self) -> Result<Option<Self>, CliError> {
        let transport = match &self.connection {
            Some(connection) => discovery::answering(connection).await?,
            None => Some(self.transport.clone()),
        };
        Ok(transport.map(|transport| Client { transport, ..self.clone() }))
    }

    /// The API at an address, without looking for any other.
    pub fn at(api: &str) -> Result<Self, CliError> {
        Ok(Client { transport: Transport::http(api)?, asker: Asker::of_process(), connection: None })
    }

    /// The API as a router in this process.
    pub fn in_process(router: axum::Router) -> Self {
        Client { transport: Transport::InProcess(router), asker: Asker::default(), connection: None }
    }

    /// The same connection, with a reason for what is changed through it, and its end.
    pub fn because(&self, why: Option<&String>, until: Until) -> Self {
        Client { asker: Asker { why: why.cloned(), until, ..self.asker.clone() }, ..self.clone() }
    }

    /// Whether a daemon answers: without one nothing that is due will start.
    pub fn is_daemon(&self) -> bool {
        matches!(self.transport, Transport::Http { .. })
    }

    /// `http://127.0.0.1:4200`, where the daemon's pages are.
    pub fn pages(&self) -> Option<String> {
        match &self.transport {
            Transport::Http { api, .. } => Some(api.trim_end_matches("/api").to_owned()),
            Transport::InProcess(_) => None,
        }
    }

    pub async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, CliError> {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Result<Value, CliError> {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.call("DELETE", path, None).await
    }

    /// Every object of a list, page by page: `filter` is the body of the request without limit and offset.
    ///
    /// # Errors
    /// Besides what the API refuses: there are more than can be used at once.
    pub async fn list(&self, path: &str, filter: Value) -> Result<Vec<Value>, CliError> {
        let all = self.up_to(path, &filter, MAX_LISTED).await?;
        match all.len() {
            MAX_LISTED.. => Err(CliError::new(format!("there are more than {MAX_LISTED} of them"))
                .hint("narrow the search, or page through the API yourself")),
            _ => Ok(all),
        }
    }

    /// The first objects of a list, at most `most`.
    pub async fn up_to(&self, path: &str, filter: &Value, most: usize) -> Result<Vec<Value>, CliError> {
        let mut all = Vec::new();
        while all.len() < most {
            let wanted = PAGE.min(most - all.len());
            let page = self.page(path, filter, all.len(), wanted).await?;
            let last = page.len() < wanted;
            all.extend(page);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// At most `limit` (up to 200) objects of a list from `offset` on.
    pub async fn page(&self, path: &str, filter: &Value, offset: usize, limit: usize) -> Result<Vec<Value>, CliError> {
        let mut body = filter.clone();
        body["limit"] = json!(limit);
        body["offset"] = json!(offset);
        match self.post(path, body).await? {
            Value::Array(page) => Ok(page),
            _ => Err(unreadable(path, "not a list")),
        }
    }

    /// An answer of newline-delimited JSON, one value at a time, for as long as the other side sends.
    pub async fn stream(&self, path: &str) -> Result<Lines, CliError> {
        let answer = self.transport.send("GET", path, None, &self.asker).await?;
        match answer.status {
            200..300 => Ok(Lines { body: answer.body, buffer: Vec::new(), path: path.to_owned() }),
            status => Err(said_no(status, &read_all(answer.body).await?)),
        }
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> Result<Value, CliError> {
        let answer = self.transport.send(method, path, body, &self.asker).await?;
        let status = answer.status;
        let bytes = read_all(answer.body).await?;
        match status {
            200..300 if bytes.is_empty() => Ok(Value::Null),
            200..300 => serde_json::from_slice(&bytes).map_err(|error| unreadable(path, &error.to_string())),
            _ => Err(said_no(status, &bytes)),
        }
    }
}

/// The values of a stream.
pub struct Lines {
    body: Body,
    buffer: Vec<u8>,
    path: String,
}

impl Lines {
    /// The next value; `None` when the other side has ended the stream. Blank lines (keep-alives) are passed over.
    pub async fn next(&mut self) -> Result<Option<Value>, CliError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| unreadable(&self.path, &error.to_string()));
            }
            if self.buffer.len() > MAX_ANSWER {
                return Err(unreadable(&self.path, "a line without end"));
            }
            match self.body.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// An object of the API as a view that names the fields that are shown.
pub fn view<T: DeserializeOwned>(value: &Value) -> Result<T, CliError> {
    T::deserialize(value).map_err(|error| {
        CliError::because("failed to understand what the API answered", &error)
            .hint("is it a reeve or Prefect server of another version?")
    })
}

/// A path segment, percent-encoded where needed (RFC 3986, section 2.3).
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

async fn read_all(mut body: Body) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(CliError::new("the API's answer is larger than 256 MiB"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The error that an answer other than 2xx is: Prefect's two shapes, else the text.
fn said_no(status: u16, body: &[u8]) -> CliError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = ["detail", "exception_message"].into_iter().find_map(|key| value[key].as_str());
    let mut message = match text {
        Some(text) => text.to_owned(),
        None if body.is_empty() => format!("the API answered with status {status}"),
        None => format!("the API answered with status {status}: {}", String::from_utf8_lossy(body).trim()),
    };
    for detail in value["exception_detail"].as_array().into_iter().flatten() {
        let place = detail["loc"].as_array().map(|parts| parts.iter().map(plain).collect::<Vec<_>>().join("."));
        message += &format!("\n  {}: {}", place.unwrap_or_default(), plain(&detail["msg"]));
    }
    let exit = if status == 403 { Exit::Refused } else { Exit::Error };
    CliError::new(message).with_status(status).with_exit(exit)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn unreadable(path: &str, why: &str) -> CliError {
    CliError::new(format!("failed to understand the API's answer to {path}: {why}"))
        .hint("does something other than reeve listen there? See --api")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        assert_eq!(segment("my flow/ü"), "my%20flow%2F%C3%BC");
    }

    #[test]
    fn both_shapes_of_errors_are_read() {
        let error = said_no(404, br#"{"detail":"Flow run not found"}"#);
        assert_eq!((error.to_string().as_str(), error.is_not_found()), ("Flow run not found", true));
        let body = br#"{"exception_message":"Invalid request received.","exception_detail":[{"loc":["body","name"],"msg":"field required"}]}"#;
        assert_eq!(said_no(422, body).to_string(), "Invalid request received.\n  body.name: field required");
        assert_eq!(said_no(502, b"").to_string(), "the API answered with status 502");
    }
}
