//! `hushwing trace`: sends one packet through a network with tallies, and verifies offline which
//! nodes processed it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use data_encoding::HEXLOWER;
use mix::path::EntryPolicy;
use mix::tally::{Fault, Receipt, ReceiptHop};
use routes::{CarrierEvent, OnionCarrier, OnionOptions};
use serde::{Deserialize, Serialize};
use settings::TorArgs;
use sphinx::HopSecret;
use wire::{ErrorKind, NetworkId, NodeId, Tally};

use crate::chat::parse_link;
use api::Failure;

/// Settings of `trace`.
#[derive(Debug, Clone, Args)]
pub struct TraceArgs {
    /// Room link, to send a packet; or a receipt, to verify it offline.
    #[arg(value_name = "LINK|FILE")]
    pub what: String,
    /// Write the receipt to this file (mode 0600): it names the packet's path.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Your client key, for networks that admit only enrolled clients.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Longest wait for the answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest receipt that is read, bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A receipt as a file: hexadecimal text, so that others can compute it again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptFile {
    version: u8,
    network: String,
    epoch: u64,
    first_tally: String,
    hops: Vec<HopFile>,
    final_tally: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HopFile {
    node: String,
    processing: String,
    planned_delay_ms: u32,
    key: String,
}

impl ReceiptFile {
    fn of(receipt: &Receipt) -> Self {
        ReceiptFile {
            version: 1,
            network: HEXLOWER.encode(receipt.network.as_bytes()),
            epoch: receipt.epoch,
            first_tally: HEXLOWER.encode(receipt.first.as_bytes()),
            hops: receipt
                .hops
                .iter()
                .map(|h| HopFile {
                    node: HEXLOWER.encode(h.node.as_bytes()),
                    processing: h.processing.name().to_owned(),
                    planned_delay_ms: h.delay_ms,
                    key: HEXLOWER.encode(h.key.as_bytes()),
                })
                .collect(),
            final_tally: receipt.last.map(|t| HEXLOWER.encode(t.as_bytes())),
        }
    }

    /// The receipt, if every part has its form.
    fn receipt(&self) -> Option<Receipt> {
        let bytes = |text: &str| -> Option<[u8; 32]> {
            HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
        };
        if self.version != 1 || self.hops.len() > usize::from(wire::limits::MAX_HOPS) {
            return None;
        }
        let hop = |h: &HopFile| {
            Some(ReceiptHop {
                node: NodeId::new(bytes(&h.node)?),
                processing: h.processing.parse().ok()?,
                delay_ms: h.planned_delay_ms,
                key: HopSecret::from_bytes(bytes(&h.key)?),
            })
        };
        let last = match &self.final_tally {
            Some(text) => Some(Tally::new(bytes(text)?)),
            None => None,
        };
        Some(Receipt {
            network: NetworkId::new(bytes(&self.network)?),
            epoch: self.epoch,
            hops: self.hops.iter().map(hop).collect::<Option<_>>()?,
            first: Tally::new(bytes(&self.first_tally)?),
            last,
        })
    }
}

/// Sends and verifies, or only verifies.
///
/// # Errors
/// No answer (5), a network without tallies (7), a receipt that is none (3), hops that did
/// otherwise (6).
pub async fn run(args: TraceArgs) -> Result<(), Failure> {
    let receipt = if args.what.trim().starts_with("hushwing:") {
        let receipt = send(&args).await?;
        if let Some(path) = &args.out {
            write(path, &ReceiptFile::of(&receipt))?;
        }
        receipt
    } else if args.out.is_some() {
        let text = "a receipt read from a file is not written to another";
        return Err(Failure::new(ErrorKind::LocalConfig, text, "leave out --out, or give a link"));
    } else {
        read(Path::new(&args.what))?
    };
    let told = receipt.verify();
    let text = if args.json { json(&receipt, &told) } else { lines(&receipt, &told) };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    match told {
        Ok(_) => Ok(()),
        Err(fault) => Err(Failure::new(
            fault.kind(),
            format!("the packet was not processed as planned: {fault}"),
            "a node on the path did not follow the network document, or somebody changed the receipt; trace again to use other relays",
        )),
    }
}

/// One echo through relays and hub and back.
async fn send(args: &TraceArgs) -> Result<Receipt, Failure> {
    let key = settings::client_key(args.key.as_deref())?;
    let join = parse_link(&args.what)?;
    let place = join.place();
    let (dialer, _scratch) = args.tor.dialer_for(place).await?;
    let mut carrier = OnionCarrier::start(OnionOptions {
        pointer: place.network_pointer(),
        hub: place.hub,
        access: place.access,
        cover: None,
        entry: EntryPolicy::Random,
        dir: None,
        dialer,
        key,
    });
    carrier.trace();
    let mut last = "timed out".to_owned();
    let traced = async {
        loop {
            match carrier.next().await {
                CarrierEvent::Traced(receipt) => return receipt,
                CarrierEvent::Status(status) if !status.up => last = status.text,
                CarrierEvent::Notice(text) => last = text,
                _ => {}
            }
        }
    };
    match tokio::time::timeout(PATIENCE, traced).await {
        Ok(Some(receipt)) => Ok(*receipt),
        Ok(None) => Err(Failure::new(
            ErrorKind::Unsupported,
            "packets of this network carry no tally",
            "use a network run by `hushwing primary`, or set `tally = true` on its directory",
        )),
        Err(_) => Err(Failure::new(
            ErrorKind::Network,
            format!("no answer: {last}"),
            "run `hushwing doctor LINK` to find what is broken",
        )),
    }
}

fn write(path: &Path, file: &ReceiptFile) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(file).unwrap_or_default() + "\n";
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut f| f.write_all(text.as_bytes())).map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot write {}: {e}", path.display()),
            "choose a file that does not exist yet",
        )
    })
}

fn read(path: &Path) -> Result<Receipt, Failure> {
    let bad = |why: String| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no receipt in {}: {why}", path.display()),
            "give a room link, or a file written by `hushwing trace LINK --out FILE`",
        )
    };
    let file = std::fs::File::open(path).map_err(|e| bad(e.to_string()))?;
    let parsed: ReceiptFile = serde_json::from_reader(std::io::Read::take(file, MAX_FILE))
        .map_err(|e| bad(e.to_string()))?;
    parsed.receipt().ok_or_else(|| bad("a field has an invalid format".to_owned()))
}

fn lines(receipt: &Receipt, told: &Result<Vec<Tally>, Fault>) -> String {
    let mut text = String::new();
    let count = receipt.hops.len();
    for (n, hop) in receipt.hops.iter().enumerate() {
        let role = if n + 1 == count { "hub" } else { "relay" };
        let tally = match told {
            Ok(tallies) => tallies.get(n).map(short).unwrap_or_default(),
            Err(_) => "?".to_owned(),
        };
        let (id, processing, delay) = (hop.node.short(), hop.processing, hop.delay_ms);
        let _ = writeln!(
            text,
            "{}  {role:<5} {id}  {processing:<8}  planned delay {delay} ms  tally {tally}",
            n + 1
        );
    }
    let _ = match told {
        Ok(_) => writeln!(
            text,
            "verified: exactly these {count} hops processed the packet, in this order"
        ),
        Err(fault) => writeln!(text, "NOT verified: {fault}"),
    };
    text
}

fn json(receipt: &Receipt, told: &Result<Vec<Tally>, Fault>) -> String {
    let hops: Vec<serde_json::Value> = receipt
        .hops
        .iter()
        .enumerate()
        .map(|(n, hop)| {
            let tally =
                told.as_ref().ok().and_then(|t| t.get(n)).map(|t| HEXLOWER.encode(t.as_bytes()));
            serde_json::json!({
                "hop": n + 1,
                "role": if n + 1 == receipt.hops.len() { "hub" } else { "relay" },
                "node": HEXLOWER.encode(hop.node.as_bytes()),
                "processing": hop.processing.name(),
                "planned_delay_ms": hop.delay_ms,
                "tally": tally,
            })
        })
        .collect();
    let value = serde_json::json!({
        "verified": told.is_ok(),
        "fault": told.as_ref().err().map(ToString::to_string),
        "epoch": receipt.epoch,
        "hops": hops,
        "final_processed": receipt.last.map(|t| HEXLOWER.encode(t.as_bytes())),
    });
    format!("{value}\n")
}

fn short(tally: &Tally) -> String {
    let mut text = HEXLOWER.encode(tally.as_bytes());
    text.truncate(8);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> ReceiptFile {
        let hop = |processing: &str| HopFile {
            node: "01".repeat(32),
            processing: processing.to_owned(),
            planned_delay_ms: 7,
            key: "02".repeat(32),
        };
        ReceiptFile {
            version: 1,
            network: "03".repeat(32),
            epoch: 9,
            first_tally: "04".repeat(32),
            hops: vec![hop("sha256"), hop("sha3-256")],
            final_tally: Some("05".repeat(32)),
        }
    }

    #[test]
    fn a_receipt_survives_its_file_and_a_part_without_its_form_is_refused() {
        let receipt = file().receipt().unwrap();
        assert_eq!(ReceiptFile::of(&receipt).receipt().unwrap(), receipt);
        let spoil: [fn(&mut ReceiptFile); 6] = [
            |f| f.version = 2,
            |f| f.network = "03".repeat(31),
            |f| f.first_tally = "zz".repeat(32),
            |f| f.hops[0].processing = "md5".to_owned(),
            |f| f.hops[1].key = String::new(),
            |f| f.hops = std::iter::repeat_with(|| file().hops.remove(0)).take(13).collect(),
        ];
        for (case, spoil) in spoil.iter().enumerate() {
            let mut spoilt = file();
            spoil(&mut spoilt);
            assert!(spoilt.receipt().is_none(), "case {case}");
        }
    }
}
