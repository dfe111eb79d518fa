//! `lan bundle …`: boxes in a file, to be carried.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{BundleIn, BundleOut, Event, Failure, LanMode, LocalPath, ProfileOptions, Scope};
use clap::{Args, Subcommand};
use settings::{On, PatienceArgs, ProfileArgs, scratch};
use text::{bytes, dated, note, out};
use tokio::time::Instant;
use wire::ErrorKind;

use super::codes::{MAX_CODES, QR_CHARS, codes_of, of_codes};
use crate::follow::tell;
use crate::qr;
use crate::session::{SharedProfiles, existing, with};

/// After a bundle was read: acknowledgements are made within this time, and go into the next
/// bundle.
const AFTER_A_BUNDLE: Duration = Duration::from_secs(3);
/// How long each code of several is shown.
const QR_TIME: Duration = Duration::from_millis(700);
/// Largest bundle that is read from stdin, bytes.
const MAX_STDIN: u64 = 1 << 32;

/// Commands of `lan bundle`.
#[derive(Debug, Clone, Subcommand)]
pub enum BundleCommand {
    /// Write undelivered messages to a file.
    Out(On<BundleOutArgs>),
    /// Read a bundle that somebody brought.
    In(On<BundleInArgs>),
}

/// Arguments of `lan bundle out`.
#[derive(Debug, Clone, Args)]
pub struct BundleOutArgs {
    /// Output file, which must not exist yet; `-` for stdout.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Include only messages for this contact or group.
    #[arg(long = "for", value_name = "NAME")]
    pub conversation: Option<String>,
    /// Also show it as QR codes if it is small, on a terminal one after the other.
    #[arg(long)]
    pub qr: bool,
}

/// Arguments of `lan bundle in`.
#[derive(Debug, Clone, Args)]
pub struct BundleInArgs {
    /// The file; `-` for stdin.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// How long to wait for messages from the bundle.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

pub(super) async fn run(profiles: &SharedProfiles, command: BundleCommand) -> Result<(), Failure> {
    match command {
        BundleCommand::Out(On { at, args }) => write(profiles, &at, args).await,
        BundleCommand::In(On { at, args }) => read(profiles, &at, args).await,
    }
}

/// A bundle needs no network.
fn without_network(at: &ProfileArgs) -> ProfileOptions {
    ProfileOptions { lan: Some(LanMode::Off), ..existing(at) }
}

async fn write(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: BundleOutArgs,
) -> Result<(), Failure> {
    let to_stdout = args.file == Path::new("-");
    let scratch = to_stdout.then(scratch).transpose()?;
    let file = scratch.as_ref().map_or_else(|| args.file.clone(), |dir| dir.path().join("bundle"));
    let path = LocalPath::new(&file);
    let made = with(profiles, &without_network(at), async |session| {
        let conversation = match &args.conversation {
            Some(name) => Some(session.conversation(name, Scope::Conversation).await?.id),
            None => None,
        };
        session.ask(BundleOut { path: path.clone(), conversation }).await
    })
    .await?;
    let written = || {
        std::fs::read(path.as_path()).map_err(|e| {
            let text = format!("cannot read the bundle: {e}");
            Failure::new(ErrorKind::LocalStorage, text, "try again")
        })
    };
    if to_stdout {
        std::io::stdout().write_all(&written()?).map_err(Failure::stdout)?;
    }
    if args.qr {
        show_codes(&written()?).await?;
    }
    let (boxes, size) = (made.boxes, bytes(made.bytes));
    note(&format!("{boxes} boxes, {size}; only their recipients can read them"));
    Ok(())
}

/// Shows one code, or several in turn.
async fn show_codes(bundle: &[u8]) -> Result<(), Failure> {
    let codes = codes_of(bundle);
    if codes.len() > MAX_CODES {
        let text = "the bundle is too large for QR codes";
        return Err(Failure::new(ErrorKind::LocalConfig, text, "carry the file itself"));
    }
    for code in &codes {
        qr::show(code);
        if codes.len() > 1 && std::io::stderr().is_terminal() {
            tokio::time::sleep(QR_TIME).await;
        }
    }
    Ok(())
}

async fn read(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: BundleInArgs,
) -> Result<(), Failure> {
    let fail = |e| {
        let text = format!("cannot read the bundle: {e}");
        Failure::new(ErrorKind::LocalConfig, text, "use a file made by `hushwing lan bundle out`")
    };
    let scratch = scratch()?;
    let mut file = args.file.clone();
    if file == Path::new("-") {
        file = scratch.path().join("stdin");
        let mut copy = std::fs::File::create(&file).map_err(fail)?;
        std::io::copy(&mut std::io::stdin().lock().take(MAX_STDIN), &mut copy).map_err(fail)?;
    }
    let mut head = Vec::new();
    let limit = u64::try_from(2 * MAX_CODES * QR_CHARS).unwrap_or(u64::MAX);
    std::fs::File::open(&file).and_then(|f| f.take(limit).read_to_end(&mut head)).map_err(fail)?;
    if let Some(bundle) = of_codes(&head) {
        file = scratch.path().join("codes");
        std::fs::write(&file, bundle?).map_err(fail)?;
    }
    let path = LocalPath::new(&file);
    with(profiles, &without_network(at), async |session| {
        let taken = session.ask(BundleIn { path }).await?;
        let (boxes, new, size) = (taken.boxes, taken.new, bytes(taken.bytes));
        note(&format!("{boxes} boxes, {new} of them new, {size}"));
        let end = Instant::now() + AFTER_A_BUNDLE.min(args.patience.timeout);
        while let Some(event) = session.next_until(end).await {
            match event {
                Event::Message { message } if !message.you => out(&dated(&message))?,
                other => tell(&other),
            }
        }
        Ok(())
    })
    .await
}
