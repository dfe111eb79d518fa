//! `hushwing rpc`: JSON-RPC 2.0, one JSON a line, on stdin and stdout. See docs/rpc.md.

mod request;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use settings::ProfileArgs;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use wire::ErrorKind;

use self::request::{INVALID, PARSE, failed, methods, parse};
use super::args_profile::RpcArgs;
use super::profile::options;
use crate::engine::profile::{Client, Command, Event, Refusal, Reply, code_of};
use crate::exit::Failure;

/// Longest line, bytes.
const MAX_LINE: usize = 1 << 20;
/// Lines that are worked on at once; stdin waits when there are more. Below what the engine's queue
/// holds: a command of an earlier line comes before one of a later line.
const AT_ONCE: usize = 128;
/// Lines that stdout may be behind.
const BEHIND: usize = 1_024;
/// How long the end may take: open answers, and messages on their way to the hub.
const PATIENCE: Duration = Duration::from_secs(10);

/// The JSON schema of all that is said here.
///
/// # Errors
/// Never, unless the schema is no JSON.
pub fn schema() -> Result<String, Failure> {
    #[derive(Serialize)]
    struct All {
        command: schemars::Schema,
        reply: schemars::Schema,
        event: schemars::Schema,
    }
    let all = All {
        command: schemars::schema_for!(Command),
        reply: schemars::schema_for!(Reply),
        event: schemars::schema_for!(Event),
    };
    serde_json::to_string_pretty(&all)
        .map_err(|_| Failure::new(ErrorKind::Bug, "the schema is no JSON", "please report this"))
}

/// Serves until stdin ends.
///
/// # Errors
/// Those of opening the profile; stdout gone.
pub async fn run(at: &ProfileArgs, args: RpcArgs) -> Result<(), Failure> {
    if args.schema {
        return super::profile::show::out(&schema()?);
    }
    let (client, events) = Client::open(options(at, args.create.into())).await?;
    let client = Arc::new(client);
    let (out, lines) = mpsc::channel(BEHIND);
    let writer = tokio::spawn(write(lines));
    let forward = tokio::spawn(forward(events, out.clone()));
    let server = Server { client: Arc::clone(&client), methods: Arc::new(methods()), out };
    let done = tokio::select! {
        () = server.serve(BufReader::new(tokio::io::stdin())) => Ok(()),
        () = server.out.closed() => Err(Failure::stdout(std::io::ErrorKind::BrokenPipe.into())),
        () = settings::stopped() => Ok(()),
    };
    drop(server);
    if let Some(client) = Arc::into_inner(client) {
        client.close().await;
    }
    // With the engine the events end, and then the lines.
    let _ = forward.await;
    let _ = writer.await;
    done
}

async fn write(mut lines: mpsc::Receiver<String>) {
    let mut stdout = tokio::io::stdout();
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if stdout.write_all(line.as_bytes()).await.is_err() || stdout.flush().await.is_err() {
            return;
        }
    }
}

async fn forward(mut events: mpsc::Receiver<Event>, out: mpsc::Sender<String>) {
    while let Some(event) = events.recv().await {
        let line = json!({ "jsonrpc": "2.0", "method": "event", "params": event }).to_string();
        // Without a reader the events are still to be taken.
        let _ = out.send(line).await;
    }
}

/// One line, or what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// The next line; what is over the limit is read and thrown away. `None` at the end.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> Option<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let bytes = input.fill_buf().await.ok()?;
        if bytes.is_empty() {
            return match (too_long, line.is_empty()) {
                (true, _) => Some(Line::TooLong),
                (_, true) => None,
                _ => Some(Line::Text(line)),
            };
        }
        let end = bytes.iter().position(|b| *b == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        too_long |= line.len() + part.len() > MAX_LINE;
        if !too_long {
            line.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        input.consume(taken);
        if end.is_some() {
            return Some(if too_long { Line::TooLong } else { Line::Text(line) });
        }
    }
}

struct Server {
    client: Arc<Client>,
    methods: Arc<BTreeSet<String>>,
    out: mpsc::Sender<String>,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Server {
    /// Reads lines until the end; then waits, not for ever, until all is answered and at the hub.
    async fn serve(&self, mut input: impl AsyncBufRead + Unpin) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut work = JoinSet::new();
        while let Some(line) = next_line(&mut input).await {
            while work.try_join_next().is_some() {}
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let one = answer_line(Arc::clone(&self.client), Arc::clone(&self.methods), line);
            let out = self.out.clone();
            let mut one: Work = Box::pin(async move {
                if let Some(answer) = one.await {
                    let _ = out.send(answer.to_string()).await;
                }
                drop(slot);
            });
            // Started here, so that commands reach the engine in the order of their lines, whoever
            // ends first.
            let begun =
                tokio::task::unconstrained(poll_fn(|cx| Poll::Ready(one.as_mut().poll(cx)))).await;
            if begun.is_pending() {
                work.spawn(one);
            }
        }
        let end = tokio::time::Instant::now() + PATIENCE;
        let _ =
            tokio::time::timeout_at(end, async { while work.join_next().await.is_some() {} }).await;
        work.shutdown().await;
        self.client.flush(end.saturating_duration_since(tokio::time::Instant::now())).await;
    }
}

/// The answer to a line: to one request, or to a batch. `None` when nothing in it wants one.
async fn answer_line(
    client: Arc<Client>,
    methods: Arc<BTreeSet<String>>,
    line: Line,
) -> Option<Value> {
    let Line::Text(bytes) = line else {
        return Some(failed(
            &Value::Null,
            INVALID,
            &format!("a line has at most {MAX_LINE} bytes"),
            None,
        ));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        return Some(failed(&Value::Null, PARSE, "this is no JSON", None));
    };
    let Value::Array(all) = value else { return answer(&client, &methods, value).await };
    if all.is_empty() {
        return Some(failed(&Value::Null, INVALID, "an empty batch", None));
    }
    let mut answers = Vec::new();
    for one in all {
        answers.extend(answer(&client, &methods, one).await);
    }
    (!answers.is_empty()).then_some(Value::Array(answers))
}

async fn answer(client: &Client, methods: &BTreeSet<String>, request: Value) -> Option<Value> {
    let (id, command) = match parse(methods, request) {
        Ok(parsed) => parsed,
        Err(refused) => return refused,
    };
    let done = client.ask(command).await;
    let id = id?;
    Some(match done {
        Ok(reply) => json!({ "jsonrpc": "2.0", "id": id, "result": reply }),
        Err(Refusal { kind, text, hint }) => {
            let (code, word) = code_of(kind);
            failed(&id, code, &text, Some(json!({ "kind": word, "hint": hint })))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_have_a_limit() {
        let long = vec![b'x'; MAX_LINE + 1];
        let input = [b"one\n".as_slice(), &long, b"\n\n", &long[1..], b"\nlast"].concat();
        let mut input = input.as_slice();
        let text = |t: &[u8]| Some(Line::Text(t.to_vec()));
        assert_eq!(next_line(&mut input).await, text(b"one"));
        assert_eq!(next_line(&mut input).await, Some(Line::TooLong));
        assert_eq!(next_line(&mut input).await, text(b""));
        assert_eq!(next_line(&mut input).await, text(&long[1..]));
        assert_eq!(next_line(&mut input).await, text(b"last"));
        assert_eq!(next_line(&mut input).await, None);
    }
}
