//! `hushwing web`: opens doors to the face for browsers, on this machine and behind an onion
//! service.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use api::{Failure, GetStatus, Profiles};
use clap::Args;
use jail::StateDir;
use net::tor::{ClientKey, Tor};
use nodes::onion::{Site, authorized, kept_seed, site};
use server::http::{Door, HttpLimits};
use settings::{CreateArgs, CreatePolicy, ProfileArgs, TorArgs, passphrase};
use text::{OrFail as _, UNREACHABLE, out};
use tokio::net::TcpListener;
use web::{Happened, Logins, Passphrase, Web, router};
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::fail::OrFail as _;

const AFTER_HELP: &str = "\
Prints a link on stdout that lets one browser in, once. Only programs of this machine can reach it, unless --listen or --onion says
otherwise; then a passphrase is asked for, from HUSHWING_WEB_PASSPHRASE or the terminal, and kept as a hash in the profile.
It has the profile run in the background if nothing does yet, and ends by itself with the last face.";

/// Settings of `web`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WebArgs {
    /// Where to listen; default: 127.0.0.1:42069, or a free port when that is taken. There is no
    /// TLS: beyond this machine prefer --onion.
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// A name or address under which browsers ask, as in pi.lan:42069; may be given several times.
    /// Default: what is listened on.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Do not start a browser.
    #[arg(long)]
    pub no_open: bool,
    /// Also as an onion service that only holders of a key can find: for your phone with Tor
    /// Browser.
    #[arg(long)]
    pub onion: bool,
    /// Who may find the onion service: a file with a line `descriptor:x25519:…` for each; default:
    /// one key, which is printed.
    #[arg(long, value_name = "FILE", requires = "onion")]
    pub authorized: Option<PathBuf>,
    /// Let everybody find the onion service who knows its address: Tor Browser for Android takes no
    /// keys. The passphrase alone then keeps others out.
    #[arg(long, requires = "onion", conflicts_with = "authorized")]
    pub unrestricted: bool,
    /// Ask for a new passphrase.
    #[arg(long)]
    pub new_passphrase: bool,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Where the face is, unless somebody else is there.
const USUAL: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 42_069);
/// Directory of the face in the profile's.
const DIR: &str = "web";
/// What is kept of the passphrase.
const PASSPHRASE: &str = "passphrase.json";
/// A page that leads a browser in; only this user can read it.
const OPEN: &str = "open.html";

/// Serves until it is stopped.
///
/// # Errors
/// The profile, the port, Tor, the passphrase.
pub async fn run(profiles: &dyn Profiles, at: &ProfileArgs, args: WebArgs) -> Result<(), Failure> {
    let options = cli::options(at, CreatePolicy::from(args.create));
    let stop = settings::stopped();
    let (client, events) = profiles.share(&options).await.or_fail()?;
    let profile = profiles.directory(&options.profile).or_fail()?;
    let state = StateDir::open(&profile.join(DIR)).or_fail()?;
    let listener = listen(args.listen).await?;
    let address = listener.local_addr().map_err(no_port)?;
    if address.ip().is_unspecified() && args.host.is_empty() {
        let hint =
            "name one address of this machine, or say with --host under which names browsers ask";
        return Err(Failure::new(ErrorKind::LocalConfig, "browsers do not ask for 0.0.0.0", hint));
    }
    let remote = args.onion || !address.ip().is_loopback();
    let known = if remote { Some(known(&state, args.new_passphrase).await?) } else { None };
    if !address.ip().is_loopback() {
        eprintln!(
            "warning: {address} can be reached from elsewhere, without TLS: whoever is between reads along; prefer --onion"
        );
    }
    let site = if args.onion { Some(behind_tor(&args, &state).await?) } else { None };
    let mut hosts = args.host.clone();
    hosts.push(address.to_string());
    hosts.extend(site.as_ref().map(|(_, site)| site.name.to_string()));
    let stays = client.ask(GetStatus {}).await.or_fail()?.stays;
    let web = Web::new(client, events, profile, &path(&state)?, Logins::new(known));
    let door = Door::new(router(web.clone(), hosts), HttpLimits::default());
    door.serve(listener);
    let _tor = site.map(|(tor, site)| {
        door.serve(site.streams);
        eprintln!("in Tor Browser:  http://{}/", site.name);
        (tor, site.service)
    });
    say(&web, address, stays)?;
    if !args.no_open && std::io::stdout().is_terminal() {
        open(&state, &format!("http://{address}/#{}", web.code()))?;
    }
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            happened = web.happened() => match happened {
                Happened::Quit => break,
                Happened::Stopped => {
                    eprintln!("the profile's daemon has stopped, and the web face ends with it");
                    break;
                }
                Happened::LoggedIn => {
                    state.remove(OPEN).or_fail()?;
                    eprintln!("a browser has come in; for another one:  http://{address}/#{}", web.code());
                }
            },
        }
    }
    door.stop().await;
    Ok(state.remove(OPEN).or_fail()?)
}

/// The path that the face keeps, so that bookmarks and installed apps lead there after a restart.
fn path(state: &StateDir) -> Result<String, Failure> {
    let secret = state.secret32("path").or_fail()?;
    Ok(data_encoding::BASE32_NOPAD.encode(&secret[..16]).to_ascii_lowercase())
}

fn say(web: &Web, address: SocketAddr, stays: bool) -> Result<(), Failure> {
    let code = web.code();
    out(&format!("http://{address}/#{code}"))?;
    eprintln!(
        "open this link; it lets one browser in, within 15 minutes. Without scripts: open http://{address}/ and type {code}"
    );
    let then = if stays { "your profile goes on without it" } else { UNREACHABLE };
    eprintln!("Ctrl-C ends the web face; {then}");
    Ok(())
}

/// A port that cannot be had.
#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
pub(crate) fn no_port(error: std::io::Error) -> Failure {
    let hint = "stop the program that uses the port, or choose another address with --listen";
    Failure::new(ErrorKind::LocalConfig, format!("cannot listen: {error}"), hint)
}

async fn listen(asked: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    match asked {
        Some(address) => TcpListener::bind(address).await.map_err(no_port),
        // Two profiles on one machine: the second takes a port that is free.
        None => match TcpListener::bind(USUAL).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind((USUAL.ip(), 0)).await.map_err(no_port),
        },
    }
}

/// The passphrase of the face, which is not the profile's: whoever learns it can come in, and not
/// open a stolen disk.
async fn known(state: &StateDir, new: bool) -> Result<Passphrase, Failure> {
    let kept =
        state.read(PASSPHRASE).or_fail()?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(kept) = kept.filter(|_| !new) {
        return Ok(kept);
    }
    let asked = tokio::task::spawn_blocking(|| {
        let text =
            passphrase::ask(passphrase::WEB_VAR, "passphrase for browsers from elsewhere", true)?;
        Ok::<_, Failure>(Passphrase::new(&text))
    });
    let bug =
        || Failure::new(ErrorKind::Bug, "the passphrase cannot be hashed", "please report this");
    let kept = asked.await.map_err(|_| bug())??.ok_or_else(bug)?;
    state.write(PASSPHRASE, &serde_json::to_vec(&kept).map_err(|_| bug())?).or_fail()?;
    Ok(kept)
}

/// Publishes the onion service, for holders of a key only unless told otherwise.
async fn behind_tor(args: &WebArgs, state: &StateDir) -> Result<(Tor, Site), Failure> {
    let seed = kept_seed(&state.subdir("onion").or_fail()?.join(""))?;
    let (clients, key) = match &args.authorized {
        Some(file) => (authorized(file)?, None),
        None if args.unrestricted => (Vec::new(), None),
        None => {
            let secret = kept_seed(&state.subdir("onion-client").or_fail()?.join(""))?;
            let key = ClientKey::new(net::tor::onion_name(&seed), secret);
            (vec![key.public().map_err(|e| settings::tor::failure(e.into()))?], Some(key.to_text()))
        }
    };
    let tor = args.tor.start(&state.subdir("tor").or_fail()?.join("")).await?;
    let site = site(&tor, seed, clients).await?;
    if let Some(letters) = key.as_ref().and_then(|text| text.rsplit(':').next()) {
        eprintln!("the key that Tor Browser asks for, once:  {letters}");
    }
    Ok((tor, site))
}

/// Starts the browser. The link goes through a file that only this user reads: other users can see
/// arguments of programs.
fn open(state: &StateDir, link: &str) -> Result<(), Failure> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let displayed = cfg!(target_os = "macos")
        || std::env::var_os("DISPLAY").is_some()
        || std::env::var_os("WAYLAND_DISPLAY").is_some();
    if !displayed {
        return Ok(());
    }
    let text = Zeroizing::new(format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>Hushwing</title>"
    ));
    state.write(OPEN, text.as_bytes()).or_fail()?;
    let mut command = std::process::Command::new(program);
    let started = command
        .arg(state.join(OPEN))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Without one the link is on the screen.
    let _ = started.spawn();
    Ok(())
}
