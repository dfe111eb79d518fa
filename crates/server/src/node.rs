//! What relays and hubs share: links, the mix core, epoch keys, the directory link.

mod core;
mod follow;
mod keys;
mod loops;
mod moves;
mod peers;
mod serve;

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jail::StateDir;
use net::{Clock, PortMapping};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::document::{Processing, Role, Tag};
use wire::id::AdmissionToken;
use wire::limits::MAX_ADDRESSES;
use wire::{Address, BootId, NetworkPointer, NodeId};

pub(crate) use self::core::Input;
pub use self::core::NodeStats;
pub(crate) use self::serve::next_link;
use crate::Error;
use crate::accept::{accept, seats};
use crate::inbox::Deliver;
use crate::outgoing::Budget;
use crate::place::{Place, PortReports};

/// Packets that may wait for the mix core: at most about 10 MB. Links are read no faster.
const INPUTS: usize = 1_024;
/// Moves of directories that may wait.
const MOVES: usize = 4;
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
    /// Where to listen; `None` for a node that has no address but its onion one, or for a relay
    /// that only dials.
    pub listen: Option<std::net::SocketAddr>,
    /// Its onion service, if it has one.
    pub onion: Option<OnionDoor>,
    /// How it reaches the directory and other nodes.
    pub dialer: net::Dialer,
    /// Asks the router to forward the port.
    pub map_port: Option<net::Routes>,
    /// What others are told, when it differs.
    pub announce: Vec<Address>,
    /// Region tag.
    pub region: Option<Tag>,
    /// Tag of its owner.
    pub owner: Option<Tag>,
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

impl NodeConfig {
    /// A node on a free port of this machine alone, with the usual settings.
    #[must_use]
    pub fn local(role: Role, dir: PathBuf, pointer: NetworkPointer, token: AdmissionToken) -> Self {
        NodeConfig {
            role,
            listen: Some(([127, 0, 0, 1], 0).into()),
            onion: None,
            dialer: net::Dialer::Direct,
            map_port: None,
            announce: Vec::new(),
            region: None,
            owner: None,
            rate: 1_000,
            max_connections: 64,
            processing: Processing::default(),
            pointer,
            token,
            dir,
        }
    }
}

/// What a role listens on, and where it is reached.
pub(crate) struct Doors {
    pub(crate) place: Place,
    pub(crate) listeners: Vec<net::Listener>,
    /// To be removed by [`unmap`].
    pub(crate) mapping: Option<PortMapping>,
    /// Taken away when it is dropped.
    pub(crate) service: Option<net::tor::OnionService>,
}

/// Opens what a role listens on.
pub(crate) async fn doors(
    listen: Option<std::net::SocketAddr>,
    map_port: Option<net::Routes>,
    announce: Vec<Address>,
    onion: Option<OnionDoor>,
    identity: &net::Identity,
    limits: net::ListenerLimits,
) -> Result<Doors, Error> {
    let (mut listeners, mut local, mut mapping) = (Vec::new(), None, None);
    if let Some(listen) = listen {
        if map_port.is_some() && listen.ip().is_loopback() {
            return Err(Error::LoopbackMapped);
        }
        let listener = net::Listener::bind(listen, identity, limits).await?;
        local = Some(listener.local_addr().into());
        let port = NonZeroU16::new(listener.local_addr().port());
        mapping = map_port.zip(port).map(|(routes, port)| PortMapping::start(routes, port));
        listeners.push(listener);
    }
    let (mut onion_address, mut kept) = (None, None);
    if let Some(OnionDoor { address, incoming, service }) = onion {
        listeners.push(net::Listener::onion(incoming, identity, limits).await?);
        (onion_address, kept) = (Some(address), service);
    }
    if let Some(mapping) = &mut mapping {
        mapping.answered().await;
    }
    let place = Place::new(local, announce, onion_address, mapping.as_ref());
    if place.all().len() > MAX_ADDRESSES {
        return Err(Error::Config(format!(
            "a node has at most {MAX_ADDRESSES} addresses, its onion address among them"
        )));
    }
    Ok(Doors { place, listeners, mapping, service: kept })
}

/// Removes the port mapping of a role that ends.
pub(crate) async fn unmap(mapping: &Mutex<Option<PortMapping>>) {
    let mapping = mapping.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mapping) = mapping {
        mapping.stop().await;
    }
}

/// For roles that others must reach.
pub(crate) fn nothing_to_listen_on() -> Error {
    Error::Config("nothing to listen on: neither an address nor an onion service".to_owned())
}

/// A running relay or hub.
#[derive(Debug)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Where it is reached at its start; none for a relay that only dials.
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
    mapping: Mutex<Option<PortMapping>>,
    _service: Option<net::tor::OnionService>,
    /// Of the state directory, until the stop.
    lock: Mutex<Option<jail::Lock>>,
}

impl Node {
    /// Starts listening, joins the network, and goes on in the background.
    /// `deliver` takes what arrives for the last hop; a relay gives `None`.
    ///
    /// # Errors
    /// A port that is taken, a state directory that cannot be used.
    pub(crate) async fn start(config: NodeConfig, deliver: Option<Deliver>) -> Result<Node, Error> {
        let state = StateDir::open(&config.dir)?;
        let lock = state.lock()?;
        state.require(&["identity"], keys::FILE)?;
        let identity = net::Identity::from_seed(&*state.secret32("identity")?);
        let id = identity.node_id();
        let boot = BootId::new(rand::random());
        let max_connections = seats(config.max_connections);
        let limits = net::ListenerLimits { max_connections, ..Default::default() };
        let Doors { place, listeners, mapping, service } =
            doors(config.listen, config.map_port, config.announce, config.onion, &identity, limits)
                .await?;
        let addresses = place.addresses();
        if addresses.is_empty() && config.role == Role::Hub {
            return Err(nothing_to_listen_on());
        }
        let clock = Clock::start();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let stats = Arc::new(NodeStats::default());
        let (inputs, inbox) = mpsc::channel(INPUTS);
        let budget = Budget::new(QUEUED_BYTES, max_connections);
        let (document_tx, document_rx) = watch::channel(None);
        let (descriptor_tx, descriptor_rx) = watch::channel(None);
        let (suspects_tx, suspects) = watch::channel(follow::Suspects::default());
        let (admitted_tx, admitted) = watch::channel(false);
        let (moved_tx, moved) = mpsc::channel(MOVES);
        let directories = config.pointer.directories.iter().map(|d| d.id).collect();

        let core = core::Core::new(core::Setup {
            role: config.role,
            identity: identity.clone(),
            place,
            dialer: config.dialer.clone(),
            region: config.region,
            owner: config.owner,
            rate: config.rate,
            processing: config.processing,
            state: state.clone(),
            clock,
            deliver: deliver.clone(),
            descriptor: descriptor_tx,
            suspects: suspects_tx,
            stats: stats.clone(),
            inputs: inputs.clone(),
        });
        tasks.spawn(core.run(inbox, document_rx.clone(), stop.clone()));
        tasks.spawn(follow::follow(
            follow::Follow {
                role: config.role,
                pointer: config.pointer,
                dialer: config.dialer,
                token: config.token,
                identity,
                clock,
                document: document_tx,
                descriptor: descriptor_rx,
                suspects,
                admitted: admitted_tx,
                moved,
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
            directories: Arc::new(directories),
            moved: moved_tx,
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
            mapping: Mutex::new(mapping),
            boot,
            inputs,
            clock,
            stats,
            budget,
            admitted,
            stop,
            tasks,
            _service: service,
            lock: Mutex::new(Some(lock)),
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

    /// What becomes of asking the router to forward the port.
    #[must_use]
    pub fn port_reports(&self) -> PortReports {
        let mapping = self.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        PortReports::of(mapping.as_ref())
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
        unmap(&self.mapping).await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
