//! `hushwing web`: serves the front end for browsers, on this machine and behind an onion service.

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
Prints a link on stdout that lets one browser log in, once. Without --listen or --onion, only
programs on this machine can reach it. With them, browsers need a passphrase, which comes from
HUSHWING_WEB_PASSPHRASE or the terminal; the profile keeps its hash.
It starts the profile in the background if needed; that stops with the last front end.";

/// Settings of `web`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WebArgs {
    /// Address to listen on, without TLS: for other machines prefer --onion [default:
    /// 127.0.0.1:42069, or a free port if that is taken].
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Host name or address that browsers use, such as pi.lan:42069; repeatable [default: the
    /// address listened on].
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Do not start a browser.
    #[arg(long)]
    pub no_open: bool,
    /// Also serve as an onion service that only holders of a key can find, for example from your
    /// phone with Tor Browser.
    #[arg(long)]
    pub onion: bool,
    /// File that lists who may find the onion service, one line `descriptor:x25519:…` each
    /// [default: one new key, which is printed].
    #[arg(long, value_name = "FILE", requires = "onion")]
    pub authorized: Option<PathBuf>,
    /// Let anyone who knows the address reach the onion service: Tor Browser for Android supports
    /// no client keys. Then only the passphrase keeps others out.
    #[arg(long, requires = "onion", conflicts_with = "authorized")]
    pub unrestricted: bool,
    /// Ask for a new passphrase.
    #[arg(long)]
    pub new_passphrase: bool,
    /// How a new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// The address to listen on, unless another program has taken it.
const USUAL: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 42_069);
/// Directory for this front end, inside the profile's.
const DIR: &str = "web";
/// The hash of the passphrase.
const PASSPHRASE: &str = "passphrase.json";
/// A page that redirects to the link; only this user can read it.
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
        let hint = "give one address of this machine, or use --host to list the names browsers use";
        return Err(Failure::new(ErrorKind::LocalConfig, "browsers do not ask for 0.0.0.0", hint));
    }
    let remote = args.onion || !address.ip().is_loopback();
    let known = if remote { Some(known(&state, args.new_passphrase).await?) } else { None };
    if !address.ip().is_loopback() {
        eprintln!(
            "warning: {address} is reachable from other machines without TLS: anyone in between can read along; prefer --onion"
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
                    eprintln!("the profile's daemon has stopped, so this stops too");
                    break;
                }
                Happened::LoggedIn => {
                    state.remove(OPEN).or_fail()?;
                    eprintln!("a browser has logged in; for another one:  http://{address}/#{}", web.code());
                }
            },
        }
    }
    door.stop().await;
    state.remove(OPEN).or_fail()
}

/// The site's path, which is kept so that bookmarks and installed apps still work after a restart.
fn path(state: &StateDir) -> Result<String, Failure> {
    let secret = state.secret32("path").or_fail()?;
    Ok(data_encoding::BASE32_NOPAD.encode(&secret[..16]).to_ascii_lowercase())
}

fn say(web: &Web, address: SocketAddr, stays: bool) -> Result<(), Failure> {
    let code = web.code();
    out(&format!("http://{address}/#{code}"))?;
    eprintln!(
        "open this link in one browser within 15 minutes. Without scripts: open http://{address}/ and type {code}"
    );
    let then = if stays { "your profile keeps running" } else { UNREACHABLE };
    eprintln!("press Ctrl-C to stop; {then}");
    Ok(())
}

/// The failure to listen on a port.
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

/// The passphrase for browsers. It is not the profile's: a person who learns it can log in, but
/// cannot open a stolen disk.
async fn known(state: &StateDir, new: bool) -> Result<Passphrase, Failure> {
    let kept =
        state.read(PASSPHRASE).or_fail()?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(kept) = kept.filter(|_| !new) {
        return Ok(kept);
    }
    let asked = tokio::task::spawn_blocking(|| {
        let text =
            passphrase::ask(passphrase::WEB_VAR, "passphrase for browsers on other devices", true)?;
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
