//! An HTTP client of the plainest kind, and what tests of HTTP share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A response, taken apart.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A connection that is kept.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn connect(to: SocketAddr) -> Client {
        Client { stream: TcpStream::connect(to).await.expect("a connection"), buffer: Vec::new() }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("a writable connection");
    }

    /// Sends a request with a body (unless empty) and further header lines, and reads the answer.
    pub async fn ask(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut text = format!("{line} HTTP/1.1\r\n");
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            text.push_str("Host: 127.0.0.1\r\n");
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        // In one piece: a server that refuses by the header alone may close before it has read the
        // rest.
        let _ = self.stream.write_all(&[text.as_bytes(), body].concat()).await;
        self.read(line.starts_with("HEAD ")).await.expect("an answer")
    }

    /// The next answer; `None` when the server has closed.
    pub async fn read(&mut self, head: bool) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.more().await?;
        };
        let text =
            String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("a header in ASCII");
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: BTreeMap<String, String> = lines
            .filter_map(|l| l.split_once(": "))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |l| l.parse().expect("a length"));
        let length = if head { 0 } else { length };
        while self.buffer.len() < length {
            self.more().await?;
        }
        Some(Reply { status, headers, body: self.buffer.drain(..length).collect() })
    }

    async fn more(&mut self) -> Option<()> {
        let mut chunk = [0; 16 * 1024];
        let n = self.stream.read(&mut chunk).await.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..n]);
        (n > 0).then_some(())
    }
}

/// One request on a connection of its own.
pub async fn ask(to: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    Client::connect(to).await.ask(line, headers, body).await
}
