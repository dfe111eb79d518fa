//! `profile rpc`: JSON-RPC 2.0, one JSON value per line, on stdin and stdout. See docs/rpc.md.

mod request;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use api::{Call, Client, Event, Failure, Refusal, code_of};
use clap::Args;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use settings::{CreateArgs, ProfileArgs};
use text::OrFail;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use wire::ErrorKind;

use self::request::{INVALID, PARSE, failed, parse};
use crate::session::{SharedProfiles, options};

/// Longest line, bytes.
const MAX_LINE: usize = 1 << 20;
/// Lines that are worked on at once; stdin waits when there are more. Below what the engine's queue
/// holds: a command of an earlier line comes before one of a later line.
const AT_ONCE: usize = 128;
/// Lines that stdout may be behind.
const BEHIND: usize = 1_024;
/// How long the end may take: open answers, and messages on their way to the hub.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `profile rpc`.
#[derive(Debug, Clone, Copy, Args)]
pub struct RpcArgs {
    /// Print the JSON schema of methods, results, events and errors, and exit.
    #[arg(long)]
    pub schema: bool,
    /// How a new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// The JSON schema of all that is said here: each method with its params and its result, events,
/// and the data of an error.
///
/// # Errors
/// Never, unless the schema cannot be written as JSON.
pub fn schema() -> Result<String, Failure> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut methods = Map::new();
    for method in Call::schemas(&mut generator) {
        let schema = json!({ "params": method.params, "result": method.result });
        methods.insert(method.method.to_owned(), schema);
    }
    let event = generator.subschema_for::<Event>();
    let error = generator.subschema_for::<Refusal>();
    let all = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hushwing profile rpc",
        "methods": methods,
        "event": event,
        "error_data": error,
        "$defs": generator.take_definitions(true),
    });
    serde_json::to_string_pretty(&all).map_err(|_| {
        Failure::new(ErrorKind::Bug, "cannot write the schema as JSON", "report this bug")
    })
}

/// Serves until stdin ends.
pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: RpcArgs,
) -> Result<(), Failure> {
    if args.schema {
        return text::out(&schema()?);
    }
    let (client, events) = profiles.open(&options(at, args.create.into())).await.or_fail()?;
    let client = Arc::new(client);
    let (out, lines) = mpsc::channel(BEHIND);
    let writer = tokio::spawn(write(lines));
    let forward = tokio::spawn(forward(events, out.clone()));
    let server = Server { client: Arc::clone(&client), out };
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
            let one = answer_line(Arc::clone(&self.client), line);
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
async fn answer_line(client: Arc<Client>, line: Line) -> Option<Value> {
    let Line::Text(bytes) = line else {
        let text = format!("line too long (at most {MAX_LINE} bytes)");
        return Some(failed(&Value::Null, INVALID, &text, None));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        return Some(failed(&Value::Null, PARSE, "invalid JSON", None));
    };
    let Value::Array(all) = value else { return answer(&client, value).await };
    if all.is_empty() {
        return Some(failed(&Value::Null, INVALID, "empty batch", None));
    }
    let mut answers = Vec::new();
    for one in all {
        answers.extend(answer(&client, one).await);
    }
    (!answers.is_empty()).then_some(Value::Array(answers))
}

async fn answer(client: &Client, request: Value) -> Option<Value> {
    let (id, call, pending) = match parse(request) {
        Ok(parsed) => parsed,
        Err(refused) => return refused,
    };
    let done = match client.send(call).await {
        Ok(()) => pending.await,
        Err(refusal) => Err(refusal),
    };
    let id = id?;
    Some(match done {
        Ok(reply) => json!({ "jsonrpc": "2.0", "id": id, "result": reply }),
        Err(refusal) => {
            let (code, _) = code_of(refusal.kind);
            let data = serde_json::to_value(&refusal).ok();
            failed(&id, code, &refusal.text, data)
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::{Fake, FakeConversation};

    use super::*;

    /// What comes back for these lines, in the order of their ids.
    async fn answers(fake: &Fake, lines: &[Value]) -> Vec<Value> {
        let (out, mut said) = mpsc::channel(64);
        let (client, _events) = fake.start();
        let server = Server { client: Arc::new(client), out };
        let input: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        server.serve(input.concat().as_bytes()).await;
        drop(server);
        let mut answers = Vec::new();
        while let Some(line) = said.recv().await {
            answers.push(serde_json::from_str::<Value>(&line).unwrap());
        }
        answers.sort_by_key(|answer| answer["id"].as_u64());
        answers
    }

    fn request(id: u64, method: &str, params: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    #[tokio::test]
    async fn a_refusal_comes_with_its_code_and_its_data() {
        let (one, two) =
            (FakeConversation::group(1, "family"), FakeConversation::group(2, "family"));
        let fake = Fake::new([one.clone(), two]);
        let resolve = |id, name: &str| request(id, "resolve", &json!({ "name": name }));
        let lines = [resolve(1, "family"), resolve(2, "zoe"), resolve(3, &one.id.short())];
        let answers = answers(&fake, &lines).await;
        let error = &answers[0]["error"];
        assert_eq!(
            (error["code"].as_i64(), &error["data"]["kind"]),
            (Some(1), &json!("local_config"))
        );
        assert_eq!(error["message"], error["data"]["text"]);
        assert_eq!(error["data"]["reason"], "ambiguous");
        let candidate = &error["data"]["candidates"][0];
        assert_eq!(candidate["target"]["conversation"], one.id.to_string());
        assert_eq!(candidate["short"], one.id.short());
        assert_eq!(answers[1]["error"]["data"]["reason"], "no_such");
        assert_eq!(answers[1]["error"]["data"]["what"], "conversation");
        assert_eq!(answers[2]["result"]["target"]["conversation"], one.id.to_string());
    }

    #[tokio::test]
    async fn a_name_is_never_taken_for_a_conversation() {
        let fake = Fake::new([FakeConversation::contact(1, "bob")]);
        let by_name = json!({ "conversation": "bob", "text": "hi" });
        let answers = answers(&fake, &[request(1, "send", &by_name)]).await;
        assert_eq!(answers[0]["error"]["code"], -32_602);
        assert!(fake.asked("send").is_empty() && fake.asked("resolve").is_empty());
    }

    #[test]
    fn the_documented_schema_is_the_programs() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rpc.schema.json");
        let printed = format!("{}\n", schema().unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &printed).unwrap();
        }
        let documented = std::fs::read_to_string(path).unwrap();
        assert!(
            printed == documented,
            "docs/rpc.schema.json is out of date: hushwing profile rpc --schema > docs/rpc.schema.json"
        );
    }

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
