//! The hub role: a mix node whose last hop is the box store, which also answers on direct links.

mod cover;
mod following;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hub::server::{AskId, Asker, Hub, HubConfig as HubCoreConfig};
use hub::store::{BoxStore, Keep, StoreError};
use hub::{AccessClass, ClassLimits};
use jail::StateDir;
use mix::envelope;
use net::Clock;
use sphinx::Surb;
use tokio::sync::{mpsc, oneshot};
use wire::document::Role;
use wire::hub::{Answer, BoxBytes, Operation, Refusal, Request, Response};
use wire::id::AccessKey;
use wire::{Frame, RequestId, Tally, Timestamp};

use self::cover::Cover;
use self::following::Following;
use crate::Error;
use crate::config::HubConfig;
use crate::inbox::{Deliver, HubInput, Waiting, WeakDeliver};
use crate::node::{Input, Node, NodeConfig, NodeStats, next_link};
use crate::outgoing::{Budget, Next, Outgoing, Rank};
use crate::store::{FjallStore, StoreConfig};

/// Requests that share one durable commit.
const BATCH: usize = 512;
/// Between two tries to recover the store, ms.
const RECOVER_MS: u64 = 2_000;

/// Counters of a hub.
#[derive(Debug, Default)]
pub struct HubStats {
    /// Requests, of all kinds.
    pub requests: AtomicU64,
    /// Responses sent.
    pub responses: AtomicU64,
    /// Boxes of members that are here now.
    pub member_boxes: AtomicU64,
    /// What they count for, bytes.
    pub member_bytes: AtomicU64,
    /// Boxes of guests that are here now.
    pub guest_boxes: AtomicU64,
    /// What they count for, bytes.
    pub guest_bytes: AtomicU64,
    /// Boxes of rooms that are here now.
    pub room_boxes: AtomicU64,
    /// What they count for, bytes.
    pub room_bytes: AtomicU64,
    /// `get`s that are open now.
    pub open_gets: AtomicU64,
    /// Whether the store fails at the moment: then no box is taken.
    pub failing: AtomicBool,
}

/// What another way into a running hub works with. It does not keep the hub alive. `Debug` prints
/// the type's name.
#[derive(Clone)]
pub struct HubHandle {
    inputs: WeakDeliver,
    budget: Budget,
    /// The guests' key, for a way in that takes strangers in as guests.
    pub(crate) guest: AccessKey,
    pub(crate) hub: Arc<HubStats>,
    pub(crate) node: Arc<NodeStats>,
}

impl std::fmt::Debug for HubHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubHandle")
    }
}

impl HubHandle {
    /// Asks as the direct link with this number, and waits for all answers, which stand in the
    /// order of the operations. `None` when the hub is stopping.
    pub(crate) async fn ask(
        &self,
        link: u64,
        access: AccessKey,
        operations: Vec<Operation>,
    ) -> Option<Vec<Answer>> {
        let count = operations.len();
        let (to, mut responses) = self.budget.open(next_link(), Rank::Guest);
        for (number, operation) in (0..).zip(operations) {
            let request = Request { access, operation };
            let hub = self.inputs.upgrade()?;
            if !hub.direct(link, RequestId(number), request, to.clone()).await {
                return None;
            }
        }
        drop(to);
        let mut answers = vec![None; count];
        while let Some(next) = responses.next().await {
            if let Next::Frame(Frame::HubResponse(RequestId(number), response)) = next {
                *answers.get_mut(usize::try_from(number).ok()?)? = Some(response.answer);
            }
        }
        answers.into_iter().collect()
    }

    /// Tells that a link has ended.
    pub(crate) fn gone(&self, link: u64) {
        if let Some(hub) = self.inputs.upgrade() {
            hub.gone(link);
        }
    }
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
    inputs: WeakDeliver,
    thread: Option<oneshot::Receiver<()>>,
}

impl HubRole {
    /// Starts a hub.
    ///
    /// # Errors
    /// See [`Error`]: a taken port, an unusable state directory, a damaged store.
    pub async fn start(node: NodeConfig, config: &HubConfig) -> Result<HubRole, Error> {
        let dummies = config.dummies()?;
        let state = StateDir::open(&node.dir)?;
        let member = access_key(&state, "member-key")?;
        let guest = access_key(&state, "guest-key")?;
        let keep_ms = u64::from(config.keep_days.max(1)) * 24 * 3_600_000;
        let store = FjallStore::open(
            &state.join("boxes"),
            &StoreConfig { keep: Keep::for_millis(keep_ms), accept_loss: config.accept_loss },
        )?;
        let limits = |mib: u64, puts: u32| ClassLimits {
            max_bytes: mib.saturating_mul(1 << 20),
            puts_per_second: puts,
            ..Default::default()
        };
        let (deliver, rx) = Deliver::new();
        // Weak: the thread ends when the node and its links have let go.
        let inputs = deliver.downgrade();
        let node = Node::start(NodeConfig { role: Role::Hub, ..node }, Some(deliver)).await?;
        let core = HubCoreConfig {
            keys: vec![
                (
                    member,
                    AccessClass::Member,
                    limits(config.member_storage_mib, config.member_puts_per_second),
                ),
                (
                    guest,
                    AccessClass::Guest,
                    limits(config.guest_storage_mib, config.guest_puts_per_second),
                ),
            ],
            ..HubCoreConfig::new(node.boot)
        };
        let stats = Arc::new(HubStats::default());
        let (ended_tx, ended) = oneshot::channel();
        let mut hub = Hub::new(core, store);
        hub.wait_for_time();
        let rooms = Following::start(state, &mut hub)?;
        let worker = Worker {
            hub,
            rooms,
            clock: node.clock,
            asked: HashMap::new(),
            cover: Cover::new(dummies),
            next_ask: 0,
            inputs: node.inputs.clone(),
            geometry: None,
            stats: stats.clone(),
            failing: false,
            recover_at: Timestamp::ZERO,
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
        Ok(HubRole { node, member, guest, stats, inputs, thread: Some(ended) })
    }

    /// A handle for another way into this hub.
    #[must_use]
    pub fn handle(&self) -> HubHandle {
        HubHandle {
            inputs: self.inputs.clone(),
            budget: self.node.budget(),
            guest: self.guest,
            hub: self.stats.clone(),
            node: self.node.shared_stats(),
        }
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
    Direct { link: u64, id: RequestId, to: Outgoing },
    Onion { epoch: u32, surb: Surb, tally: Option<Tally> },
}

/// The hub's thread: collects requests while the last commit is being made durable, then commits
/// them together.
struct Worker {
    hub: Hub<FjallStore>,
    rooms: Following,
    clock: Clock,
    asked: HashMap<AskId, Asked>,
    cover: Cover,
    next_ask: u64,
    /// Replies go out by the node's own mix core.
    inputs: mpsc::Sender<Input>,
    geometry: Option<sphinx::Geometry>,
    stats: Arc<HubStats>,
    /// The store has failed, and has not been recovered yet.
    failing: bool,
    /// Not before this is it recovered again: what fails at once is not opened all the time.
    recover_at: Timestamp,
}

impl Worker {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Waiting>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let soon = self.clock.now().plus_millis(1000);
            let due = self
                .hub
                .deadline()
                .into_iter()
                .chain(self.cover.deadline())
                .fold(soon, Timestamp::min);
            tokio::select! {
                n = inbox.recv_many(&mut batch, BATCH) => {
                    if n == 0 { return }
                }
                () = tokio::time::sleep_until(self.clock.instant(due)) => {}
            }
            let now = self.clock.now();
            for waiting in batch.drain(..) {
                self.take(waiting.input);
            }
            if let Err(error) = self.hub.commit(now, &mut rand::rng()) {
                self.trouble(error);
            }
            if !self.failing
                && let Err(error) = self.rooms.look(&mut self.hub)
            {
                self.trouble(error);
            }
            self.recover(now);
            self.hub.tick(now);
            // Before the answers go out, so that everybody who has one can see it counted.
            self.count();
            while let Some((ask, response)) = self.hub.poll() {
                if let Some(Asked::Direct { link, .. }) = self.asked.get(&ask) {
                    self.cover.answered(now, *link, &response);
                }
                self.respond(ask, response).await;
            }
            self.send_dummies().await;
            self.stats.open_gets.store(self.hub.open_gets() as u64, Ordering::Relaxed);
        }
    }

    /// The store has failed: said once, not for each request.
    fn trouble(&mut self, error: StoreError) {
        if !self.failing {
            tracing::error!(%error, "the box store fails; trying to recover");
            self.failing = true;
            self.stats.failing.store(true, Ordering::Relaxed);
        }
    }

    fn recover(&mut self, now: Timestamp) {
        if !self.failing || now < self.recover_at {
            return;
        }
        self.recover_at = now.plus_millis(RECOVER_MS);
        match self.hub.recover() {
            Ok(()) => {
                tracing::info!("the box store works again");
                self.failing = false;
                self.stats.failing.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                if matches!(error, StoreError::Lost { .. }) {
                    // Nothing brings them back: the next try goes on with what is there.
                    tracing::error!(%error, "boxes are missing after a failure");
                } else {
                    tracing::debug!(%error, "the box store still fails");
                }
            }
        }
    }

    async fn send_dummies(&mut self) {
        while let Some((link, class)) = self.cover.pop(self.clock.now()) {
            let Ok(dummy) = streams::dummy(class, &mut rand::rng()) else { continue };
            let dummy = BoxBytes {
                id: *dummy.id.as_bytes(),
                ciphertext: dummy.ciphertext,
                signature: dummy.signature,
            };
            self.hub.disturb(link, dummy);
            while let Some((ask, response)) = self.hub.poll() {
                self.respond(ask, response).await;
            }
        }
    }

    /// How full the hub is, for monitoring.
    fn count(&self) {
        let usage = self.hub.store().usage();
        let stats = &self.stats;
        for (counter, value) in [
            (&stats.member_boxes, usage.member.boxes),
            (&stats.member_bytes, usage.member.bytes),
            (&stats.guest_boxes, usage.guest.boxes),
            (&stats.guest_bytes, usage.guest.bytes),
            (&stats.room_boxes, usage.rooms.values().map(|room| room.boxes).sum()),
            (&stats.room_bytes, usage.rooms.values().map(|room| room.bytes).sum()),
        ] {
            counter.store(value, Ordering::Relaxed);
        }
    }

    fn take(&mut self, input: HubInput) {
        let now = self.clock.now();
        match input {
            HubInput::Direct { link, id, request, to } => {
                self.rank(&request, &to);
                self.cover.asked(now, link, &request, &to);
                let ask = self.ask(Asked::Direct { link, id, to });
                self.hub.submit(now, ask, Asker::Direct(link), request);
            }
            HubInput::Onion { epoch, surb, data, tally } => {
                // No SURB: a drop. Undecodable: nobody to tell.
                let (Some(surb), Ok(request)) = (surb, envelope::open_request(&data)) else {
                    return;
                };
                let ask = self.ask(Asked::Onion { epoch, surb, tally });
                self.hub.submit(now, ask, Asker::Onion, request);
            }
            HubInput::Gone { link } => {
                self.cover.gone(link);
                self.hub.disconnect(link);
            }
            HubInput::Document { geometry, now, time } => {
                self.hub.set_time(now, time);
                self.hub.set_onion_room(mix::geometry::reply_room(&geometry) as u64);
                self.geometry = Some(geometry);
            }
        }
    }

    /// Who shows a key is no stranger any more: when memory is short, strangers go first.
    fn rank(&self, request: &Request, to: &Outgoing) {
        if let Some(class) = self.hub.class(&request.access) {
            to.rank(match class {
                AccessClass::Guest | AccessClass::Room(_) => Rank::Guest,
                AccessClass::Member => Rank::Member,
            });
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
            Some(Asked::Direct { id, to, .. }) => {
                // A reader that does not read loses the response with its link.
                let _ = to.try_send(Frame::HubResponse(id, response));
            }
            Some(Asked::Onion { epoch, surb, tally }) => {
                self.reply(epoch, surb, &Response { tally, ..response }).await;
            }
            None => {}
        }
    }

    async fn reply(&self, epoch: u32, surb: Surb, response: &Response) {
        let Some(geometry) = &self.geometry else { return };
        let payload = envelope::seal_response(geometry, response).or_else(|_| {
            let answer = Answer::Refused(Refusal::BadRequest);
            let smaller = Response { boot: response.boot, answer, tally: response.tally };
            envelope::seal_response(geometry, &smaller)
        });
        let Ok(payload) = payload else { return };
        match surb.reply(geometry, &payload) {
            Ok((packet, next)) => {
                let mut packet = packet.into_bytes();
                if response.tally.is_some() {
                    // A reply looks like every other packet; nobody verifies its tally.
                    mix::tally::append(&mut packet, &mix::tally::draw(&mut rand::rng()));
                }
                let input = Input::Send { next: wire::NodeId::new(next), epoch, packet };
                let _ = self.inputs.send(input).await;
            }
            Err(error) => tracing::debug!(%error, "a SURB that makes no reply"),
        }
    }
}
