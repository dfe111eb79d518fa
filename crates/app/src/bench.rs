//! `hushwing bench`: whole paths on this machine, against the budgets of the design.

mod crowd;
mod hub;
mod messages;
mod mosquitto;
mod path;
mod relay;

use std::time::Duration;

use e2ee::NetworkPlace;
use serde::Serialize;
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NodeId};

use crate::args::{BenchArgs, BenchWhat};
use api::Failure;

/// One measured line.
#[derive(Debug, Serialize)]
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// What the design allows, and whether that is a least or a most.
    budget: Option<(Bound, f64)>,
    meets: Option<bool>,
}

/// How a budget binds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtLeast,
    AtMost,
}

impl Figure {
    fn new(what: &'static str, value: f64, unit: &'static str) -> Self {
        Figure { what, value, unit, budget: None, meets: None }
    }

    fn within(self, bound: Bound, budget: f64) -> Self {
        let meets = match bound {
            Bound::AtLeast => self.value >= budget,
            Bound::AtMost => self.value <= budget,
        };
        Figure { budget: Some((bound, budget)), meets: Some(meets), ..self }
    }
}

/// Runs a benchmark; aligned text, or one JSON array with `--json`.
///
/// # Errors
/// When the network for it does not start.
pub async fn run(args: BenchArgs) -> Result<(), Failure> {
    let (figures, json) = match args.what {
        BenchWhat::Relay { packets, json } => (relay::run(packets).await?, json),
        BenchWhat::Hub { boxes, watchers, json } => (hub::run(boxes, watchers).await?, json),
        BenchWhat::Messages { messages, json } => (messages::run(messages).await?, json),
        BenchWhat::Crowd { talkers, readers, lines, json } => {
            (crowd::run(talkers, readers, lines)?, json)
        }
        BenchWhat::Path { messages, hops, json } => (path::run(messages, hops).await?, json),
    };
    if json {
        println!("{}", serde_json::to_string(&figures).unwrap_or_default());
        return Ok(());
    }
    for f in &figures {
        let budget = match f.budget {
            None => String::new(),
            Some((Bound::AtLeast, b)) => format!("  (budget: at least {b})"),
            Some((Bound::AtMost, b)) => format!("  (budget: at most {b})"),
        };
        println!("{:<44} {:>12.2} {}{budget}", f.what, f.value, f.unit);
    }
    Ok(())
}

/// A network where nobody is, for people who need none.
fn nowhere() -> NetworkPlace {
    NetworkPlace {
        network: NetworkId::new([1; 32]),
        directories: vec![DirectoryPointer {
            id: NodeId::new([2; 32]),
            address: wire::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1))),
        }],
        hub: NodeId::new([3; 32]),
        access: AccessKey::new([4; 16]),
    }
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// CPU time of the calling thread, as the system counts it (in ticks of 10 ms).
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // After the command's closing parenthesis: state is field 3, utime and stime are fields 14 and
    // 15.
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse().ok())
        .collect();
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}

/// Resident memory of this process, MiB.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn broken(what: impl std::fmt::Display) -> Failure {
    Failure::other(
        format!("the benchmark broke off: {what}"),
        "run it again with -vv and report what it says",
    )
}
