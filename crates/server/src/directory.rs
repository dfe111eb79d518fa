//! The directory role: admits relays and hubs, signs the network document, alone or with others,
//! and hands it out.

mod accused;
mod members;
mod moved;
mod reach;
mod serve;
mod several;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jail::StateDir;
use mix::directory::consensus::{Consensus, ConsensusConfig};
use mix::directory::{Assembler, AssemblerConfig, AuthorityKey, EnrolledKey, token_hash};
use net::{Clock, Dialer, Identity};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::document::{NetworkDocument, Parameters};
use wire::id::{AdmissionToken, DocumentHash, EnrolmentId};
use wire::{Address, DirectoryPointer, Frame, NetworkId, NetworkPointer, NodeId};

use self::members::Members;
pub use self::members::{card, join};
use self::moved::Telling;
use self::several::Several;
use crate::Error;
use crate::accept::{accept, seats};
use crate::config::DirectoryConfig;
use crate::node::{Doors, OnionDoor, doors, nothing_to_listen_on, unmap};
use crate::outgoing::Budget;
use crate::place::{Place, PortReports};

/// How often to check whether a document is due.
const TICK: Duration = Duration::from_millis(50);
/// Links at one time.
const MAX_CONNECTIONS: usize = 8_192;
/// After a failed write of its state, the directory tries again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// A signed document, ready to be sent.
#[derive(Debug)]
struct Published {
    bytes: Vec<u8>,
    hash: DocumentHash,
    relays: usize,
    hubs: usize,
    /// All that it lists, whether others reach them or not.
    nodes: BTreeSet<NodeId>,
}

/// A running directory.
#[derive(Debug)]
pub struct Directory {
    /// What nodes and links need in order to find and trust it.
    pub pointer: NetworkPointer,
    /// The token with which nodes register.
    pub token: AdmissionToken,
    published: watch::Receiver<Option<Arc<Published>>>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    mapping: Mutex<Option<net::PortMapping>>,
    _service: Option<net::tor::OnionService>,
    /// Of the state directory, until the stop.
    lock: Mutex<Option<jail::Lock>>,
}

/// How nodes are dialled back.
#[derive(Clone, Copy)]
struct Reach {
    /// Whether the directory has an address of the internet.
    public: bool,
}

struct Shared {
    assembler: Mutex<Assembler>,
    /// Links per registered node: a node is present while it has one.
    links: Mutex<HashMap<NodeId, u32>>,
    published: watch::Sender<Option<Arc<Published>>>,
    clock: Clock,
    /// How nodes are dialled back; none where the directory itself is behind Tor.
    reach: Option<Reach>,
    /// Clients that get the document, sealed. If empty, everybody gets it unsealed.
    enrolled: HashMap<EnrolmentId, EnrolledKey>,
    /// Who is connected.
    seats: Budget,
    /// The other directories, and where what they say goes.
    others: Option<(Members, mpsc::Sender<(u8, Frame)>)>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn assembler(&self) -> MutexGuard<'_, Assembler> {
        self.assembler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<NodeId, u32>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out a document from now on.
    fn publish(&self, document: &NetworkDocument, bytes: Vec<u8>, hash: DocumentHash) {
        let (relays, hubs) = (document.relays().count(), document.hubs().count());
        let dials_only = document.dials_only.len();
        tracing::info!(
            epoch = document.epoch,
            revision = document.revision,
            relays,
            hubs,
            dials_only,
            "document published"
        );
        let listed = document.nodes.iter().chain(&document.dials_only);
        let nodes = listed.map(|n| n.id).collect();
        let relays = relays.saturating_add(dials_only);
        self.published.send_replace(Some(Arc::new(Published { bytes, hash, relays, hubs, nodes })));
    }

    /// What another directory says to us; false for what others say.
    async fn between_directories(&self, peer: Option<NodeId>, frame: Frame) -> bool {
        let Some((members, heard)) = &self.others else { return false };
        let Some(from) = peer.and_then(|id| members.linked(&id)) else { return false };
        // Awaiting here is the back-pressure. The receiver is gone only when we stop.
        let _ = heard.send((from, frame)).await;
        true
    }
}

impl Directory {
    /// Starts a directory; `network` and `token` in its state directory are what nodes need.
    ///
    /// # Errors
    /// See [`Error`]: a setting out of range, a taken port, an unusable state directory.
    pub async fn start(dir: &Path, config: &DirectoryConfig) -> Result<Directory, Error> {
        Directory::start_with(dir, config, Some(config.listen), None, None, Dialer::Direct).await
    }

    /// Like [`Directory::start`], but listens on an address, which the router is asked to forward
    /// to, an onion service, or both. The pointer names each. After [`join`] it is one of several
    /// directories, which it reaches by `dialer`.
    ///
    /// # Errors
    /// As [`Directory::start`].
    pub async fn start_with(
        dir: &Path,
        config: &DirectoryConfig,
        listen: Option<std::net::SocketAddr>,
        map_port: Option<net::Routes>,
        onion: Option<OnionDoor>,
        dialer: Dialer,
    ) -> Result<Directory, Error> {
        let enrolled = enrolled(&config.enrolled)?;
        let (geometry, mixing, paths) = config.parameters()?;
        let parameters = Parameters {
            epoch_ms: config.epoch_seconds.saturating_mul(1000),
            geometry,
            mixing,
            paths,
            tally: config.tally,
            sealed: !enrolled.is_empty(),
        };
        let state = StateDir::open(dir)?;
        let lock = state.lock()?;
        state.require(&["identity", "authority"], PUBLISHED)?;
        let identity = Identity::from_seed(&*state.secret32("identity")?);
        let token = AdmissionToken::new(*state.secret32("admission")?);
        let authority = authority_key(&state)?;
        let members = Members::load(&state)?;
        let me = match &members {
            Some(members) => members.position(&authority.public()).ok_or(Error::NotAmong)?,
            None => 0,
        };
        let signed = signed(&state, parameters.epoch_ms)?;
        let max_connections = seats(MAX_CONNECTIONS);
        let limits = net::ListenerLimits { max_connections, ..Default::default() };
        let announce = config.announce.clone();
        let Doors { place, listeners, mapping, service } =
            doors(listen, map_port, announce, onion, &identity, limits).await?;
        let addresses = place.all();
        if addresses.is_empty() {
            return Err(nothing_to_listen_on());
        }
        let set = match &members {
            Some(members) => members.set(),
            None => mix::directory::authority_set(1, std::slice::from_ref(&authority)),
        };
        let network = mix::directory::network_id(&set);
        let id = identity.node_id();
        let public = reach::is_on_internet(&addresses).await;
        let reach = listen.map(|_| Reach { public });
        let here = pointer((network, id), &place);
        let pointer = match &members {
            Some(members) => {
                let said = |a: &Address| members.cards().iter().any(|c| c.addresses.contains(a));
                if !addresses.iter().all(said) {
                    tracing::warn!(
                        "this directory is not reached where its card says: links and new nodes look for it there first (hint: make a new card, and join again with it on all directories)"
                    );
                }
                members.pointer()
            }
            None => here.clone(),
        };
        let token_text = data_encoding::HEXLOWER.encode(token.as_bytes());
        state.publish("token", token_text.as_bytes())?;
        state.publish("network", pointer.to_text().as_bytes())?;

        let clock = Clock::start();
        let mut tokens = members.as_ref().map(Members::tokens).unwrap_or_default();
        tokens.push(token_hash(&token));
        let assembler = Assembler::new(AssemblerConfig {
            network,
            tokens,
            parameters,
            directories: here.directories.clone(),
            signed: signed.clone(),
        });
        let (heard_tx, heard) = mpsc::channel(several::HEARD);
        let shared = Arc::new(Shared {
            assembler: Mutex::new(assembler),
            links: Mutex::new(HashMap::new()),
            published: watch::channel(None).0,
            clock,
            reach,
            enrolled,
            seats: Budget::new(usize::MAX, max_connections),
            others: members.clone().map(|members| (members, heard_tx)),
        });
        let published = shared.published.subscribe();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(accused::review(shared.clone(), state.clone(), stop.clone()));
        if let Some(nodes) = moved::since_last_run(&state, &here.directories) {
            let (shared, identity, dialer) = (shared.clone(), identity.clone(), dialer.clone());
            let moved = Telling { shared, identity, dialer, addresses, nodes };
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(moved.tell()).await });
        }
        // The pointer of several directories is what their operators have agreed on.
        let file = members.is_none().then(|| state.clone());
        tasks.spawn(point(shared.clone(), file, (network, id), place, stop.clone()));
        match members {
            None => {
                tasks.spawn(publish(shared.clone(), authority, set, state, stop.clone()));
            }
            Some(members) => {
                let ids = members.ids();
                let config = ConsensusConfig { set, me, ids, parameters, signed };
                let consensus = Consensus::new(config, authority);
                let epoch_ms = parameters.epoch_ms;
                let several = Several {
                    consensus,
                    me,
                    members,
                    identity,
                    token,
                    dialer,
                    heard,
                    state,
                    epoch_ms,
                };
                tasks.spawn(several::run(several, shared.clone(), stop.clone()));
            }
        }
        for listener in listeners {
            let shared = shared.clone();
            tasks.spawn(accept(listener, tasks.clone(), stop.clone(), move |incoming| {
                let shared = shared.clone();
                async move { serve::serve(incoming, &shared).await }
            }));
        }
        let mapping = Mutex::new(mapping);
        let (lock, _service) = (Mutex::new(Some(lock)), service);
        Ok(Directory { pointer, token, published, shared, stop, tasks, mapping, _service, lock })
    }

    /// Waits until a document lists at least this many relays and hubs.
    pub async fn lists(&self, relays: usize, hubs: usize) {
        let mut published = self.published.clone();
        let enough = |p: &Option<Arc<Published>>| {
            p.as_ref().is_some_and(|p| p.relays >= relays && p.hubs >= hubs)
        };
        // The sender lives as long as the directory's tasks.
        let _ = published.wait_for(enough).await;
    }

    /// Waits until the document's nodes satisfy `wanted`.
    pub async fn lists_nodes(&self, wanted: impl Fn(&BTreeSet<NodeId>) -> bool) {
        let mut published = self.published.clone();
        let _ = published.wait_for(|p| p.as_ref().is_some_and(|p| wanted(&p.nodes))).await;
    }

    /// Leaves these nodes out of all further documents. Their links stay, and they still forward
    /// packets that are under way.
    pub fn retire(&self, nodes: &[NodeId]) {
        self.shared.assembler().retire(self.shared.clock.real(), nodes);
    }

    /// Stops all tasks and closes the listeners.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        unmap(&self.mapping).await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What becomes of asking the router to forward the port.
    #[must_use]
    pub fn port_reports(&self) -> PortReports {
        let mapping = self.mapping.lock().unwrap_or_else(PoisonError::into_inner);
        PortReports::of(mapping.as_ref())
    }
}

fn pointer((network, id): (NetworkId, NodeId), place: &Place) -> NetworkPointer {
    let pointer = |address| DirectoryPointer { id, address };
    NetworkPointer { network, directories: place.all().into_iter().map(pointer).collect() }
}

/// When the address changes, says it in the next document, and writes the file `network` again if
/// it is in this directory's hand.
async fn point(
    shared: Arc<Shared>,
    file: Option<StateDir>,
    of: (NetworkId, NodeId),
    mut place: Place,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = place.changed() => {}
        }
        let pointer = pointer(of, &place);
        if let Some(Err(error)) =
            file.as_ref().map(|state| state.publish("network", pointer.to_text().as_bytes()))
        {
            tracing::error!(%error, "the file `network` cannot be written");
        }
        shared.assembler().moved(shared.clock.real(), pointer.directories);
    }
}

/// The enrolled clients in the settings, by the ids that they ask with.
fn enrolled(texts: &[String]) -> Result<HashMap<EnrolmentId, EnrolledKey>, Error> {
    let parse = |text: &String| {
        let key = EnrolledKey::parse(text).map_err(|_| {
            Error::Config("an enrolled key is none: it begins with hushwing:client#".to_owned())
        })?;
        Ok((key.id(), key))
    };
    texts.iter().map(parse).collect()
}

fn authority_key(state: &StateDir) -> Result<AuthorityKey, Error> {
    if let Some(bytes) = state.kept("authority")? {
        return AuthorityKey::from_bytes(&bytes).map_err(|_| Error::Damaged("authority"));
    }
    let key = AuthorityKey::generate(&mut UnwrapErr(SysRng))?;
    state.keep("authority", key.to_bytes().as_ref())?;
    Ok(key)
}

/// What the file `published` holds: epoch and revision of the last signed document, the length of
/// an epoch in ms, and from a later version on, all pairs that were signed lately.
type Signed = (u64, u32, u64, Vec<(u64, u32)>);

const PUBLISHED: &str = "published";

/// Notes which documents were signed, the latest at the end, before the last signature leaves.
fn keep_signed(state: &StateDir, epoch_ms: u64, signed: Vec<(u64, u32)>) -> Result<(), Error> {
    let (epoch, revision) = signed.last().copied().unwrap_or_default();
    let noted: Signed = (epoch, revision, epoch_ms, signed);
    Ok(state.keep(PUBLISHED, &wire::encode(&noted))?)
}

/// Which documents were signed, since a restart must not sign a pair of epoch and revision again.
/// Epochs are counted in their own length, so a network cannot change that length.
fn signed(state: &StateDir, epoch_ms: u64) -> Result<Vec<(u64, u32)>, Error> {
    let Some(bytes) = state.kept(PUBLISHED)? else { return Ok(Vec::new()) };
    let kept: Result<Signed, _> = wire::decode(&bytes, "published");
    let before = || wire::decode(&bytes, "published").map(|(e, r, ms)| (e, r, ms, vec![(e, r)]));
    let (_, _, length, signed) =
        kept.or_else(|_| before()).map_err(|_| Error::Damaged("published"))?;
    if length != epoch_ms {
        return Err(Error::Config(format!(
            "the epochs of this network last {} s and cannot be changed; keep that, or begin a new network in another --dir",
            length / 1000
        )));
    }
    Ok(signed)
}

async fn publish(
    shared: Arc<Shared>,
    authority: AuthorityKey,
    set: wire::document::AuthoritySet,
    state: StateDir,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(TICK);
    // A document that could not be noted, and thus not signed, yet.
    let mut waiting = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let (due, signed) = {
            let mut assembler = shared.assembler();
            (assembler.poll(shared.clock.real()), assembler.signed().to_vec())
        };
        let again = waiting.is_some();
        let Some(document) = due.or_else(|| waiting.take()) else { continue };
        if let Err(error) = keep_signed(&state, document.epoch_ms, signed) {
            if !again {
                tracing::error!(%error, "no document is published; trying again");
            }
            waiting = Some(document);
            tokio::time::sleep(WRITE_AGAIN).await;
            continue;
        }
        waiting = None;
        match mix::directory::sign_document(&document, &set, &[(0, &authority)]) {
            Ok(signed) => {
                let hash = mix::directory::document_hash(&signed.document);
                moved::note(&state, &document.directories, &document);
                shared.publish(&document, wire::encode(&signed), hash);
            }
            Err(error) => tracing::error!(%error, "cannot sign"),
        }
    }
}
