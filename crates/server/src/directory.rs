//! The directory role: admits relays and hubs, signs the network document, hands it out.

mod reach;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jail::StateDir;
use mix::directory::{Assembler, AssemblerConfig, AuthorityKey, EnrolledKey};
use net::{Clock, Identity, Incoming, LinkReader};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::frame::{Credential, RefusedReason};
use wire::id::{AdmissionToken, DocumentHash, EnrolmentId};
use wire::{Address, DirectoryPointer, Frame, NetworkPointer, NodeId};

use crate::Error;
use crate::accept::{SILENCE, accept};
use crate::config::DirectoryConfig;
use crate::node::{Doors, OnionDoor, doors};

/// How often to check whether a document is due.
const TICK: Duration = Duration::from_millis(50);
/// After a failed write of its state, the directory tries again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// Between two tries to reach a node that does not answer.
const CHECK_AGAIN: Duration = Duration::from_secs(5);

/// A signed document, ready to be sent.
#[derive(Debug)]
struct Published {
    bytes: Vec<u8>,
    hash: DocumentHash,
    relays: usize,
    hubs: usize,
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
    _service: Option<net::tor::OnionService>,
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
}

impl Directory {
    /// Starts a directory; `network` and `token` in its state directory are what nodes need.
    ///
    /// # Errors
    /// See [`Error`]: a setting out of range, a taken port, an unusable state directory.
    pub async fn start(dir: &Path, config: &DirectoryConfig) -> Result<Directory, Error> {
        Directory::start_with(dir, config, Some(config.listen), None).await
    }

    /// Like [`Directory::start`], but listens on an address, an onion service, or both. The pointer
    /// names each.
    ///
    /// # Errors
    /// As [`Directory::start`].
    pub async fn start_with(
        dir: &Path,
        config: &DirectoryConfig,
        listen: Option<std::net::SocketAddr>,
        onion: Option<OnionDoor>,
    ) -> Result<Directory, Error> {
        let (geometry, mixing, paths) = config.parameters()?;
        let enrolled = enrolled(&config.enrolled)?;
        let state = StateDir::open(dir)?;
        let identity = Identity::from_seed(&*state.secret32("identity")?);
        let token = AdmissionToken::new(*state.secret32("admission")?);
        let authority = authority_key(&state)?;
        let limits = net::ListenerLimits { max_connections: 8192, ..Default::default() };
        let announce = config.announce.map(Address::from);
        let Doors { addresses, listeners, service } =
            doors(listen, announce, onion, &identity, limits).await?;
        let set = mix::directory::authority_set(1, std::slice::from_ref(&authority));
        let network = mix::directory::network_id(&set);
        let id = identity.node_id();
        let is_public = |a: &Address| matches!(a, Address::Ip(s) if reach::is_public(s.ip()));
        let reach = listen.map(|_| Reach { public: addresses.iter().any(is_public) });
        let directories =
            addresses.into_iter().map(|address| DirectoryPointer { id, address }).collect();
        let pointer = NetworkPointer { network, directories };
        let token_text = data_encoding::HEXLOWER.encode(token.as_bytes());
        state.write("token", token_text.as_bytes())?;
        state.write("network", pointer.to_text().as_bytes())?;

        let clock = Clock::start();
        let assembler = Assembler::new(AssemblerConfig {
            network,
            tokens: vec![token],
            epoch_ms: config.epoch_seconds.saturating_mul(1000),
            geometry,
            mixing,
            paths,
            tally: config.tally,
            sealed: !enrolled.is_empty(),
            signed: signed(&state, config.epoch_seconds.saturating_mul(1000))?,
        });
        let shared = Arc::new(Shared {
            assembler: Mutex::new(assembler),
            links: Mutex::new(HashMap::new()),
            published: watch::channel(None).0,
            clock,
            reach,
            enrolled,
        });
        let published = shared.published.subscribe();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(publish(shared.clone(), authority, set, state, stop.clone()));
        for listener in listeners {
            let shared = shared.clone();
            tasks.spawn(accept(listener, tasks.clone(), stop.clone(), move |incoming| {
                let shared = shared.clone();
                async move { serve(incoming, &shared).await }
            }));
        }
        Ok(Directory { pointer, token, published, shared, stop, tasks, _service: service })
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
    if let Some(bytes) = state.read("authority")? {
        return AuthorityKey::from_bytes(&bytes).map_err(|_| Error::Damaged("authority"));
    }
    let key = AuthorityKey::generate(&mut UnwrapErr(SysRng))?;
    state.write("authority", key.to_bytes().as_ref())?;
    Ok(key)
}

/// What the file `published` holds: epoch and revision of the last signed document, the length of
/// an epoch in ms, and from a later version on, all pairs that were signed lately.
type Signed = (u64, u32, u64, Vec<(u64, u32)>);

/// Which documents were signed, since a restart must not sign a pair of epoch and revision again.
/// Epochs are counted in their own length, so a network cannot change that length.
fn signed(state: &StateDir, epoch_ms: u64) -> Result<Vec<(u64, u32)>, Error> {
    let Some(bytes) = state.read("published")? else { return Ok(Vec::new()) };
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
        let noted: Signed = (document.epoch, document.revision, document.epoch_ms, signed);
        if let Err(error) = state.write("published", &wire::encode(&noted)) {
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
                let bytes = wire::encode(&signed);
                let (relays, hubs) = (document.relays().count(), document.hubs().count());
                tracing::info!(
                    epoch = document.epoch,
                    revision = document.revision,
                    relays,
                    hubs,
                    "document published"
                );
                let nodes = document.nodes.iter().map(|n| n.id).collect();
                shared.published.send_replace(Some(Arc::new(Published {
                    bytes,
                    hash,
                    relays,
                    hubs,
                    nodes,
                })));
            }
            Err(error) => tracing::error!(%error, "cannot sign"),
        }
    }
}

/// Removes a registered node's presence when its link ends, however it ends.
struct Presence<'a> {
    shared: &'a Shared,
    node: NodeId,
}

impl<'a> Presence<'a> {
    fn new(shared: &'a Shared, node: NodeId) -> Self {
        let mut links = shared.links();
        let count = links.entry(node).or_insert(0);
        *count += 1;
        Presence { shared, node }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        let mut links = self.shared.links();
        let left = links.get(&self.node).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            links.remove(&self.node);
            self.shared.assembler().presence(self.shared.clock.real(), self.node, false);
        } else {
            links.insert(self.node, left);
        }
    }
}

/// Who reads the documents on a link.
#[derive(Clone, Copy)]
enum Audience<'a> {
    /// Somebody who gets them unsealed.
    Plain,
    /// An enrolled client.
    Client(&'a EnrolledKey),
}

impl Shared {
    /// What a credential entitles the asker to. A node's token counts only on a link that proves an
    /// identity.
    fn audience(
        &self,
        peer: Option<NodeId>,
        credential: &Credential,
    ) -> Result<Audience<'_>, RefusedReason> {
        if self.enrolled.is_empty() {
            return Ok(Audience::Plain);
        }
        match credential {
            Credential::Node(token) if peer.is_some() && self.assembler().admits(token) => {
                Ok(Audience::Plain)
            }
            Credential::Node(_) => Err(RefusedReason::NotAdmitted),
            Credential::Client(id) => {
                self.enrolled.get(id).map(Audience::Client).ok_or(RefusedReason::NotEnrolled)
            }
        }
    }
}

/// The frame that carries a document to its reader.
fn bring(audience: Audience<'_>, published: &Published) -> Frame {
    match audience {
        Audience::Plain => Frame::Document(published.bytes.clone()),
        Audience::Client(key) => match key.seal(&published.bytes, &mut rand::rng()) {
            Ok(sealed) => Frame::SealedDocument(sealed),
            Err(error) => {
                tracing::error!(%error, "cannot seal");
                Frame::Refused(RefusedReason::NotReady)
            }
        },
    }
}

async fn serve(incoming: Incoming, shared: &Shared) {
    let peer = incoming.peer;
    let (mut reader, mut writer) = incoming.link.split();
    let mut published = shared.published.subscribe();
    let mut subscribed: Option<Audience<'_>> = None;
    let mut presence: Option<Presence<'_>> = None;
    let mut check: Option<Check> = None;
    let mut told = false;
    loop {
        let answer = tokio::select! {
            changed = published.changed(), if subscribed.is_some() => {
                if changed.is_err() { return }
                let current = published.borrow_and_update().clone();
                current.zip(subscribed).map(|(p, audience)| bring(audience, &p))
            }
            (node, addresses, answers) = checked(&mut check) => {
                if answers {
                    shared.assembler().presence(shared.clock.real(), node, true);
                    None
                } else {
                    shared.assembler().presence(shared.clock.real(), node, false);
                    check = Some(again(shared, node, addresses, CHECK_AGAIN));
                    let first = !std::mem::replace(&mut told, true);
                    first.then_some(Frame::Refused(RefusedReason::Unreachable))
                }
            }
            frame = read(&mut reader, presence.is_some()) => match frame {
                Ok(Some(ask @ (Frame::GetDocument(_) | Frame::GetDocumentAs(..)))) => {
                    let (known, audience) = match ask {
                        Frame::GetDocumentAs(known, as_whom) => (known, shared.audience(peer, &as_whom)),
                        Frame::GetDocument(known) if shared.enrolled.is_empty() || presence.is_some() => {
                            (known, Ok(Audience::Plain))
                        }
                        _ => (None, Err(RefusedReason::NotEnrolled)),
                    };
                    Some(match audience {
                        Err(reason) => Frame::Refused(reason),
                        Ok(audience) => {
                            // After the first request, each newer document is sent as long as the
                            // link lasts.
                            subscribed = Some(audience);
                            let current = published.borrow_and_update().clone();
                            match current {
                                None => Frame::Refused(RefusedReason::NotReady),
                                Some(p) if known == Some(p.hash) => Frame::NotModified,
                                Some(p) => bring(audience, &p),
                            }
                        }
                    })
                }
                Ok(Some(Frame::Register { token, descriptor })) => {
                    Some(match register(shared, peer, &token, &descriptor) {
                        Err(reason) => Frame::Refused(reason),
                        Ok((node, addresses)) => {
                            presence.get_or_insert_with(|| Presence::new(shared, node));
                            check = Some(again(shared, node, addresses, Duration::ZERO));
                            Frame::Registered(shared.assembler().epoch(shared.clock.real()))
                        }
                    })
                }
                Ok(Some(Frame::Ping)) => Some(Frame::Pong),
                Ok(Some(Frame::Pong)) => None,
                Ok(Some(_)) => Some(Frame::Refused(RefusedReason::NotHere)),
                Ok(None) | Err(_) => return,
            },
        };
        if let Some(frame) = answer
            && writer.send(&frame).await.is_err()
        {
            return;
        }
    }
}

/// The next frame. A node that says nothing for [`SILENCE`] is not there, even if its link is: it
/// pings three times as often.
async fn read(reader: &mut LinkReader, is_node: bool) -> Result<Option<Frame>, net::Error> {
    if !is_node {
        return reader.read().await;
    }
    tokio::time::timeout(SILENCE, reader.read()).await.unwrap_or(Err(net::Error::IdleTimeout))
}

/// A node that is being dialled back: who and where, and whether it answers.
type Check = Pin<Box<dyn Future<Output = (NodeId, Vec<Address>, bool)> + Send>>;

fn again(shared: &Shared, node: NodeId, addresses: Vec<Address>, after: Duration) -> Check {
    let reach = shared.reach;
    Box::pin(async move {
        tokio::time::sleep(after).await;
        let answers = match reach {
            Some(Reach { public }) => reach::answers(node, addresses.clone(), public).await,
            None => true,
        };
        (node, addresses, answers)
    })
}

/// Returns when the check is done; never if there is none.
async fn checked(check: &mut Option<Check>) -> (NodeId, Vec<Address>, bool) {
    let Some(running) = check else { return std::future::pending().await };
    let done = running.await;
    *check = None;
    done
}

/// The node that a descriptor is of, and its addresses.
fn register(
    shared: &Shared,
    peer: Option<NodeId>,
    token: &AdmissionToken,
    descriptor: &[u8],
) -> Result<(NodeId, Vec<Address>), RefusedReason> {
    let now = shared.clock.real();
    let bad = RefusedReason::BadDescriptor;
    let signed = wire::decode(descriptor, "descriptor").map_err(|_| bad)?;
    // The link must prove the identity in the descriptor, or a node could be marked present by
    // somebody else's link.
    let parsed = mix::directory::verify_descriptor(&signed).map_err(|_| bad)?;
    if Some(parsed.id) != peer {
        return Err(bad);
    }
    let node = shared.assembler().register(now, token, &signed)?;
    Ok((node, parsed.addresses))
}
