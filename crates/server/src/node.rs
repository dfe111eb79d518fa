//! What relays and hubs share: links, the mix core, epoch keys, the directory link.

mod core;
mod follow;
mod keys;
mod loops;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use jail::StateDir;
use net::Clock;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::document::{Processing, Region, Role};
use wire::id::AdmissionToken;
use wire::{Address, BootId, NetworkPointer, NodeId};

pub(crate) use self::core::Input;
pub use self::core::NodeStats;
pub(crate) use self::serve::next_link;
use crate::Error;
use crate::accept::accept;
use crate::inbox::Deliver;
use crate::outgoing::Budget;

/// Open files that are kept for other things than links that come in.
const RESERVED_FILES: usize = 384;
/// Packets that may wait for the mix core: at most about 10 MB. Links are read no faster.
const INPUTS: usize = 1_024;
/// Bytes that may wait to be written to links, all together.
const QUEUED_BYTES: usize = 32 << 20;

/// The side of an onion service that a role takes: where it is reached, and the streams that come.
#[derive(Debug)]
pub struct OnionDoor {
    /// The service's name and the port.
    pub address: Address,
    /// Its streams.
    pub incoming: net::tor::OnionIncoming,
    /// The service, if it is to end with the role.
    pub service: Option<net::tor::OnionService>,
}

/// What a relay or hub needs to run.
#[derive(Debug)]
pub struct NodeConfig {
    /// Relay or hub.
    pub role: Role,
    /// Where to listen; `None` for a node that has no address but its onion one.
    pub listen: Option<std::net::SocketAddr>,
    /// Its onion service, if it has one.
    pub onion: Option<OnionDoor>,
    /// How it reaches the directory and other nodes.
    pub dialer: net::Dialer,
    /// What others are told, when it differs.
    pub announce: Option<Address>,
    /// Region tag.
    pub region: Option<Region>,
    /// Declared capacity, packets per second.
    pub rate: u32,
    /// Most links at one time.
    pub max_connections: usize,
    /// How it processes tallies, where packets carry one.
    pub processing: Processing,
    /// The network to join.
    pub pointer: NetworkPointer,
    /// Admission token of its directory.
    pub token: AdmissionToken,
    /// State directory.
    pub dir: PathBuf,
}

/// What a role listens on, and where it is reached.
pub(crate) struct Doors {
    pub(crate) addresses: Vec<Address>,
    pub(crate) listeners: Vec<net::Listener>,
    /// Taken away when it is dropped.
    pub(crate) service: Option<net::tor::OnionService>,
}

/// Opens what a role listens on.
pub(crate) async fn doors(
    listen: Option<std::net::SocketAddr>,
    announce: Option<Address>,
    onion: Option<OnionDoor>,
    identity: &net::Identity,
    limits: net::ListenerLimits,
) -> Result<Doors, Error> {
    let mut doors = Doors { addresses: Vec::new(), listeners: Vec::new(), service: None };
    if let Some(listen) = listen {
        let listener = net::Listener::bind(listen, identity, limits).await?;
        doors.addresses.push(announce.unwrap_or_else(|| listener.local_addr().into()));
        doors.listeners.push(listener);
    }
    if let Some(OnionDoor { address, incoming, service }) = onion {
        doors.listeners.push(net::Listener::onion(incoming, identity, limits).await?);
        doors.addresses.push(address);
        doors.service = service;
    }
    if doors.addresses.is_empty() {
        return Err(Error::Config(
            "nothing to listen on: neither an address nor an onion service".to_owned(),
        ));
    }
    Ok(doors)
}

/// A running relay or hub.
#[derive(Debug)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Where it is reached; at least one.
    pub addresses: Vec<Address>,
    /// Which start of it this is.
    pub boot: BootId,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) clock: Clock,
    stats: Arc<NodeStats>,
    budget: Budget,
    admitted: watch::Receiver<bool>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _service: Option<net::tor::OnionService>,
}

impl Node {
    /// Starts listening, joins the network, and goes on in the background.
    /// `deliver` takes what arrives for the last hop; a relay gives `None`.
    ///
    /// # Errors
    /// A port that is taken, a state directory that cannot be used.
    pub(crate) async fn start(config: NodeConfig, deliver: Option<Deliver>) -> Result<Node, Error> {
        let state = StateDir::open(&config.dir)?;
        let identity = net::Identity::from_seed(&*state.secret32("identity")?);
        let id = identity.node_id();
        let boot = BootId::new(rand::random());
        // Links never take what the store, the replay journals and links to other nodes need.
        let files = jail::raise_file_limit().saturating_sub(RESERVED_FILES).max(64);
        if files < config.max_connections {
            tracing::warn!(
                links = files,
                "the system's limit of open files allows fewer links than max_connections (hint: ulimit -n, LimitNOFILE=)"
            );
        }
        let max_connections = config.max_connections.min(files);
        let limits = net::ListenerLimits { max_connections, ..Default::default() };
        let Doors { addresses, listeners, service } =
            doors(config.listen, config.announce, config.onion, &identity, limits).await?;
        let clock = Clock::start();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let stats = Arc::new(NodeStats::default());
        let (inputs, inbox) = mpsc::channel(INPUTS);
        let budget = Budget::new(QUEUED_BYTES);
        let (document_tx, document_rx) = watch::channel(None);
        let (descriptor_tx, descriptor_rx) = watch::channel(None);
        let (admitted_tx, admitted) = watch::channel(false);

        let core = core::Core::new(core::Setup {
            role: config.role,
            identity: identity.clone(),
            addresses: addresses.clone(),
            dialer: config.dialer.clone(),
            region: config.region,
            rate: config.rate,
            processing: config.processing,
            state: state.clone(),
            clock,
            deliver: deliver.clone(),
            descriptor: descriptor_tx,
            stats: stats.clone(),
        });
        tasks.spawn(core.run(inbox, document_rx.clone(), stop.clone()));
        tasks.spawn(follow::follow(
            follow::Follow {
                pointer: config.pointer,
                dialer: config.dialer,
                token: config.token,
                identity,
                clock,
                document: document_tx,
                descriptor: descriptor_rx,
                admitted: admitted_tx,
                state,
            },
            stop.clone(),
        ));
        let shared = serve::Shared {
            inputs: inputs.clone(),
            document: document_rx,
            boot,
            deliver,
            budget: budget.clone(),
        };
        for listener in listeners {
            let shared = shared.clone();
            tasks.spawn(accept(listener, tasks.clone(), stop.clone(), move |incoming| {
                serve::serve(incoming, shared.clone())
            }));
        }
        Ok(Node {
            id,
            addresses,
            boot,
            inputs,
            clock,
            stats,
            budget,
            admitted,
            stop,
            tasks,
            _service: service,
        })
    }

    /// Counters, since the start.
    #[must_use]
    pub fn stats(&self) -> &NodeStats {
        &self.stats
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    pub(crate) fn shared_stats(&self) -> Arc<NodeStats> {
        self.stats.clone()
    }

    /// Returns when the directory has admitted this node.
    pub async fn admitted(&mut self) {
        // The sender lives as long as the node; a closed channel means that it is stopping.
        let _ = self.admitted.wait_for(|yes| *yes).await;
    }

    /// New keys for the coming epochs, now.
    pub async fn rotate_keys(&self) {
        let _ = self.inputs.send(Input::RotateKeys).await;
    }

    /// Stops: no new links, what is queued is dropped, state is on disk.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
