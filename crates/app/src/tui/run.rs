//! The terminal and the engine, joined: the only place of this face that waits, draws and asks.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
use settings::{CreatePolicy, ProfileArgs};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::ErrorKind;

use super::Start;
use super::state::{App, Effect, Found, Input, Place};
use super::update::{start, update};
use super::view;
use crate::cli::args_profile::Format;
use crate::cli::export::{self, Asked, Of};
use crate::cli::line::colours;
use crate::cli::profile::options;
use crate::cli::profile::show::{UNREACHABLE, note};
use crate::engine::now_ms;
use crate::engine::profile::{self, Client, Event};
use crate::exit::Failure;

/// Between two frames at least.
const FRAME: Duration = Duration::from_millis(30);
/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Entries of a directory that are listed at most.
const ENTRIES: usize = 2_000;

/// Opens the profile, and shows it until a person leaves.
///
/// # Errors
/// Those of opening the profile; a terminal that refuses.
pub async fn run(at: &ProfileArgs, open: Option<Start>) -> Result<(), Failure> {
    // Passphrases are asked for before the screen is taken.
    let (client, events) = self::open(at).await?;
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

/// Attaches to the daemon of the profile, which is started if there is none.
async fn open(at: &ProfileArgs) -> Result<(Client, mpsc::Receiver<Event>), Failure> {
    if profile::config(&at.profile, None).is_err() {
        note(
            "Your contacts and messages are kept on this machine, locked by a passphrase. Choose one; it is not shown.",
        );
    }
    Client::share(options(at, CreatePolicy::Passphrase)).await
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "used as map_err argument")]
fn refused(error: &std::io::Error) -> Failure {
    Failure::new(ErrorKind::LocalConfig, format!("the terminal refuses: {error}"), "try --plain")
}

/// The terminal in its other screen; as it was when this is dropped.
struct Screen {
    terminal: Terminal<CrosstermBackend<std::io::Stdout>>,
}

impl Screen {
    fn enter() -> std::io::Result<Screen> {
        super::log::keep();
        enable_raw_mode()?;
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The screen is drawn by the main thread. It outlives a panic of another, which is told
            // afterwards.
            if std::thread::current().name() == Some("main") {
                restore();
                hook(info);
            } else {
                let _ = writeln!(super::Log, "{info}");
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
    super::log::tell();
}

struct Loop {
    screen: Screen,
    client: Arc<Client>,
    app: App,
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
        Loop { screen, client, app, inputs, waiting, tasks: JoinSet::new() }
    }

    /// Until a person leaves; whether the profile goes on without a face.
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
                Effect::Ask(command, then) => {
                    self.tasks.spawn(async move {
                        let answer = client.ask(command).await;
                        let _ = inputs.send(Input::Reply(then, answer));
                    });
                }
                Effect::ReadDir(path) => {
                    self.tasks.spawn_blocking(move || {
                        let path = path
                            .or_else(|| std::env::current_dir().ok())
                            .unwrap_or_else(|| PathBuf::from("/"));
                        let found = read_dir(&path);
                        let _ = inputs.send(Input::Dir(path, found));
                    });
                }
                Effect::Export(place, format, file) => {
                    self.tasks.spawn(async move {
                        let done = export_to(&client, &place, format, &file).await;
                        let _ = inputs.send(Input::Exported(done));
                    });
                }
                Effect::Notify(text) => {
                    say_to_terminal(&format!("\x07\x1b]9;Hushwing: {}\x07", harmless(&text)))
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
    place: &Place,
    format: Format,
    file: &std::path::Path,
) -> Result<String, String> {
    let of = match place {
        Place::Conversation(name) => Of::Conversation(name),
        Place::Room(name) => Of::Room(name),
    };
    let mut pages = Asked { client, of };
    match export::to_file(&mut pages, place.name(), format, file, false).await {
        Ok(count) => Ok(format!("{count} messages written to {}", file.display())),
        Err(failure) => Err(failure.to_string()),
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
