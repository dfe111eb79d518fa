//! The hub role: a mix node whose last hop is the box store, which also answers on direct links.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hub::server::{AskId, Asker, Hub, HubConfig as HubCoreConfig};
use hub::store::Keep;
use hub::{AccessClass, ClassLimits};
use mix::envelope;
use sphinx::Surb;
use tokio::sync::{mpsc, oneshot};
use wire::document::Role;
use wire::hub::{Answer, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::{Frame, RequestId};

use crate::Error;
use crate::config::HubConfig;
use crate::node::{Clock, Deliver, Input, Node, NodeConfig};
use crate::state::StateDir;
use crate::store::{FjallStore, StoreConfig};

/// Requests that may wait for the hub's thread.
const QUEUE: usize = 8192;
/// Requests that share one durable commit.
const BATCH: usize = 512;

/// What the hub's thread is asked.
pub(crate) enum HubInput {
    Direct {
        link: u64,
        id: RequestId,
        request: Request,
        to: mpsc::Sender<Frame>,
    },
    Onion {
        epoch: u32,
        surb: Option<Surb>,
        data: Vec<u8>,
    },
    Gone {
        link: u64,
    },
    /// The geometry, as a document tells it.
    Geometry(sphinx::Geometry),
}

/// Counters of a hub.
#[derive(Debug, Default)]
pub struct HubStats {
    /// Requests, of all kinds.
    pub requests: AtomicU64,
    /// Responses sent.
    pub responses: AtomicU64,
}

/// A running hub.
#[derive(Debug)]
pub struct HubRole {
    /// Its node: identity, address, links.
    pub node: Node,
    /// Access key of members.
    pub member: AccessKey,
    /// Access key of guests.
    pub guest: AccessKey,
    /// Counters.
    pub stats: Arc<HubStats>,
    thread: Option<oneshot::Receiver<()>>,
}

impl HubRole {
    /// Starts a hub.
    ///
    /// # Errors
    /// See [`Error`]: a taken port, an unusable state directory, a damaged store.
    pub async fn start(node: NodeConfig, config: &HubConfig) -> Result<HubRole, Error> {
        let state = StateDir::open(&node.dir)?;
        let member = access_key(&state, "member-key")?;
        let guest = access_key(&state, "guest-key")?;
        let keep_ms = u64::from(config.keep_days.max(1)) * 24 * 3_600_000;
        let store = FjallStore::open(&state.join("boxes"), &StoreConfig { keep: Keep::for_millis(keep_ms) })?;
        let limits = |mib: u64, puts: u32| ClassLimits {
            max_bytes: mib.saturating_mul(1 << 20),
            puts_per_second: puts,
            ..Default::default()
        };
        let (tx, rx) = mpsc::channel(QUEUE);
        let deliver = Deliver(tx.clone());
        let node = Node::start(NodeConfig { role: Role::Hub, ..node }, Some(deliver)).await?;
        let core = HubCoreConfig {
            keys: vec![
                (member, AccessClass::Member, limits(config.member_storage_mib, config.member_puts_per_second)),
                (guest, AccessClass::Guest, limits(config.guest_storage_mib, config.guest_puts_per_second)),
            ],
            ..HubCoreConfig::new(node.boot)
        };
        let stats = Arc::new(HubStats::default());
        let (ended_tx, ended) = oneshot::channel();
        let worker = Worker {
            hub: Hub::new(core, store),
            clock: Clock::start(),
            asked: HashMap::new(),
            next_ask: 0,
            inputs: node.inputs.clone(),
            geometry: None,
            stats: stats.clone(),
        };
        std::thread::Builder::new()
            .name("hub".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                if let Ok(runtime) = runtime {
                    runtime.block_on(worker.run(rx));
                }
                let _ = ended_tx.send(());
            })
            .map_err(|_| Error::Bug("the system gives no thread"))?;
        Ok(HubRole { node, member, guest, stats, thread: Some(ended) })
    }

    /// Stops; what was answered `Stored` is on disk.
    pub async fn stop(&mut self) {
        self.node.stop().await;
        if let Some(ended) = self.thread.take() {
            let _ = ended.await;
        }
    }
}

fn access_key(state: &StateDir, name: &'static str) -> Result<AccessKey, Error> {
    let secret = state.secret32(name)?;
    let mut key = [0; 16];
    key.copy_from_slice(&secret[..16]);
    Ok(AccessKey::new(key))
}

/// Where a response goes.
enum Asked {
    Direct { id: RequestId, to: mpsc::Sender<Frame> },
    Onion { epoch: u32, surb: Surb },
}

/// The hub's thread: collects requests while the last commit is being made durable, then commits them together.
struct Worker {
    hub: Hub<FjallStore>,
    clock: Clock,
    asked: HashMap<AskId, Asked>,
    next_ask: u64,
    /// Replies go out by the node's own mix core.
    inputs: mpsc::Sender<Input>,
    geometry: Option<sphinx::Geometry>,
    stats: Arc<HubStats>,
}

impl Worker {
    async fn run(mut self, mut inbox: mpsc::Receiver<HubInput>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let soon = self.clock.now().plus_millis(1000);
            let due = self.hub.deadline().map_or(soon, |d| d.min(soon));
            tokio::select! {
                n = inbox.recv_many(&mut batch, BATCH) => {
                    if n == 0 { return }
                }
                () = tokio::time::sleep_until(self.clock.instant(due)) => {}
            }
            let now = self.clock.now();
            for input in batch.drain(..) {
                self.take(input);
            }
            if let Err(error) = self.hub.commit(now, &mut rand::rng()) {
                tracing::error!(%error, "the box store refuses");
            }
            self.hub.tick(now);
            while let Some((ask, response)) = self.hub.poll() {
                self.respond(ask, response).await;
            }
        }
    }

    fn take(&mut self, input: HubInput) {
        let now = self.clock.now();
        match input {
            HubInput::Direct { link, id, request, to } => {
                let ask = self.ask(Asked::Direct { id, to });
                self.hub.submit(now, ask, Asker::Direct(link), request);
            }
            HubInput::Onion { epoch, surb, data } => {
                // No SURB: a drop. Undecodable: nobody to tell.
                let (Some(surb), Ok(request)) = (surb, envelope::open_request(&data)) else { return };
                let ask = self.ask(Asked::Onion { epoch, surb });
                self.hub.submit(now, ask, Asker::Onion, request);
            }
            HubInput::Gone { link } => self.hub.disconnect(link),
            HubInput::Geometry(geometry) => self.geometry = Some(geometry),
        }
    }

    fn ask(&mut self, asked: Asked) -> AskId {
        self.stats.requests.fetch_add(1, Ordering::Relaxed);
        self.next_ask += 1;
        let ask = AskId(self.next_ask);
        self.asked.insert(ask, asked);
        ask
    }

    async fn respond(&mut self, ask: AskId, response: Response) {
        self.stats.responses.fetch_add(1, Ordering::Relaxed);
        match self.asked.remove(&ask) {
            Some(Asked::Direct { id, to }) => {
                // A reader that does not read loses the response with its link.
                let _ = to.try_send(Frame::HubResponse(id, response));
            }
            Some(Asked::Onion { epoch, surb }) => self.reply(epoch, surb, &response).await,
            None => {}
        }
    }

    async fn reply(&self, epoch: u32, surb: Surb, response: &Response) {
        let Some(geometry) = &self.geometry else { return };
        let payload = envelope::seal_response(geometry, response).or_else(|_| {
            let smaller = Response { boot: response.boot, answer: Answer::Refused(Refusal::BadRequest) };
            envelope::seal_response(geometry, &smaller)
        });
        let Ok(payload) = payload else { return };
        match surb.reply(geometry, &payload) {
            Ok((packet, next)) => {
                let input = Input::Send { next: wire::NodeId::new(next), epoch, packet: packet.into_bytes() };
                let _ = self.inputs.send(input).await;
            }
            Err(error) => tracing::debug!(%error, "a SURB that makes no reply"),
        }
    }
}
