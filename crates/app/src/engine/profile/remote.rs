//! One profile, several faces: the daemon's socket, and a client at its other end.
//!
//! One JSON value a line. To the daemon: a number and a command, or `"stop"`. Back: the number with
//! a reply or a refusal, and events by themselves. Only this user can reach the socket; who
//! connects is checked besides.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use api::{KINDS, code_of};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::ErrorKind;

use super::client::{Asked, Refusal};
use super::demand::{ALONE, UNSTORED};
use super::run::Rest;
use super::types::{Command, Event, Reply};
use crate::exit::Failure;

/// The socket in a profile's directory.
const SOCKET: &str = "daemon.sock";
/// Longest line, bytes: a list of a thousand long messages.
const MAX_LINE: u64 = 128 << 20;
/// Events that a face may be behind; more are dropped, and it is told.
const BEHIND: usize = 4_096;
/// Faces at one time.
const MAX_FACES: usize = 64;
/// Answers that wait to be written to one face.
const ANSWERS: usize = 256;

/// To the daemon.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Ask(u64, Command),
    Stop,
}

/// From the daemon.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Reply(u64, Reply),
    Refused(u64, Refused),
    Event(Box<Event>),
}

#[derive(Serialize, Deserialize)]
struct Refused {
    kind: String,
    text: String,
    hint: String,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (_, word) = code_of(refusal.kind);
        Refused { kind: word.to_owned(), text: refusal.text, hint: refusal.hint }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        // A word that a newer daemon says is a bug to an older face.
        let kind = KINDS
            .iter()
            .find(|(_, word)| *word == refused.kind)
            .map_or(ErrorKind::Bug, |(kind, _)| *kind);
        Refusal::new(kind, refused.text, refused.hint)
    }
}

/// Where a profile's daemon listens.
pub(super) fn socket_of(profile_dir: &Path) -> PathBuf {
    profile_dir.join(SOCKET)
}

fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The next line's value; `None` at the end, or for something that is none of ours.
async fn next<T: for<'de> Deserialize<'de>>(input: &mut BufReader<OwnedReadHalf>) -> Option<T> {
    let mut line = Vec::new();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line).await.ok()?;
    if read == 0 { None } else { serde_json::from_slice(&line).ok() }
}

/// A client of a running daemon, if there is one.
pub(super) async fn attach(
    profile_dir: &Path,
    events: mpsc::Sender<Event>,
) -> Option<mpsc::Sender<Asked>> {
    let stream = UnixStream::connect(socket_of(profile_dir)).await.ok()?;
    let (commands, asked) = mpsc::channel(ANSWERS);
    tokio::spawn(face(stream, asked, events));
    Some(commands)
}

/// The face's end of the socket.
async fn face(stream: UnixStream, mut asked: mpsc::Receiver<Asked>, events: mpsc::Sender<Event>) {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let (told_tx, mut told) = mpsc::channel(ANSWERS);
    let reading = tokio::spawn(async move {
        while let Some(value) = next::<Told>(&mut input).await {
            if told_tx.send(value).await.is_err() {
                return;
            }
        }
    });
    let mut open: HashMap<u64, oneshot::Sender<Result<Reply, Refusal>>> = HashMap::new();
    let mut number = 0;
    loop {
        tokio::select! {
            next = asked.recv() => {
                let Some((command, answer)) = next else { break };
                number += 1;
                open.insert(number, answer);
                if output.write_all(&line_of(&Request::Ask(number, command))).await.is_err() {
                    break;
                }
            }
            value = told.recv() => match value {
                Some(Told::Reply(id, reply)) => answer(&mut open, id, Ok(reply)),
                Some(Told::Refused(id, refused)) => answer(&mut open, id, Err(refused.into())),
                // A face that has stopped reading events still gets its answers.
                Some(Told::Event(event)) => drop(events.try_send(*event)),
                None => break,
            }
        }
    }
    reading.abort();
}

fn answer(
    open: &mut HashMap<u64, oneshot::Sender<Result<Reply, Refusal>>>,
    id: u64,
    done: Result<Reply, Refusal>,
) {
    if let Some(waiting) = open.remove(&id) {
        let _ = waiting.send(done);
    }
}

/// Asks a running daemon to stop; false when there is none.
///
/// # Errors
/// [`ErrorKind::LocalStorage`] when the socket does not take it.
pub(super) async fn stop(profile_dir: &Path) -> Result<bool, Failure> {
    let Ok(stream) = UnixStream::connect(socket_of(profile_dir)).await else { return Ok(false) };
    let (mut input, mut output) = stream.into_split();
    let asked = output.write_all(&line_of(&Request::Stop)).await;
    asked.map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("the daemon cannot be asked: {e}"),
            "end its process",
        )
    })?;
    // It closes when it is gone.
    let mut rest = Vec::new();
    let _ = input.read_to_end(&mut rest).await;
    Ok(true)
}

/// The daemon's socket. Its file goes with it.
pub(super) struct Doors {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Doors {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Doors {
    /// Opens it, in the directory of a profile that this process holds: a socket that is there
    /// already is a dead one's.
    ///
    /// # Errors
    /// The system refuses, as for a path that is too long for a socket.
    pub(super) fn open(profile_dir: &Path) -> Result<Self, Failure> {
        let path = socket_of(profile_dir);
        let _ = std::fs::remove_file(&path);
        let fail = |e: std::io::Error| {
            let hint = "profiles must lie on a local disk, under a path of less than 90 characters: HUSHWING_HOME moves them";
            Failure::new(
                ErrorKind::LocalStorage,
                format!("the daemon's socket cannot be made: {e}"),
                hint,
            )
        };
        let listener = UnixListener::bind(&path).map_err(fail)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(Doors { listener, path })
    }

    /// Serves faces until one says stop; on demand also until there is no face for a moment and
    /// nothing waits, unless the profile stays.
    pub(super) async fn serve(
        &self,
        commands: mpsc::Sender<Asked>,
        mut events: mpsc::Receiver<Event>,
        mut on_demand: Option<watch::Receiver<Rest>>,
    ) {
        let (all, _) = broadcast::channel(BEHIND);
        let (stop, mut stopped) = mpsc::channel(1);
        let mut faces = JoinSet::new();
        let mut alone = Instant::now();
        loop {
            let rest = on_demand.as_mut().map(|rest| *rest.borrow_and_update());
            let end = rest
                .filter(|r| !r.stays)
                .map(|r| alone + if r.unstored > 0 { UNSTORED } else { ALONE });
            tokio::select! {
                () = until(end), if faces.is_empty() => return,
                () = another(&mut on_demand), if faces.is_empty() => {}
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if faces.len() < MAX_FACES && is_ours(&stream) {
                        faces.spawn(serve_face(stream, commands.clone(), all.subscribe(), stop.clone()));
                    }
                }
                event = events.recv() => match event {
                    // Without faces nobody hears it: the history has it.
                    Some(event) => drop(all.send(event)),
                    None => return,
                },
                Some(_) = faces.join_next() => alone = Instant::now(),
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
fn is_ours(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me)
}

async fn serve_face(
    stream: UnixStream,
    commands: mpsc::Sender<Asked>,
    mut events: broadcast::Receiver<Event>,
    stop: mpsc::Sender<()>,
) {
    let (input, output) = stream.into_split();
    let mut input = BufReader::new(input);
    let (answers, waiting) = mpsc::channel::<Vec<u8>>(ANSWERS);
    let writing = tokio::spawn(write(output, waiting));
    let forwarding = tokio::spawn({
        let answers = answers.clone();
        async move {
            loop {
                let event = match events.recv().await {
                    Ok(event) => event,
                    Err(broadcast::error::RecvError::Lagged(_)) => Event::Notice {
                        text: "some events were not shown: read the history".to_owned(),
                    },
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if answers.send(line_of(&Told::Event(Box::new(event)))).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut work = JoinSet::new();
    while let Some(request) = next::<Request>(&mut input).await {
        while work.try_join_next().is_some() {}
        match request {
            Request::Ask(id, command) => {
                // Commands reach the engine in the order of their lines, whoever is answered first.
                let (answer, answered) = oneshot::channel();
                if commands.send((command, answer)).await.is_err() {
                    break;
                }
                let answers = answers.clone();
                work.spawn(async move {
                    let told = match answered.await.unwrap_or_else(|_| Err(Refusal::gone())) {
                        Ok(reply) => Told::Reply(id, reply),
                        Err(refusal) => Told::Refused(id, refusal.into()),
                    };
                    let _ = answers.send(line_of(&told)).await;
                });
            }
            Request::Stop => {
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

async fn write(mut output: OwnedWriteHalf, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if output.write_all(&line).await.is_err() {
            return;
        }
    }
}
