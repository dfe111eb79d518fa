//! A link to one peer that comes back by itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::{Address, ErrorKind, Frame, NodeId};

use crate::backoff::Backoff;
use crate::queue::{Full, Queue};
use crate::tor::TorDialer;
use crate::{Dialer, Error, Identity, LinkLimits, LinkReader, LinkWriter, Result, connect_with};

/// How long a handshake through Tor may take: six relays, of which each may be slow.
const TOR_HANDSHAKE: Duration = Duration::from_secs(30);
/// How long a link that shuts down may take to send what is queued.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// What an [`Outbound`] connects to, and how.
#[derive(Debug, Clone)]
pub struct OutboundConfig {
    /// Where: one after the other, until somebody answers.
    pub addresses: Vec<Address>,
    /// Who must answer.
    pub expect: NodeId,
    /// Who we are; clients show no key.
    pub me: Option<Identity>,
    /// Frames sent first on each new connection, before anything queued.
    pub hello: Vec<Frame>,
    /// Frames that may wait to be sent. 1,024.
    pub queue: usize,
    /// Frames that came in and that [`Outbound::recv`] has not fetched; when full, the link is read
    /// no further until there is room. 64.
    pub incoming: usize,
    /// A frame that waited longer is dropped. 30 s.
    pub max_age: Duration,
    /// A ping is sent when nothing was sent, or nothing came, for so long. 60 s.
    pub ping_after: Duration,
    /// The link is down when nothing came for `ping_after` and so long. 20 s.
    pub pong_timeout: Duration,
    /// Least wait before a new attempt. 100 ms.
    pub backoff_min: Duration,
    /// Most wait before a new attempt. 30 s.
    pub backoff_max: Duration,
    /// After so long a time up, the waits start again from the least. 10 s.
    pub stable_after: Duration,
    /// How bytes get there.
    pub dialer: Dialer,
    /// Bounds of each link.
    pub limits: LinkLimits,
}

impl OutboundConfig {
    /// With the stated defaults, and no hello.
    #[must_use]
    pub fn new(addresses: impl Into<Vec<Address>>, expect: NodeId, me: Option<Identity>) -> Self {
        OutboundConfig {
            addresses: addresses.into(),
            expect,
            me,
            hello: Vec::new(),
            queue: 1024,
            incoming: 64,
            max_age: Duration::from_secs(30),
            ping_after: Duration::from_secs(60),
            pong_timeout: Duration::from_secs(20),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            dialer: Dialer::Direct,
            limits: LinkLimits::default(),
        }
    }
}

/// Why a link is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// Nobody listens there.
    Refused,
    /// No way there.
    Unreachable,
    /// No answer in time, at any stage.
    TimedOut,
    /// Somebody else answers.
    WrongKey,
    /// The other end speaks something else, or broke the protocol.
    Protocol,
    /// The other end speaks another version of the protocol.
    OtherVersion,
    /// The proxy does not answer.
    ProxyGone,
    /// The proxy wants another login.
    ProxyLogin,
    /// The other side closed, or the connection broke.
    Closed,
}

impl DownReason {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            DownReason::WrongKey => ErrorKind::PeerMisbehaved,
            DownReason::Protocol | DownReason::OtherVersion => ErrorKind::Unsupported,
            DownReason::ProxyLogin => ErrorKind::LocalConfig,
            _ => ErrorKind::Network,
        }
    }
}

impl From<Error> for DownReason {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused => DownReason::Refused,
            Error::Unreachable => DownReason::Unreachable,
            Error::ConnectTimeout
            | Error::HandshakeTimeout
            | Error::FrameTimeout
            | Error::IdleTimeout
            | Error::WriteTimeout => DownReason::TimedOut,
            Error::ProxyGone => DownReason::ProxyGone,
            Error::ProxyLogin => DownReason::ProxyLogin,
            Error::WrongKey => DownReason::WrongKey,
            Error::OtherVersion => DownReason::OtherVersion,
            Error::Protocol | Error::Frame(_) | Error::Bug(_) => DownReason::Protocol,
            _ => DownReason::Closed,
        }
    }
}

/// How an [`Outbound`] fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// An attempt is under way.
    Connecting,
    /// The handshake is done and the hello is sent. Counts the links so far: another number is
    /// another link, on which nothing of the old one is known.
    Up(u64),
    /// There is no link; the next attempt comes by itself.
    Down(DownReason),
}

impl Status {
    /// Whether frames flow.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Status::Up(_))
    }
}

/// What the handle and its task share.
struct Shared {
    queue: Queue,
    hello: Mutex<Vec<Frame>>,
    addresses: Mutex<Vec<Address>>,
    connects: AtomicU64,
}

/// Queues frames for an [`Outbound`], from anywhere.
#[derive(Clone)]
pub struct OutboundSender(Arc<Shared>);

impl fmt::Debug for OutboundSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutboundSender")
    }
}

impl OutboundSender {
    /// Queues a frame. It is sent when the link is up, unless it waits longer than `max_age`;
    /// frames that a link had taken when it broke may be lost.
    ///
    /// # Errors
    /// [`Full`]: the frame is dropped.
    pub fn try_send(&self, frame: Frame) -> std::result::Result<(), Full> {
        self.0.queue.push(frame)
    }

    /// Frames that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queue.len()
    }

    /// Frames taken from the queue so far to be sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.queue.taken()
    }

    /// Replaces the addresses that are tried from the next attempt on. A link that is up stays.
    pub fn set_addresses(&self, addresses: Vec<Address>) {
        *self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

/// A supervised link to one peer. Dropping it sends what is queued, if the link is up, and closes
/// it.
pub struct Outbound {
    sender: OutboundSender,
    incoming: mpsc::Receiver<Frame>,
    status: watch::Receiver<Status>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({:?})", *self.status.borrow())
    }
}

impl Outbound {
    /// Starts connecting. Call it inside a tokio runtime.
    #[must_use]
    pub fn spawn(config: OutboundConfig) -> Self {
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue, config.max_age),
            hello: Mutex::new(config.hello.clone()),
            addresses: Mutex::new(config.addresses.clone()),
            connects: AtomicU64::new(0),
        });
        let (deliver, incoming) = mpsc::channel(config.incoming.max(1));
        let (report, status) = watch::channel(Status::Connecting);
        let (stop, stopped) = watch::channel(false);
        let shared_too = shared.clone();
        let supervisor =
            Supervisor { config, shared: shared_too, deliver, report, stopped, tried: 0 };
        let task = tokio::spawn(supervisor.run());
        Outbound { sender: OutboundSender(shared), incoming, status, stop, task: Some(task) }
    }

    /// Queues a frame: see [`OutboundSender::try_send`].
    ///
    /// # Errors
    /// [`Full`].
    pub fn try_send(&self, frame: Frame) -> std::result::Result<(), Full> {
        self.sender.try_send(frame)
    }

    /// A handle that only queues frames.
    #[must_use]
    pub fn sender(&self) -> OutboundSender {
        self.sender.clone()
    }

    /// The next frame that came in, pings and pongs excepted; `None` after shutdown. May be dropped
    /// at any time.
    pub async fn recv(&mut self) -> Option<Frame> {
        self.incoming.recv().await
    }

    /// How it fares, now and at each change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Replaces the hello of the connections to come.
    pub fn set_hello(&self, hello: Vec<Frame>) {
        *self.sender.0.hello.lock().unwrap_or_else(PoisonError::into_inner) = hello;
    }

    /// Frames that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.sender.0.queue.len()
    }

    /// Frames dropped so far because they had waited longer than `max_age`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.sender.0.queue.stale()
    }

    /// Links made so far.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.sender.0.connects.load(Ordering::Relaxed)
    }

    /// Sends what is queued, for at most two seconds and only if the link is up, says goodbye and
    /// ends.
    pub async fn shutdown(mut self) {
        self.sender.0.queue.close();
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            // Its only error is a panic, which the runtime has reported.
            let _ = task.await;
        }
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        // The task sees that `stop` is gone.
        self.sender.0.queue.close();
    }
}

/// How a link ended.
enum Ended {
    /// We are told to stop.
    Told,
    /// It is lost.
    Lost(DownReason),
    /// Another one takes its place.
    Moved(Box<(LinkReader, LinkWriter)>),
}

struct Supervisor {
    config: OutboundConfig,
    shared: Arc<Shared>,
    deliver: mpsc::Sender<Frame>,
    report: watch::Sender<Status>,
    stopped: watch::Receiver<bool>,
    /// How many addresses have been given up so far.
    tried: usize,
}

impl Supervisor {
    fn addresses(&self) -> MutexGuard<'_, Vec<Address>> {
        self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address whose turn it is.
    fn address(&self) -> Option<Address> {
        let addresses = self.addresses();
        let n = self.tried.checked_rem(addresses.len())?;
        addresses.get(n).copied()
    }

    /// Goes on to the next address; false when all have been tried, and a wait is due.
    fn try_another(&mut self) -> bool {
        self.tried = self.tried.wrapping_add(1);
        self.tried.checked_rem(self.addresses().len()).is_some_and(|n| n > 0)
    }

    fn tor(&self) -> Option<&TorDialer> {
        self.config.dialer.tor_for(&self.address()?)
    }

    async fn run(mut self) {
        let mut backoff = Backoff::new(self.config.backoff_min, self.config.backoff_max);
        let mut stopped = self.stopped.clone();
        // Whether the last try took too long, and the one before it did not.
        let mut slow = false;
        loop {
            self.report.send_replace(Status::Connecting);
            let (up_for, reason) = tokio::select! {
                biased;
                _ = stopped.changed() => break,
                connected = self.connect() => match connected {
                    Ok(link) => {
                        let since = Instant::now();
                        slow = false;
                        let ended = self.serve_all(link).await;
                        let Some(reason) = ended else { break };
                        (since.elapsed(), reason)
                    }
                    Err(error) => {
                        slow = error == Error::ConnectTimeout && !slow;
                        (Duration::ZERO, error.into())
                    }
                },
            };
            if up_for >= self.config.stable_after {
                backoff.reset();
            }
            // On a slow network Tor goes on with what it has begun, and the next try finds that
            // done.
            if let Some(tor) = self.tor().filter(|_| !slow) {
                tor.leave_circuits();
            }
            if up_for.is_zero() && self.try_another() {
                continue;
            }
            self.report.send_replace(Status::Down(reason));
            let wait = backoff.next(&mut rand::rng());
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.shared.queue.close();
        self.report.send_replace(Status::Down(DownReason::Closed));
    }

    async fn connect(&self) -> Result<(LinkReader, LinkWriter)> {
        let config = &self.config;
        let mut limits = config.limits;
        limits.idle_timeout =
            limits.idle_timeout.min(config.ping_after.saturating_add(config.pong_timeout));
        let address = self.address().ok_or(Error::Unreachable)?;
        if config.dialer.tor_for(&address).is_some() {
            limits.handshake_timeout = limits.handshake_timeout.max(TOR_HANDSHAKE);
        }
        let link =
            connect_with(&config.dialer, address, config.expect, config.me.as_ref(), &limits)
                .await?;
        let (reader, mut writer) = link.split();
        let hello = self.shared.hello.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for frame in &hello {
            writer.feed(frame).await?;
        }
        writer.flush().await?;
        Ok((reader, writer))
    }

    /// Until there is no link, with the reason; `None` when we are told to stop. When Tor's
    /// circuits are renewed, a new link takes the place of the old one before that is closed.
    async fn serve_all(&mut self, link: (LinkReader, LinkWriter)) -> Option<DownReason> {
        let mut link = link;
        loop {
            match self.serve(link).await {
                Ended::Told => return None,
                Ended::Lost(reason) => return Some(reason),
                Ended::Moved(next) => link = *next,
            }
        }
    }

    async fn serve(&mut self, (reader, mut writer): (LinkReader, LinkWriter)) -> Ended {
        let number = self.shared.connects.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.report.send_replace(Status::Up(number));
        let received = AtomicU64::new(0);
        let started = Instant::now();
        let mut stopped = self.stopped.clone();
        let ended = tokio::select! {
            biased;
            _ = stopped.changed() => Ended::Told,
            reason = self.read(reader, started, &received) => Ended::Lost(reason),
            reason = self.write(&mut writer, started, &received) => Ended::Lost(reason),
            next = self.renewed() => Ended::Moved(Box::new(next)),
        };
        if !matches!(ended, Ended::Lost(_)) {
            let last = async {
                // What is queued goes out by the new link, if there is one.
                while matches!(ended, Ended::Told)
                    && let Some(frame) = self.shared.queue.pop()
                {
                    writer.feed(&frame).await?;
                }
                writer.close().await
            };
            // Whether the peer got it, only the peer could tell.
            let _ = tokio::time::timeout(LAST_FLUSH, last).await;
        }
        ended
    }

    /// A new link on new circuits, once they are due; for ever if the link does not run through
    /// Tor.
    async fn renewed(&self) -> (LinkReader, LinkWriter) {
        let Some(dialer) = self.tor() else {
            return std::future::pending().await;
        };
        let mut renewals = dialer.tor().renewals();
        loop {
            if renewals.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            // If that fails the old link goes on until the next renewal.
            if let Ok(link) = self.connect().await {
                return link;
            }
        }
    }

    async fn read(
        &self,
        mut reader: LinkReader,
        started: Instant,
        received: &AtomicU64,
    ) -> DownReason {
        loop {
            let frame = match reader.read().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return DownReason::Closed,
                Err(error) => return error.into(),
            };
            received.store(millis(started.elapsed()), Ordering::Relaxed);
            match frame {
                Frame::Pong => {}
                Frame::Ping => {
                    // With a full queue the peer sees traffic enough.
                    let _ = self.shared.queue.push(Frame::Pong);
                }
                frame => {
                    if self.deliver.send(frame).await.is_err() {
                        return DownReason::Closed;
                    }
                }
            }
        }
    }

    async fn write(
        &self,
        writer: &mut LinkWriter,
        started: Instant,
        received: &AtomicU64,
    ) -> DownReason {
        let ping_after = millis(self.config.ping_after);
        // When we last sent, and when we last asked for a sign of life, in ms since `started`.
        let (mut sent, mut asked) = (0, 0);
        loop {
            while let Some(frame) = self.shared.queue.pop() {
                match writer.feed(&frame).await {
                    // A frame over its limit is our own mistake, and no reason to part.
                    Ok(()) | Err(Error::Frame(_)) => sent = millis(started.elapsed()),
                    Err(error) => return error.into(),
                }
            }
            if let Err(error) = writer.flush().await {
                return error.into();
            }
            let heard = received.load(Ordering::Relaxed).max(asked);
            let due = sent.min(heard).saturating_add(ping_after);
            let due_at =
                started.checked_add(Duration::from_millis(due)).unwrap_or_else(Instant::now);
            tokio::select! {
                () = self.shared.queue.filled() => {}
                () = tokio::time::sleep_until(due_at) => {
                    let now = millis(started.elapsed());
                    let heard = received.load(Ordering::Relaxed).max(asked);
                    if sent.min(heard).saturating_add(ping_after) <= now {
                        if let Err(error) = writer.feed(&Frame::Ping).await {
                            return error.into();
                        }
                        (sent, asked) = (now, now);
                    }
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
