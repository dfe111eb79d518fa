//! `hushwing web`: opens doors to the face for browsers, on this machine and behind an onion service.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use net::tor::{ClientKey, OnionService, ServiceSettings, Tor};
use server::http::{Door, HttpLimits, OnionStreams};
use server::state::StateDir;
use tokio::net::TcpListener;
use wire::{ErrorKind, OnionName};
use zeroize::Zeroizing;

use super::onion::{authorized, kept_seed};
use crate::cli::args_profile::ProfileArgs;
use crate::cli::args_web::WebArgs;
use crate::cli::profile::{Make, options};
use crate::engine::profile::{Client, directory, passphrase};
use crate::exit::Failure;
use crate::web::{Doors, Happened, Passphrase, Web, router};

/// Where the face is, unless somebody else is there.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 42_069);
/// Port of the onion service: the one that browsers take.
const ONION_PORT: u16 = 80;
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
pub async fn run(at: &ProfileArgs, args: WebArgs) -> Result<(), Failure> {
    let options = options(at, Make::from(args.make));
    let stop = super::stopped();
    let (client, events) = Client::share(options.clone()).await?;
    let profile = directory(&options)?;
    let state = StateDir::open(&profile.join(DIR))?;
    let listener = listen(args.listen).await?;
    let address = listener.local_addr().map_err(no_port)?;
    if address.ip().is_unspecified() && args.host.is_empty() {
        let hint = "name one address of this machine, or say with --host under which names browsers ask";
        return Err(Failure::new(ErrorKind::LocalConfig, "browsers do not ask for 0.0.0.0", hint));
    }
    let remote = args.onion || !address.ip().is_loopback();
    let known = if remote { Some(known(&state.join(PASSPHRASE), args.new_passphrase).await?) } else { None };
    if !address.ip().is_loopback() {
        eprintln!(
            "warning: {address} can be reached from elsewhere, without TLS: whoever is between reads along; prefer --onion"
        );
    }
    let tor = if args.onion { Some(behind_tor(&args, &state).await?) } else { None };
    let mut hosts = args.host.clone();
    hosts.push(address.to_string());
    hosts.extend(tor.as_ref().map(|(_, _, name)| name.clone()));
    let web = Web::new(client, events, profile, &path(&state)?, Doors::new(known));
    let door = Door::new(router(web.clone(), hosts), HttpLimits::default());
    door.serve(listener);
    let _tor = tor.map(|(tor, mut service, name)| {
        if let Some(incoming) = service.take(ONION_PORT) {
            door.serve(OnionStreams(incoming));
        }
        eprintln!("in Tor Browser:  http://{name}/");
        (tor, service)
    });
    let page = state.join(OPEN);
    say(&web, address)?;
    if !args.no_open && std::io::stdout().is_terminal() {
        open(&page, &format!("http://{address}/#{}", web.code()));
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
                Happened::CameIn => {
                    let _ = std::fs::remove_file(&page);
                    eprintln!("a browser has come in; for another one:  http://{address}/#{}", web.code());
                }
            },
        }
    }
    let _ = std::fs::remove_file(&page);
    door.stop().await;
    Ok(())
}

/// The path that the face keeps, so that bookmarks and installed apps lead there after a restart.
fn path(state: &StateDir) -> Result<String, Failure> {
    let secret = state.secret32("path")?;
    Ok(data_encoding::BASE32_NOPAD.encode(&secret[..16]).to_ascii_lowercase())
}

fn say(web: &Web, address: SocketAddr) -> Result<(), Failure> {
    let code = web.code();
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "http://{address}/#{code}").and_then(|()| stdout.flush()).map_err(Failure::stdout)?;
    eprintln!(
        "open this link; it lets one browser in, within 15 minutes. Without scripts: open http://{address}/ and type {code}"
    );
    eprintln!("Ctrl-C ends the web face; your profile goes on as long as another face is open");
    Ok(())
}

#[allow(clippy::needless_pass_by_value, reason = "used as map_err argument")]
/// A port that cannot be had.
pub(super) fn no_port(error: std::io::Error) -> Failure {
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

/// The passphrase of the face, which is not the profile's: whoever learns it can come in, and not open a stolen disk.
async fn known(path: &Path, new: bool) -> Result<Passphrase, Failure> {
    if !new && let Some(kept) = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(kept);
    }
    let refused = |e: std::io::Error| {
        let text = format!("the passphrase cannot be kept in {}: {e}", path.display());
        Failure::new(ErrorKind::LocalStorage, text, "check the disk's space and rights")
    };
    let asked = tokio::task::spawn_blocking(|| {
        let text = passphrase("HUSHWING_WEB_PASSPHRASE", "passphrase for browsers from elsewhere", true)?;
        Ok::<_, Failure>(Passphrase::new(&text))
    });
    let bug = || Failure::new(ErrorKind::Bug, "the passphrase cannot be hashed", "please report this");
    let kept = asked.await.map_err(|_| bug())??.ok_or_else(bug)?;
    let bytes = serde_json::to_vec(&kept).map_err(|_| bug())?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut f| f.write_all(&bytes)).map_err(refused)?;
    Ok(kept)
}

/// Publishes the onion service, for holders of a key only.
async fn behind_tor(args: &WebArgs, state: &StateDir) -> Result<(Tor, OnionService, String), Failure> {
    let seed = kept_seed(&state.subdir("onion")?.join(""))?;
    let (clients, secret) = match &args.authorized {
        Some(file) => (authorized(file)?, None),
        None if args.unrestricted => (Vec::new(), None),
        None => {
            let secret = kept_seed(&state.subdir("onion-client")?.join(""))?;
            // The name plays no part in the key.
            let key = ClientKey::new(OnionName::from_key([0; 32]), secret);
            (vec![key.public().map_err(|e| crate::tor::failure(e.into()))?], Some(key.to_text()))
        }
    };
    let tor = args.tor.start(&state.subdir("tor")?.join("")).await?;
    let service = crate::tor::publish(&tor, ServiceSettings { seed, ports: vec![ONION_PORT], clients }).await?;
    let name = service.address(ONION_PORT).to_string();
    let name = name.strip_suffix(&format!(":{ONION_PORT}")).unwrap_or(&name).to_owned();
    if let Some(letters) = secret.as_ref().and_then(|text| text.rsplit(':').next()) {
        eprintln!("the key that Tor Browser asks for, once:  {letters}");
    }
    Ok((tor, service, name))
}

/// Starts the browser. The link goes through a file that only this user reads: other users can see arguments of programs.
fn open(page: &Path, link: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let displayed = cfg!(target_os = "macos")
        || std::env::var_os("DISPLAY").is_some()
        || std::env::var_os("WAYLAND_DISPLAY").is_some();
    let text = Zeroizing::new(format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>Hushwing</title>"
    ));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = displayed && options.open(page).and_then(|mut f| f.write_all(text.as_bytes())).is_ok();
    if written {
        let mut command = std::process::Command::new(program);
        let started = command.arg(PathBuf::from(page)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Without one the link is on the screen.
        let _ = started.spawn();
    }
}
