//! `hushwing relay` and `hushwing hub`.

use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jail::StateDir;
use minicbor::{Decode, Encode};
use server::config::{self, HUB_EXAMPLE, HubConfig, RELAY_EXAMPLE, RelayConfig};
use server::http::{HttpFace, HttpSettings};
use server::{HubRole, NodeConfig};
use wire::document::Role;
use wire::id::AccessKey;
use wire::{ErrorKind, NodeId};

use super::network;
use crate::cli::args::{HubArgs, RelayArgs};
use crate::exit::{Failure, OrFail};

/// What a room's maker must know of a hub: who it is and the key of an access class. Secret: the
/// key admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct HubCard {
    /// Its identity.
    #[n(0)]
    pub id: NodeId,
    /// An access key.
    #[n(1)]
    pub access: AccessKey,
}

/// Textual scheme of a hub card.
const CARD_SCHEME: &str = "hushwing:hub#";

impl HubCard {
    /// The text that the hub writes into its state directory.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{CARD_SCHEME}{}", BASE64URL_NOPAD.encode(&wire::encode(&self)))
    }
}

impl std::str::FromStr for HubCard {
    type Err = wire::Error;

    fn from_str(text: &str) -> Result<Self, wire::Error> {
        let malformed = wire::Error::Malformed("hub card");
        let data = text.trim().strip_prefix(CARD_SCHEME).ok_or(malformed)?;
        let bytes = BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| malformed)?;
        wire::decode(&bytes, "hub card")
    }
}

/// Ports of a relay's and a hub's onion service.
const RELAY_PORT: u16 = 5001;
const HUB_PORT: u16 = 6000;
/// Where the hub's onion service speaks HTTP, if the hub does.
const HTTP_PORT: u16 = 80;

/// Where a node is reached, for its operator's console.
pub(super) fn addresses(node: &server::Node) -> String {
    node.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Runs a relay until it is stopped.
///
/// # Errors
/// Settings, port, state directory.
pub async fn relay(args: RelayArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{RELAY_EXAMPLE}");
        return Ok(());
    }
    let mut settings: RelayConfig = super::settings(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    let region = config::region(args.region.as_deref().or(settings.region.as_deref())).or_fail()?;
    let (pointer, token) = network::read(&args.network).await?;
    let stop = settings::stopped();
    tokio::pin!(stop);
    let mut onion = args.onion.start(&args.dir, &[RELAY_PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(RELAY_PORT)).transpose()?;
    let mut node = server::relay::start(NodeConfig {
        role: Role::Relay,
        listen: (!args.onion.tor_only).then_some(settings.listen),
        onion: door,
        dialer: args.onion.dialer(onion.as_ref()),
        announce: settings.announce.map(Into::into),
        region,
        rate: settings.rate,
        max_connections: settings.max_connections,
        processing: settings.processing,
        pointer,
        token,
        dir: args.dir,
    })
    .await
    .or_fail()?;
    eprintln!("relay {} listens on {}", node.id.short(), addresses(&node));
    let mut rotate = rotations();
    let mut told = false;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = node.admitted(), if !told => {
                told = true;
                eprintln!("admitted by the directory");
            }
            Some(()) = rotate.recv() => {
                node.rotate_keys().await;
                eprintln!("keys of the coming epochs are new");
            }
        }
    }
    node.stop().await;
    drop(onion);
    Ok(())
}

/// Runs a hub until it is stopped.
///
/// # Errors
/// Settings, port, state directory, store.
pub async fn hub(args: HubArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{HUB_EXAMPLE}");
        return Ok(());
    }
    let mut settings: HubConfig = super::settings(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    settings.http_listen = args.http.or(settings.http_listen);
    let http = HttpSettings::new(&settings).or_fail()?;
    let region = config::region(args.region.as_deref().or(settings.region.as_deref())).or_fail()?;
    let (pointer, token) = network::read(&args.network).await?;
    let mut onion = args.onion.start(&args.dir, &[HUB_PORT, HTTP_PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(HUB_PORT)).transpose()?;
    let node = NodeConfig {
        role: Role::Hub,
        listen: (!args.onion.tor_only).then_some(settings.listen),
        onion: door,
        dialer: args.onion.dialer(onion.as_ref()),
        announce: settings.announce.map(Into::into),
        region,
        rate: settings.rate,
        max_connections: settings.max_connections,
        processing: settings.processing,
        pointer,
        token,
        dir: args.dir.clone(),
    };
    let stop = settings::stopped();
    tokio::pin!(stop);
    let mut hub = HubRole::start(node, &settings).await.or_fail()?;
    write_cards(&args.dir, &hub)?;
    eprintln!(
        "hub {} listens on {}; its cards are in {}",
        hub.node.id.short(),
        addresses(&hub.node),
        args.dir.display()
    );
    let face = match http.listen {
        Some(_) => Some(HttpFace::start(http, hub.handle()).await.or_fail()?),
        None => None,
    };
    if let Some(address) = face.as_ref().and_then(|face| face.address) {
        write_http_keys(&args.dir, &hub)?;
        eprintln!("HTTP at http://{address}/; its keys are in {}", args.dir.display());
    }
    if let (Some(face), Some(onion)) = (&face, &mut onion) {
        face.set_onion(Some(onion.service.name()));
        face.serve_onion(onion.door(HTTP_PORT)?.incoming);
    }
    let mut told = false;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = hub.node.admitted(), if !told => {
                told = true;
                eprintln!("admitted by the directory");
            }
        }
    }
    if let Some(face) = face {
        face.stop().await;
    }
    hub.stop().await;
    drop(onion);
    Ok(())
}

/// Writes `http-key` (members) and `http-key-guest` into the hub's directory, as HTTP wants them.
fn write_http_keys(dir: &Path, hub: &HubRole) -> Result<(), Failure> {
    let state = StateDir::open(dir).or_fail()?;
    for (name, access) in [("http-key", hub.member), ("http-key-guest", hub.guest)] {
        state
            .write(name, format!("{}\n", HEXLOWER.encode(access.as_bytes())).as_bytes())
            .or_fail()?;
    }
    Ok(())
}

/// Writes `hub` (members) and `hub-guest` into the hub's directory, for `hushwing room`.
fn write_cards(dir: &Path, hub: &HubRole) -> Result<(), Failure> {
    let state = StateDir::open(dir).or_fail()?;
    for (name, access) in [("hub", hub.member), ("hub-guest", hub.guest)] {
        let card = HubCard { id: hub.node.id, access };
        state.write(name, card.to_text().as_bytes()).or_fail()?;
    }
    Ok(())
}

/// Reads a hub card from a file.
///
/// # Errors
/// When the file is not there or holds something else.
pub fn read_card(path: &Path) -> Result<HubCard, Failure> {
    let fail = |e: &dyn std::fmt::Display| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no hub card in {}: {e}", path.display()),
            "a hub writes its cards `hub` and `hub-guest` into its --dir",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|e| fail(&e))?;
    text.parse().map_err(|e| fail(&e))
}

/// A message for each SIGHUP: new keys, please.
fn rotations() -> tokio::sync::mpsc::Receiver<()> {
    let (tx, rx) = tokio::sync::mpsc::channel(1);
    #[cfg(unix)]
    if let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                if tx.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    rx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_card_survives_its_text() {
        let card = HubCard { id: NodeId::new([1; 32]), access: AccessKey::new([2; 16]) };
        assert_eq!(card.to_text().parse::<HubCard>().unwrap(), card);
        assert!("hushwing:hub#".parse::<HubCard>().is_err());
        assert!("nonsense".parse::<HubCard>().is_err());
    }
}
