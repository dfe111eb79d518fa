//! `hushwing doctor LINK`: walks the way to a room and names the broken piece.

mod through;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mix::Fault;
use mix::directory::{EnrolmentKey, VerifiedDocument};
use mix::path::EntryPolicy;
use net::lan::{Allowed, Heard, Probe};
use net::{Dialer, LinkLimits};
use routes::{CarrierEvent, OnionCarrier, OnionOptions, fetch_document};
use serde::Serialize;
use wire::document::Role;
use wire::{Address, ErrorKind, NodeId};

use crate::args::DoctorArgs;
use crate::chat::parse_link;
use api::Failure;

/// What the names of pieces of the local network begin with.
const LAN: &str = "local network";
/// Longest wait for one piece.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same through Tor.
const TOR_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
struct Finding {
    piece: String,
    ok: bool,
    detail: String,
    ms: u128,
}

struct Report {
    json: bool,
    findings: Vec<Finding>,
    /// A directory may only be of another version.
    other_version: bool,
}

impl Report {
    fn add(
        &mut self,
        piece: impl Into<String>,
        since: Instant,
        result: Result<String, String>,
    ) -> bool {
        let ok = result.is_ok();
        let finding = Finding {
            piece: piece.into(),
            ok,
            detail: result.unwrap_or_else(|e| e),
            ms: since.elapsed().as_millis(),
        };
        if !self.json {
            let mark = if ok { "ok  " } else { "FAIL" };
            println!("{mark} {} — {} ({} ms)", finding.piece, finding.detail, finding.ms);
        }
        self.findings.push(finding);
        ok
    }
}

/// Runs the checks, one line each.
///
/// # Errors
/// When a piece is broken: exit code 5.
pub async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let mut report = Report { json: args.json, findings: Vec::new(), other_version: false };
    if args.lan {
        local_network(&args.interface, &mut report).await;
    }
    if let Some(link) = &args.link {
        network(&args, link, &mut report).await?;
    }
    if args.json {
        println!("{}", serde_json::to_string(&report.findings).unwrap_or_default());
    }
    match report.findings.iter().find(|f| !f.ok) {
        None => Ok(()),
        Some(broken) if broken.piece.starts_with(LAN) => Err(Failure::new(
            ErrorKind::Network,
            format!("{} is broken: {}", broken.piece, broken.detail),
            "allow UDP port 54545 and TCP ports from 45454 on in the firewall; guest networks often keep devices apart",
        )),
        Some(broken) => Err(Failure::new(
            ErrorKind::Network,
            format!("{} is broken: {}", broken.piece, broken.detail),
            if report.other_version {
                "update Hushwing here, or ask the network's operator to update the directory"
            } else {
                "its operator can restart it, in any order"
            },
        )),
    }
}

/// Whether neighbours can hear and reach us on each interface.
async fn local_network(names: &[String], report: &mut Report) {
    let allowed = if names.is_empty() { Allowed::Private } else { Allowed::Named(names.to_vec()) };
    let since = Instant::now();
    let found = net::lan::interfaces(&allowed).map_err(|e| e.to_string());
    let some = found.as_ref().is_ok_and(|found| !found.is_empty());
    let told = match &found {
        Ok(found) if some => {
            Ok(found.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", "))
        }
        Ok(_) => Err("no allowed interface has an address".to_owned()),
        Err(error) => Err(error.clone()),
    };
    report.add(format!("{LAN} interfaces"), since, told);
    for interface in found.unwrap_or_default() {
        let since = Instant::now();
        let Probe { multicast, tcp } = net::lan::probe(&interface).await;
        let heard = match multicast {
            Heard::Yes => {
                Ok("is heard on its own interface; other devices may still drop it".to_owned())
            }
            Heard::No => Err("sent but not received: a firewall drops UDP port 54545".to_owned()),
            Heard::CannotSend => {
                Err("cannot be sent: a firewall blocks it, or the interface has no multicast"
                    .to_owned())
            }
        };
        report.add(format!("{LAN} {}: multicast", interface.name), since, heard);
        let reached = if tcp {
            Ok("accepts connections".to_owned())
        } else {
            Err("accepts no connections".to_owned())
        };
        report.add(format!("{LAN} {}: TCP", interface.name), since, reached);
    }
}

/// Walks the way to a room.
async fn network(args: &DoctorArgs, link: &str, report: &mut Report) -> Result<(), Failure> {
    let join = parse_link(link)?;
    let key = settings::client_key(args.key.as_deref())?;
    let place = join.place().clone();
    report.add("link", Instant::now(), Ok("well formed".to_owned()));

    let scratch = args.through_tor.then(settings::scratch).transpose()?;
    let dialer = match &scratch {
        Some(dir) => {
            let since = Instant::now();
            let tor = args.tor.start(dir.path()).await?;
            report.add("tor", since, Ok("connected".to_owned()));
            Dialer::Tor(tor.dialer())
        }
        None => Dialer::Direct,
    };

    let mut document = None;
    for (n, directory) in place.directories.iter().enumerate() {
        let since = Instant::now();
        let fetched = fetch_document(&dialer, directory, &place.network, key.as_deref()).await;
        report.other_version |= fetched.as_ref().is_err_and(routes::Error::may_be_another_version);
        let told = fetched.as_ref().map_err(ToString::to_string).map(describe);
        report.add(format!("directory {}", n + 1), since, told);
        document = document.or(fetched.ok());
    }
    if let Some(document) = &document {
        let mut answering = true;
        for (n, node) in document.nodes.iter().enumerate() {
            let since = Instant::now();
            let what = match node.role {
                Role::Relay => "relay",
                Role::Hub => "hub",
            };
            let reached = match dialer.order(&node.addresses).first().copied() {
                Some(address) => knock(&dialer, address, node.id).await,
                None => {
                    Err("has no address that this route can reach; try --through-tor".to_owned())
                }
            };
            let piece = format!("{what} {} ({})", n + 1, node.id.short());
            answering &= report.add(piece, since, reached);
        }
        let since = Instant::now();
        let (have, need) = (document.longest_path(), usize::from(document.paths.min_relays));
        let enough = if have >= need {
            let dialing = match document.dials_only.len() {
                0 => String::new(),
                n => format!(", {n} more only dial"),
            };
            Ok(format!("{} in the network{dialing}, paths need {need}", document.relays().count()))
        } else {
            Err(format!("too few relays: {have} in the network, paths need {need}"))
        };
        let enough = report.add("relays", since, enough);
        let there = if document.node(&place.hub).is_some() {
            Ok("in the network document".to_owned())
        } else {
            Err("not in the network document: it is down or was never admitted".to_owned())
        };
        if report.add("the room's hub", since, there) && enough {
            // A node that does not answer is named already, and would only keep us waiting.
            if answering {
                through_all(&place, &dialer, key.clone(), document, report).await;
            }
            let since = Instant::now();
            report.add("onion route", since, echo(&place, &dialer, key.clone()).await);
        }
    }
    Ok(())
}

/// Packets through each node and over each link: answering is not yet passing on.
async fn through_all(
    place: &e2ee::NetworkPlace,
    dialer: &Dialer,
    key: Option<Arc<EnrolmentKey>>,
    document: &VerifiedDocument,
    report: &mut Report,
) {
    let since = Instant::now();
    let patience = if matches!(dialer, Dialer::Direct) { PATIENCE } else { TOR_PATIENCE };
    let verdict = through::probe_all(place, dialer, key, document, patience).await;
    let named = |id: &NodeId| {
        let all = || document.nodes.iter().chain(&document.dials_only);
        let n = all().position(|node| node.id == *id).unwrap_or_default();
        let hub = document.hubs().any(|hub| hub.id == *id);
        format!("{} {} ({})", if hub { "hub" } else { "relay" }, n + 1, id.short())
    };
    let all = format!("{} of {} probes came back", verdict.back, verdict.sent);
    if verdict.faults.is_empty() {
        report.add("through all nodes and links", since, Ok(all));
        return;
    }
    for fault in &verdict.faults {
        let (piece, text) = match fault {
            Fault::Node(node) => (format!("through {}", named(node)), "packets vanish in it"),
            Fault::Link(from, to) => {
                (format!("between {} and {}", named(from), named(to)), "packets vanish on the way")
            }
        };
        report.add(piece, since, Err(format!("{text}; {all}")));
    }
}

fn describe(document: &VerifiedDocument) -> String {
    format!(
        "epoch {}, {} relays, {} hubs, mean delay {} ms per hop",
        document.epoch,
        document.relays().count(),
        document.hubs().count(),
        document.mixing.mean_delay_ms
    )
}

fn limits() -> LinkLimits {
    LinkLimits { connect_timeout: PATIENCE, handshake_timeout: PATIENCE, ..LinkLimits::default() }
}

async fn knock(dialer: &Dialer, address: Address, id: NodeId) -> Result<String, String> {
    net::connect_with(dialer, address, id, None, &limits()).await.map_err(|e| e.to_string())?;
    Ok("answers with its key".to_owned())
}

/// One echo through relays and hub and back.
async fn echo(
    place: &e2ee::NetworkPlace,
    dialer: &Dialer,
    key: Option<Arc<EnrolmentKey>>,
) -> Result<String, String> {
    let mut carrier = OnionCarrier::start(OnionOptions {
        pointer: place.network_pointer(),
        hub: place.hub,
        access: place.access,
        cover: Some(wire::document::CoverLevel::Off),
        entry: EntryPolicy::Random,
        dir: None,
        dialer: dialer.clone(),
        key,
    });
    carrier.probe();
    let mut last = "no answer".to_owned();
    let answered = async {
        loop {
            match carrier.next().await {
                CarrierEvent::Answered(after) => return after,
                CarrierEvent::Status(status) if !status.up => last = status.text,
                CarrierEvent::Notice(text) => last = text,
                _ => {}
            }
        }
    };
    match tokio::time::timeout(
        if matches!(dialer, Dialer::Direct) { PATIENCE } else { TOR_PATIENCE },
        answered,
    )
    .await
    {
        Ok(after) => Ok(format!("an echo came back after {} ms", after.as_millis())),
        Err(_) => Err(last),
    }
}
