//! One profile, several front ends: the daemon's socket, and a client at its other end.
//!
//! What passes it is said in [`api::Hello`] and beside it. Only this user can reach the socket; who
//! connects is checked besides.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{Call, Event, FromDaemon, Hello, ReadError, Reason, Refusal, ToDaemon, Value, Written};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::ErrorKind;

use crate::run::Rest;

/// The socket in a profile's directory.
const SOCKET: &str = "daemon.sock";
/// Longest line, bytes: a list of a thousand long messages.
const MAX_LINE: u64 = 128 << 20;
/// Events that a front end may be behind; more are dropped, and it is told.
const BEHIND: usize = 4_096;
/// Front ends at one time.
const MAX_FRONT_ENDS: usize = 64;
/// Answers that wait to be written to one front end.
const ANSWERS: usize = 256;
/// How long the other side may take for its first line.
const HELLO: Duration = Duration::from_secs(10);
/// How long a daemon that was started on demand goes on without a front end.
const ALONE: Duration = Duration::from_secs(3);
/// And how long at most while a message is not at the hub.
const UNSTORED: Duration = Duration::from_secs(60);

type Input = BufReader<OwnedReadHalf>;

/// Where a profile's daemon listens.
pub(crate) fn socket_of(profile_dir: &Path) -> PathBuf {
    profile_dir.join(SOCKET)
}

fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The next line's value; `None` at the end, or for something that has no such shape.
async fn next<T: for<'de> Deserialize<'de>>(input: &mut Input) -> Option<T> {
    let mut line = Vec::new();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line).await.ok()?;
    if read == 0 { None } else { serde_json::from_slice(&line).ok() }
}

/// A socket to the daemon, after both sides have said their version; `None` when there is none.
async fn connect(profile_dir: &Path) -> Result<Option<(Input, OwnedWriteHalf, Hello)>, Refusal> {
    let Ok(stream) = UnixStream::connect(socket_of(profile_dir)).await else { return Ok(None) };
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    if output.write_all(&line_of(&hello())).await.is_err() {
        return Ok(None);
    }
    // A daemon from before there were versions says nothing that can be read.
    let unknown = Hello { hushwing_protocol: 0, proxy: None };
    let theirs = tokio::time::timeout(HELLO, next::<Hello>(&mut input)).await;
    let theirs = theirs.ok().flatten().unwrap_or(unknown);
    theirs.check()?;
    Ok(Some((input, output, theirs)))
}

/// What we begin with.
fn hello() -> Hello {
    Hello::ours(net::Proxy::in_use().map(|proxy| proxy.at().to_string()))
}

/// The calls of a running daemon, if there is one.
///
/// # Errors
/// It speaks another version, or goes around the proxy that we use.
pub(crate) async fn attach(
    profile_dir: &Path,
    events: mpsc::Sender<Event>,
) -> Result<Option<mpsc::Sender<Call>>, Refusal> {
    let Some((input, output, theirs)) = connect(profile_dir).await? else { return Ok(None) };
    theirs.check_proxy(hello().proxy.as_deref())?;
    let (calls, asked) = mpsc::channel(ANSWERS);
    tokio::spawn(front_end(input, output, asked, events));
    Ok(Some(calls))
}

type Waiting = HashMap<u64, Box<dyn FnOnce(Result<serde_json::Value, Refusal>) + Send>>;

/// The front end's side of the socket.
async fn front_end(
    mut input: Input,
    mut output: OwnedWriteHalf,
    mut asked: mpsc::Receiver<Call>,
    events: mpsc::Sender<Event>,
) {
    let (told_tx, mut told) = mpsc::channel(ANSWERS);
    let reading = tokio::spawn(async move {
        while let Some(value) = next::<FromDaemon>(&mut input).await {
            if told_tx.send(value).await.is_err() {
                return;
            }
        }
    });
    let mut waiting: Waiting = HashMap::new();
    let mut id = 0;
    loop {
        tokio::select! {
            next = asked.recv() => {
                let Some(call) = next else { break };
                id += 1;
                let Written { method, params, answer } = call.write();
                waiting.insert(id, answer);
                let ask = ToDaemon::Ask { id, method: method.to_owned(), params };
                if output.write_all(&line_of(&ask)).await.is_err() {
                    break;
                }
            }
            value = told.recv() => match value {
                Some(FromDaemon::Reply { id, result }) => answer(&mut waiting, id, Ok(result)),
                Some(FromDaemon::Refused { id, refusal }) => answer(&mut waiting, id, Err(refusal)),
                // A front end that has stopped reading events still gets its answers.
                Some(FromDaemon::Event(event)) => drop(events.try_send(*event)),
                None => break,
            }
        }
    }
    reading.abort();
}

fn answer(waiting: &mut Waiting, id: u64, done: Result<serde_json::Value, Refusal>) {
    if let Some(take) = waiting.remove(&id) {
        take(done);
    }
}

/// Asks a running daemon to stop; false when there is none.
///
/// # Errors
/// The socket does not take it.
pub(crate) async fn stop(profile_dir: &Path) -> Result<bool, Refusal> {
    let Some((mut input, mut output, _)) = connect(profile_dir).await? else { return Ok(false) };
    output.write_all(&line_of(&ToDaemon::Stop)).await.map_err(|e| {
        let text = format!("the daemon cannot be asked to stop: {e}");
        Refusal::new(ErrorKind::LocalStorage, Reason::Stopped, text)
    })?;
    // It closes when it is gone.
    let mut rest = Vec::new();
    let _ = input.read_to_end(&mut rest).await;
    Ok(true)
}

/// The daemon's socket. Its file goes with it.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Socket {
    /// Opens it, in the directory of a profile that this process holds: a socket that is there
    /// already is a dead one's.
    ///
    /// # Errors
    /// The system refuses, as for a path that is too long for a socket.
    pub(crate) fn open(profile_dir: &Path) -> Result<Self, Refusal> {
        let path = socket_of(profile_dir);
        let _ = std::fs::remove_file(&path);
        let fail = |e: std::io::Error| {
            let reason = Reason::BadValue { what: Value::Path };
            let text = format!("the daemon's socket cannot be made: {e}");
            Refusal::new(ErrorKind::LocalStorage, reason, text)
        };
        let listener = UnixListener::bind(&path).map_err(fail)?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).map_err(fail)?;
        Ok(Socket { listener, path })
    }

    /// Serves front ends until one says stop; on demand also until there has been none for a moment
    /// and nothing waits, unless the profile stays.
    pub(crate) async fn serve(
        &self,
        calls: mpsc::Sender<Call>,
        mut events: mpsc::Receiver<Event>,
        mut on_demand: Option<watch::Receiver<Rest>>,
    ) {
        let (all, _) = broadcast::channel(BEHIND);
        let (stop, mut stopped) = mpsc::channel(1);
        let mut front_ends = JoinSet::new();
        let mut alone = Instant::now();
        loop {
            let rest = on_demand.as_mut().map(|rest| *rest.borrow_and_update());
            let patience = |r: Rest| if r.unstored > 0 { UNSTORED } else { ALONE };
            let end = rest.filter(|r| !r.stays).map(|r| alone + patience(r));
            tokio::select! {
                () = until(end), if front_ends.is_empty() => return,
                () = another(&mut on_demand), if front_ends.is_empty() => {}
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if front_ends.len() < MAX_FRONT_ENDS && is_this_user(&stream) {
                        let (calls, stop) = (calls.clone(), stop.clone());
                        front_ends.spawn(serve_one(stream, calls, all.subscribe(), stop));
                    }
                }
                event = events.recv() => match event {
                    // Without front ends nobody hears it: the history has it.
                    Some(event) => drop(all.send(event)),
                    None => return,
                },
                Some(_) = front_ends.join_next() => alone = Instant::now(),
                _ = stopped.recv() => return,
            }
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// When there is another [`Rest`].
async fn another(rest: &mut Option<watch::Receiver<Rest>>) {
    if let Some(rest) = rest
        && rest.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Whether the other end is this user.
fn is_this_user(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me)
}

/// The daemon's side of one front end.
async fn serve_one(
    stream: UnixStream,
    calls: mpsc::Sender<Call>,
    events: broadcast::Receiver<Event>,
    stop: mpsc::Sender<()>,
) {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let greeting = async {
        output.write_all(&line_of(&hello())).await.ok()?;
        next::<Hello>(&mut input).await
    };
    let theirs = tokio::time::timeout(HELLO, greeting).await.ok().flatten();
    // Another version has read ours by now, and says so to its person.
    if theirs.is_none_or(|theirs| theirs.check().is_err()) {
        return;
    }
    let (answers, waiting) = mpsc::channel::<Vec<u8>>(ANSWERS);
    let writing = tokio::spawn(write(output, waiting));
    let forwarding = tokio::spawn(forward(events, answers.clone()));
    let mut work = JoinSet::new();
    while let Some(request) = next::<ToDaemon>(&mut input).await {
        while work.try_join_next().is_some() {}
        match request {
            ToDaemon::Ask { id, method, params } => {
                // Calls reach the engine in the order of their lines, whichever is answered first.
                let pending = match Call::read(&method, params) {
                    Ok((call, pending)) => {
                        if calls.send(call).await.is_err() {
                            break;
                        }
                        Ok(pending)
                    }
                    Err(error) => Err(unreadable(&error)),
                };
                let answers = answers.clone();
                work.spawn(async move {
                    let done = match pending {
                        Ok(pending) => pending.await,
                        Err(refusal) => Err(refusal),
                    };
                    let told = match done {
                        Ok(result) => FromDaemon::Reply { id, result },
                        Err(refusal) => FromDaemon::Refused { id, refusal },
                    };
                    let _ = answers.send(line_of(&told)).await;
                });
            }
            ToDaemon::Stop => {
                let _ = stop.send(()).await;
                // The socket stays open until the daemon is gone: that is the answer.
                std::future::pending::<()>().await;
            }
        }
    }
    work.shutdown().await;
    forwarding.abort();
    writing.abort();
}

/// A request that the same version of this program would not write.
fn unreadable(error: &ReadError) -> Refusal {
    Refusal::bug(format!("the daemon cannot read a request: {error}"))
}

async fn forward(mut events: broadcast::Receiver<Event>, answers: mpsc::Sender<Vec<u8>>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(_)) => {
                Event::Notice { text: "some events were not shown: read the history".to_owned() }
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if answers.send(line_of(&FromDaemon::Event(Box::new(event)))).await.is_err() {
            return;
        }
    }
}

async fn write(mut output: OwnedWriteHalf, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if output.write_all(&line).await.is_err() {
            return;
        }
    }
}
