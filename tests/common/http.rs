//! As little HTTP as the tests need, written by hand so that they can also send what no client library would.
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{} with a body that is no JSON ({error}): {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }
}

/// Sends the bytes and reads the answer to its end. `None`: the connection failed or was closed without an answer.
pub fn exchange(address: &str, request: &[u8]) -> Option<Reply> {
    let mut reader = open(address, request)?;
    let status = head(&mut reader)?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body).ok()?;
    Some(Reply { status, body })
}

/// A request in HTTP/1.0: the answer is neither chunked nor kept alive.
pub fn request(address: &str, method: &str, path: &str, body: Option<&Value>) -> Option<Reply> {
    exchange(address, &bytes(address, method, path, body))
}

/// The lines of an answer that goes on for as long as the other side sends.
pub fn lines(address: &str, path: &str) -> Option<impl Iterator<Item = String> + use<>> {
    let mut reader = open(address, &bytes(address, "GET", path, None))?;
    match head(&mut reader)? {
        200 => Some(reader.lines().map_while(Result::ok)),
        _ => None,
    }
}

fn bytes(address: &str, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn open(address: &str, request: &[u8]) -> Option<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(super::PATIENCE)).ok()?;
    // A server that refuses early closes before it has read everything; its answer is what counts.
    let _ = stream.write_all(request);
    Some(BufReader::new(stream))
}

fn head(reader: &mut BufReader<TcpStream>) -> Option<u16> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split_whitespace().nth(1)?.parse().ok()?;
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 || line.trim_end().is_empty() {
            return Some(status);
        }
    }
}
