//! The terminal and the engine, joined: the only place that waits, draws and asks.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::{Call, Client, Event, Failure};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste,
    EnableFocusChange, EnableMouseCapture, EventStream,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use futures::StreamExt;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use text::{Asked, Format, Source, UNREACHABLE, colours, note};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::ErrorKind;

use crate::ask::Question;
use crate::state::{App, Effect, Found, Input, Place};
use crate::update::{start, update};
use crate::{Start, Stderr, stderr, view};

/// Between two frames at least.
const FRAME: Duration = Duration::from_millis(30);
/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Entries of a directory that are listed at most.
const ENTRIES: usize = 2_000;

/// Shows a running profile until the person leaves. Passphrases were asked for before: from here on
/// the terminal is a screen.
///
/// # Errors
/// A terminal that cannot be used.
pub async fn run(
    client: Client,
    events: mpsc::Receiver<Event>,
    open: Option<Start>,
) -> Result<(), Failure> {
    let client = Arc::new(client);
    let done = match Screen::enter() {
        Ok(screen) => Loop::new(screen, Arc::clone(&client)).run(events, open).await,
        Err(error) => {
            restore();
            Err(refused(&error))
        }
    };
    // All tasks that asked have ended by now.
    if let Ok(client) = Arc::try_unwrap(client) {
        client.close().await;
    }
    if !done? {
        note(UNREACHABLE);
    }
    Ok(())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "used as map_err argument")]
fn refused(error: &std::io::Error) -> Failure {
    let text = format!("cannot use the terminal: {error}");
    Failure::new(ErrorKind::LocalConfig, text, "try --plain")
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The terminal in its other screen; as it was when this is dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<std::io::Stdout>>,
}

impl Screen {
    fn enter() -> std::io::Result<Screen> {
        stderr::keep();
        enable_raw_mode()?;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The main thread draws the screen, which outlives a panic of another thread: that is
            // reported afterwards.
            if std::thread::current().name() == Some("main") {
                restore();
                hook(info);
            } else {
                let _ = writeln!(Stderr, "{info}");
            }
        }));
        let mut screen =
            Screen { terminal: Terminal::new(CrosstermBackend::new(std::io::stdout()))? };
        let out = screen.terminal.backend_mut();
        execute!(
            out,
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            EnableMouseCapture
        )?;
        screen.terminal.clear()?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, as far as it goes.
fn restore() {
    let _ = execute!(
        std::io::stdout(),
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        crossterm::cursor::Show
    );
    let _ = disable_raw_mode();
    stderr::release();
}

struct Loop {
    screen: Screen,
    client: Arc<Client>,
    app: App,
    /// Requests go to the engine one by one: two messages must not overtake each other.
    calls: mpsc::UnboundedSender<Call>,
    inputs: mpsc::UnboundedSender<Input>,
    waiting: mpsc::UnboundedReceiver<Input>,
    tasks: JoinSet<()>,
}

impl Loop {
    fn new(screen: Screen, client: Arc<Client>) -> Loop {
        let size = screen.terminal.size().map_or((80, 24), |s| (s.width, s.height));
        let mut app = App::new(size, colours(std::io::stdout().is_terminal()), now_ms());
        app.zone = jiff::tz::TimeZone::system();
        let (inputs, waiting) = mpsc::unbounded_channel();
        let (calls, called) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(hand_over(Arc::clone(&client), called));
        Loop { screen, client, app, calls, inputs, waiting, tasks }
    }

    /// Runs until the person leaves; whether the profile runs on without front ends.
    async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        open: Option<Start>,
    ) -> Result<bool, Failure> {
        let first = start(&mut self.app, open);
        let mut leaving = self.effects(first);
        let mut keys = EventStream::new();
        let mut tick = tokio::time::interval(TICK);
        let mut frame = tokio::time::interval(FRAME);
        frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let ended = ended();
        tokio::pin!(ended);
        let mut told = true;
        while !leaving {
            let input = tokio::select! {
                key = keys.next() => match key {
                    Some(Ok(event)) => Input::Terminal(event),
                    // The terminal is gone.
                    Some(Err(_)) | None => break,
                },
                event = events.recv(), if told => match event {
                    Some(event) => Input::Event(Box::new(event)),
                    None => {
                        told = false;
                        Input::Stopped
                    }
                },
                Some(input) = self.waiting.recv() => input,
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => continue,
                _ = tick.tick() => Input::Tick,
                _ = frame.tick(), if self.app.dirty => {
                    self.draw().map_err(|e| refused(&e))?;
                    continue;
                }
                () = &mut ended => break,
            };
            let effects = update(&mut self.app, now_ms(), input);
            leaving = self.effects(effects);
        }
        self.tasks.shutdown().await;
        Ok(self.app.status.is_some_and(|s| s.stays))
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let Loop { screen, app, .. } = self;
        let mut drawn = None;
        screen.terminal.draw(|frame| drawn = Some(view::draw(app, frame)))?;
        if let Some(drawn) = drawn {
            app.drawn = drawn;
        }
        app.dirty = false;
        Ok(())
    }

    /// Does what the screen wants; true when it wants to end.
    fn effects(&mut self, effects: Vec<Effect>) -> bool {
        for effect in effects {
            let inputs = self.inputs.clone();
            let client = Arc::clone(&self.client);
            match effect {
                Effect::Ask(Question { call, answered }) => {
                    // A call that is dropped reads as a refusal.
                    let _ = self.calls.send(call);
                    self.tasks.spawn(async move {
                        let _ = inputs.send(Input::Answered(answered.await));
                    });
                }
                Effect::ReadDir(to, path) => {
                    self.tasks.spawn_blocking(move || {
                        let path = path
                            .or_else(|| std::env::current_dir().ok())
                            .unwrap_or_else(|| PathBuf::from("/"));
                        let found = read_dir(&path);
                        let _ = inputs.send(Input::Dir(to, path, found));
                    });
                }
                Effect::Export(place, title, format, file) => {
                    self.tasks.spawn(async move {
                        let done = export_to(&client, place, &title, format, &file).await;
                        let _ = inputs.send(Input::Exported(done));
                    });
                }
                Effect::Notify(text) => {
                    say_to_terminal(&format!("\x07\x1b]9;Hushwing: {}\x07", harmless(&text)));
                }
                Effect::Copy(text) => {
                    let text = data_encoding::BASE64.encode(text.as_bytes());
                    say_to_terminal(&format!("\x1b]52;c;{text}\x07"));
                }
                Effect::Mouse(true) => drop(execute!(std::io::stdout(), EnableMouseCapture)),
                Effect::Mouse(false) => drop(execute!(std::io::stdout(), DisableMouseCapture)),
                Effect::Redraw => drop(self.screen.terminal.clear()),
                Effect::Quit => return true,
            }
        }
        false
    }
}

/// Nothing that ends the sequence it stands in.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn say_to_terminal(sequence: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(sequence.as_bytes()).and_then(|()| out.flush());
}

/// Directories first, then files, each by name; hidden ones last.
fn read_dir(path: &std::path::Path) -> Result<Vec<Found>, String> {
    let entries =
        std::fs::read_dir(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let mut found: Vec<Found> = entries
        .flatten()
        .take(ENTRIES)
        .filter_map(|entry| {
            // Through links: what is behind them is what is sent.
            let about = std::fs::metadata(entry.path()).ok()?;
            let name = entry.file_name().into_string().ok()?;
            (about.is_dir() || about.is_file()).then_some(Found {
                name,
                dir: about.is_dir(),
                bytes: about.len(),
            })
        })
        .collect();
    found.sort_by_key(|f| (f.name.starts_with('.'), !f.dir, f.name.to_lowercase()));
    Ok(found)
}

async fn export_to(
    client: &Client,
    place: Place,
    title: &str,
    format: Format,
    file: &std::path::Path,
) -> Result<String, String> {
    let source = match place {
        Place::Conversation(id) => Source::Conversation(id),
        Place::Room(id) => Source::Room(id),
    };
    let mut pages = Asked { client, source };
    match text::to_file(&mut pages, title, format, file, false).await {
        Ok(count) => Ok(format!("{count} messages written to {}", file.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// Passes requests on to the engine, in their order.
async fn hand_over(client: Arc<Client>, mut calls: mpsc::UnboundedReceiver<Call>) {
    while let Some(call) = calls.recv().await {
        let _ = client.send(call).await;
    }
}

/// Until something outside ends the program: SIGTERM, SIGINT, or the terminal's end.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let mut signals: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        if !signals.is_empty() {
            let waits = signals.iter_mut().map(|s| Box::pin(s.recv()));
            futures::future::select_all(waits).await;
            return;
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use api::{ConversationId, SendText};

    use super::*;

    #[tokio::test]
    async fn two_messages_reach_the_engine_in_the_order_in_which_they_were_sent() {
        let (to_engine, mut engine) = mpsc::channel(1);
        let (calls, called) = mpsc::unbounded_channel();
        let client = Arc::new(Client::new(to_engine, None));
        let handing = tokio::spawn(hand_over(client, called));
        let texts: Vec<String> = (0..100).map(|n| format!("number {n}")).collect();
        for text in &texts {
            let (answer, _) = api::Answer::new();
            let conversation = ConversationId::new([1; 16]);
            let request = SendText { conversation, text: text.clone(), reply_to: None };
            assert!(calls.send(Call::SendText(request, answer)).is_ok());
        }
        drop(calls);
        let mut came = Vec::new();
        while let Some(Call::SendText(request, _)) = engine.recv().await {
            came.push(request.text);
        }
        handing.await.expect("it ends with the screen");
        assert_eq!(came, texts);
    }

    #[test]
    fn a_notification_ends_no_sequence_of_the_terminal() {
        assert_eq!(harmless("a\u{7}b\u{1b}]c\u{9c}"), "ab]c");
    }
}
