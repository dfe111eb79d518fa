//! Tor, through one of two engines: Arti inside this process, or a separate tor process.
//!
//! A [`Tor`] is a handle to an engine. It dials onion services (and, through exits, IP addresses),
//! publishes onion services, and reports its progress. Streams of one [`TorDialer`] never share
//! circuits with those of another.

#[cfg(feature = "arti")]
mod arti;
mod child;
mod control;
mod find;
mod keys;
mod lazy;
mod service;
mod settings;
mod status;
mod system;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use wire::Address;

pub use self::find::{SOCKS_PORTS, find_socks};
pub use self::keys::{ClientKey, ClientPublicKey};
pub use self::service::{OnionIncoming, OnionService, ServiceSettings, onion_name};
pub use self::settings::{EngineKind, PluggableTransport, TorSettings, Vanguards};
pub use self::status::TorStatus;
pub use crate::tor_error::TorError;
use crate::{Error, Result, Transport};

/// How long one attempt to connect through Tor may take. It includes a descriptor, an introduction
/// and a rendezvous.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Streams with equal values may share circuits: those of one dialer, between two renewals, as long
/// as nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Isolation {
    /// The dialer.
    group: u64,
    /// Counts renewals.
    generation: u64,
    /// Counts what went wrong.
    failures: u64,
}

/// The interface of both engines.
trait Engine: Send + Sync + 'static {
    /// Starts the engine, if it does not run yet.
    fn wake(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// Opens a stream, when Tor is ready.
    fn connect(
        &self,
        to: Address,
        isolation: Isolation,
    ) -> BoxFuture<'_, Result<Box<dyn Transport>>>;
    /// Publishes an onion service until the returned value is dropped.
    fn publish(&self, service: ServiceSettings) -> BoxFuture<'_, Result<OnionService>>;
    /// Adds a key for a restricted service.
    fn add_client_key(&self, key: ClientKey) -> BoxFuture<'_, Result<()>>;
}

struct Inner {
    engine: Box<dyn Engine>,
    status: watch::Receiver<TorStatus>,
    groups: AtomicU64,
    generation: watch::Sender<u64>,
    exits: bool,
    renewing: Option<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

/// A running Tor. Clones share it; it stops when the last one is dropped. `Debug` prints the type
/// alone.
#[derive(Clone)]
pub struct Tor(Arc<Inner>);

impl fmt::Debug for Tor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tor")
    }
}

impl Tor {
    /// Starts an engine in the background; [`Tor::status`] shows its progress. Call it inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`Error::Tor`]: a setting is wrong, there is no tor, or the state directory is unusable.
    pub async fn start(settings: TorSettings) -> Result<Tor> {
        let tor = Tor::lazy(settings);
        tor.0.engine.wake().await?;
        Ok(tor)
    }

    /// An engine that starts when something is first dialled or published. Call it inside a tokio
    /// runtime.
    #[must_use]
    pub fn lazy(settings: TorSettings) -> Tor {
        let (report, status) = watch::channel(TorStatus::default());
        let generation = watch::channel(0_u64).0;
        let (renew_every, exits) = (settings.renew_every, settings.exits);
        let engine = lazy::Lazy::new(settings, report);
        let renewing = renew_every.map(|every| {
            let generation = generation.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    generation.send_modify(|g| *g = g.wrapping_add(1));
                }
            })
            .abort_handle()
        });
        Tor(Arc::new(Inner {
            engine: Box::new(engine),
            status,
            groups: AtomicU64::new(0),
            generation,
            exits,
            renewing,
        }))
    }

    /// The status of Tor, now and at each change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<TorStatus> {
        self.0.status.clone()
    }

    /// Waits until Tor can carry streams.
    ///
    /// # Errors
    /// [`TorError::Stopped`] when it never will be able to.
    pub async fn ready(&self) -> Result<()> {
        self.0.engine.wake().await?;
        let mut status = self.status();
        let ready = status.wait_for(|s| s.ready).await;
        ready.map(|_| ()).map_err(|_| TorError::Stopped.into())
    }

    /// A dialer whose streams share circuits with no other dialer's.
    #[must_use]
    pub fn dialer(&self) -> TorDialer {
        let group = self.0.groups.fetch_add(1, Ordering::Relaxed);
        TorDialer { group, failures: Arc::default(), tor: self.clone() }
    }

    /// Makes new streams take new circuits from now on. Links that follow [`Tor::renewals`] move
    /// over by themselves.
    pub fn renew(&self) {
        self.0.generation.send_modify(|g| *g = g.wrapping_add(1));
    }

    /// Changes with each renewal of circuits.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Publishes an onion service. The name depends on the key alone. Returns when the descriptor
    /// was uploaded, or after a minute, in which case the service keeps trying.
    ///
    /// # Errors
    /// [`Error::Tor`].
    pub async fn publish(&self, service: ServiceSettings) -> Result<OnionService> {
        self.ready().await?;
        self.0.engine.publish(service).await
    }

    /// Adds a key with which a restricted service can be found.
    ///
    /// # Errors
    /// [`Error::Tor`].
    pub async fn add_client_key(&self, key: ClientKey) -> Result<()> {
        self.0.engine.add_client_key(key).await
    }
}

/// Dials through Tor. Clones share circuits; see [`Tor::dialer`].
#[derive(Clone)]
pub struct TorDialer {
    tor: Tor,
    group: u64,
    failures: Arc<AtomicU64>,
}

impl fmt::Debug for TorDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TorDialer")
    }
}

impl PartialEq for TorDialer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tor.0, &other.tor.0) && self.group == other.group
    }
}

impl Eq for TorDialer {}

impl TorDialer {
    /// Opens a stream.
    ///
    /// # Errors
    /// [`Error::Tor`], [`Error::ConnectTimeout`].
    pub async fn dial(&self, to: Address) -> Result<Box<dyn Transport>> {
        if !self.reaches(&to) {
            return Err(TorError::NoExits.into());
        }
        self.tor.ready().await?;
        let isolation = Isolation {
            group: self.group,
            generation: *self.tor.0.generation.borrow(),
            failures: self.failures.load(Ordering::Relaxed),
        };
        tokio::time::timeout(CONNECT_TIMEOUT, self.tor.0.engine.connect(to, isolation))
            .await
            .map_err(|_| Error::ConnectTimeout)?
    }

    /// Makes the next stream take other circuits, after one has failed. A circuit to a service that
    /// is gone can look alive for minutes, and every stream on it would fail like the first.
    pub(crate) fn leave_circuits(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the settings allow dialling this address.
    #[must_use]
    pub fn reaches(&self, to: &Address) -> bool {
        to.is_onion() || self.tor.0.exits
    }

    /// The Tor that it dials through.
    #[must_use]
    pub const fn tor(&self) -> &Tor {
        &self.tor
    }
}
