//! Starting a network.

use std::cell::Cell;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::net::{Client, Net};
use crate::node::{Common, Kind, Node};
use crate::schedule::{self, Schedule};
use crate::{Error, Result};

const AUTHORITIES: u8 = 3;
/// Seconds from the start of the processes to the first consensus, in one try after another. Whose
/// description has not come four seconds before it is not in it, and on a busy machine a tor takes
/// five seconds to start.
const LEADS: [u64; 4] = [13, 20, 30, 40];
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a node without the directory is told to look again.
const URGE_EVERY: Duration = Duration::from_secs(1);
/// From the first consensus until everything must run.
const PATIENCE: Duration = Duration::from_secs(40);
/// What a tor loads before it can build circuits.
const DIRECTORY: [&str; 3] =
    ["cached-microdesc-consensus", "cached-microdescs.new", "cached-certs"];

/// What to start besides three authorities and a client.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Relays; the authorities relay as well.
    pub relays: u8,
    /// How many of the relays are exits, to 127.0.0.0/8 alone.
    pub exits: u8,
    /// Bridges; each speaks obfs4 as well if `obfs4proxy` is installed.
    pub bridges: u8,
    /// How long after the start no change of time period may come. Much makes the start wait.
    pub steady: Duration,
}

impl Default for Options {
    fn default() -> Self {
        // Authorities give no authority a measured bandwidth, so clients hardly ever choose one:
        // these alone make paths. A path to an onion service takes five, under vanguards, and who
        // started a second later than most is not Stable, and no part of it.
        Options { relays: 8, exits: 0, bridges: 0, steady: Duration::from_secs(900) }
    }
}

/// A network that this process runs; dropping it kills all its processes.
pub struct Tornet {
    net: Net,
    nodes: Vec<Node>,
}

impl std::fmt::Debug for Tornet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tornet({} processes)", self.nodes.len())
    }
}

impl Deref for Tornet {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.net
    }
}

impl Tornet {
    /// Starts a network with its files in `dir`, which is emptied first, and waits until clients
    /// can use it.
    ///
    /// # Errors
    /// A program is missing or ended, or the network did not come up.
    pub fn start(dir: &Path, options: &Options) -> Result<Tornet> {
        let mut last = Error::Incomplete("not tried".into());
        for lead in LEADS {
            match attempt(dir, options, lead) {
                // What a first consensus lacks comes only with the next one, minutes later: sooner
                // done again.
                Err(error @ Error::Incomplete(_)) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    /// An error if one of the processes has ended.
    ///
    /// # Errors
    /// [`Error::Died`].
    pub fn check(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::check)
    }
}

/// A program along `PATH`.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

fn attempt(dir: &Path, options: &Options, lead: u64) -> Result<Tornet> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let dir = &dir.canonicalize().map_err(Error::io(dir))?;
    let mut nodes = make_nodes(dir, options)?;
    let mut client = nodes.pop().ok_or_else(|| Error::Incomplete("no client".into()))?;

    let schedule = Schedule::soonest(schedule::now().as_secs(), lead, options.steady.as_secs());
    let mut lines: Vec<_> =
        ["TestingTorNetwork 1", "PathsNeededToBuildCircuits 0.67", "NumCPUs 1", "ConnLimit 60"]
            .map(str::to_owned)
            .into();
    lines.extend(of(&nodes, Kind::Authority).map(Node::authority_line));
    let (bandwidths, obfs4proxy) = (dir.join("bandwidths"), installed("obfs4proxy"));
    write_bandwidths(&bandwidths, &nodes)?;
    let common = Common { lines, schedule, exits: options.exits > 0, bandwidths, obfs4proxy };
    nodes.iter().chain([&client]).try_for_each(|node| node.write_torrc(&common))?;

    thread::sleep(Duration::from_secs(schedule.start).saturating_sub(schedule::now()));
    nodes.iter_mut().try_for_each(Node::start)?;
    let deadline = Instant::now() + Duration::from_secs(lead) + PATIENCE;
    // The client last, and with the directory in place: whatever some relay does not have yet costs
    // it a long wait.
    let source = nodes.first().map(|n| n.data.clone()).unwrap_or_default();
    wait(
        deadline,
        &mut nodes,
        |_| DIRECTORY.iter().all(|file| source.join(file).exists()),
        "no consensus",
    )?;
    let consensus = source.join("cached-microdesc-consensus");
    let consensus = fs::read_to_string(&consensus).map_err(Error::io(&consensus))?;
    let (named, all) =
        (consensus.lines().filter(|l| l.starts_with("r ")).count(), public(&nodes).count());
    if named < all {
        return Err(Error::Incomplete(format!("the first consensus has {named} of {all} relays")));
    }
    for file in DIRECTORY {
        let from = source.join(file);
        fs::copy(&from, client.data.join(file)).map_err(Error::io(&from))?;
    }
    client.start()?;
    nodes.push(client);
    let urged = Cell::new(Instant::now());
    let ready = |nodes: &[Node]| {
        if urged.get().elapsed() > URGE_EVERY {
            urge(nodes);
            urged.set(Instant::now());
        }
        usable(nodes)
    };
    wait(deadline, &mut nodes, ready, "not all relays are in use")?;
    let mut obfs4_lines = Vec::new();
    if common.obfs4proxy.is_some() {
        let arguments = |nodes: &[Node]| {
            of(nodes, Kind::Bridge).map(Node::obfs4_arguments).collect::<Option<Vec<_>>>()
        };
        wait(deadline, &mut nodes, |nodes| arguments(nodes).is_some(), "no obfs4")?;
        obfs4_lines = arguments(&nodes).unwrap_or_default();
    }
    let net = describe(&nodes, &common, obfs4_lines)?;
    Ok(Tornet { net, nodes })
}

/// The authorities first, the client last.
fn make_nodes(dir: &Path, options: &Options) -> Result<Vec<Node>> {
    let kinds = [
        (Kind::Authority, AUTHORITIES),
        (Kind::Exit, options.exits),
        (Kind::Relay, options.relays.saturating_sub(options.exits)),
        (Kind::Bridge, options.bridges),
        (Kind::Client, 1),
    ];
    let kinds = kinds.into_iter().flat_map(|(kind, count)| (0..count).map(move |_| kind));
    let mut nodes =
        (0..).zip(kinds).map(|(n, kind)| Node::new(dir, kind, n)).collect::<Result<Vec<_>>>()?;
    // An authority's key takes a second or more.
    thread::scope(|scope| {
        let making: Vec<_> =
            nodes.iter_mut().map(|node| scope.spawn(|| node.make_keys())).collect();
        making.into_iter().try_for_each(|thread| match thread.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok(nodes)
}

fn of(nodes: &[Node], kind: Kind) -> impl Iterator<Item = &Node> {
    nodes.iter().filter(move |n| n.kind == kind)
}

fn public(nodes: &[Node]) -> impl Iterator<Item = &Node> {
    nodes.iter().filter(|n| !matches!(n.kind, Kind::Bridge | Kind::Client))
}

/// Fixed weights. Without them every relay weighs nothing at first, but for one that happened to
/// measure something, and clients then choose that one for every hop.
fn write_bandwidths(path: &Path, nodes: &[Node]) -> Result<()> {
    let mut text = format!("{}\n", schedule::now().as_secs());
    for node in public(nodes) {
        text += &format!("node_id=${} bw=1000 nick={}\n", node.fingerprint, node.nick);
    }
    fs::write(path, text).map_err(Error::io(path))
}

fn wait(
    deadline: Instant,
    nodes: &mut [Node],
    done: impl Fn(&[Node]) -> bool,
    otherwise: &str,
) -> Result<()> {
    while !done(nodes) {
        nodes.iter_mut().try_for_each(Node::check)?;
        if Instant::now() > deadline {
            return Err(Error::Incomplete(otherwise.to_owned()));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Who has asked in vain before the first consensus asks again after longer and longer pauses, of
/// up to minutes: a new start of counting helps.
fn urge(nodes: &[Node]) {
    for node in nodes.iter().filter(|n| !n.has_directory()) {
        let _ = node.control().and_then(|mut control| control.ask("SIGNAL RELOAD"));
    }
}

/// Whether the client is connected and knows all relays, and each of them can hand the directory to
/// others.
fn usable(nodes: &[Node]) -> bool {
    let seen = || -> Result<bool> {
        let mut all = public(nodes);
        let count = public(nodes).count();
        let client = nodes.last().ok_or_else(|| Error::Incomplete("no client".into()))?;
        let mut control = client.control()?;
        let connected = control
            .ask("GETINFO status/bootstrap-phase")?
            .iter()
            .any(|l| l.contains("PROGRESS=100 "));
        let flags = control.ask("GETINFO ns/all")?;
        let running = flags
            .iter()
            .filter(|l| l.starts_with("s ") && l.contains(" HSDir") && l.contains(" Running"));
        Ok(connected && running.count() >= count && all.all(Node::has_directory))
    };
    seen().unwrap_or(false)
}

fn describe(nodes: &[Node], common: &Common, obfs4_arguments: Vec<String>) -> Result<Net> {
    let client = nodes.last().ok_or_else(|| Error::Incomplete("no client".into()))?;
    let obfs4 = common.obfs4proxy.is_some();
    let bridges: Vec<_> = of(nodes, Kind::Bridge).map(|n| n.as_relay(obfs4)).collect();
    let obfs4_lines = bridges.iter().zip(obfs4_arguments).filter_map(|(bridge, arguments)| {
        bridge.obfs4.map(|at| format!("obfs4 {at} {} {arguments}", bridge.fingerprint))
    });
    Ok(Net {
        arti_toml: arti_toml(nodes),
        torrc_client: common.lines.clone(),
        client: Client {
            socks: client.main_at(),
            control: client.control_at(),
            data: client.data.clone(),
        },
        relays: public(nodes).map(|n| n.as_relay(false)).collect(),
        bridge_lines: bridges.iter().map(|b| format!("{} {}", b.or, b.fingerprint)).collect(),
        obfs4_lines: obfs4_lines.collect(),
        bridges,
        period_ends: common.schedule.period_ends(),
    })
}

fn arti_toml(nodes: &[Node]) -> String {
    let mut text = "[tor_network]\nfallback_caches = [\n".to_owned();
    for node in of(nodes, Kind::Authority) {
        text += &format!(
            "  {{ rsa_identity = \"{}\", ed_identity = \"{}\", orports = [\"{}\"] }},\n",
            node.fingerprint,
            node.ed25519,
            node.main_at()
        );
    }
    let idents: Vec<_> = of(nodes, Kind::Authority).map(Node::v3ident).collect();
    text += &format!("]\n\n[tor_network.authorities]\nv3idents = {idents:?}\n");
    let at: Vec<_> = of(nodes, Kind::Authority).map(|n| [n.directory_at().to_string()]).collect();
    for what in ["uploads", "downloads", "votes"] {
        text += &format!("{what} = {at:?}\n");
    }
    text
}
