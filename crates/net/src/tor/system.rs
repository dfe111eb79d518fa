//! A tor process: one that already runs on this machine, or a private one.

use std::net::SocketAddr;
use std::result::Result as StdResult;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::AbortHandle;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;
use wire::{Address, Sensitive};
use zeroize::Zeroizing;

use super::control::Control;
use super::find::{SOCKS_PORTS, find_socks, speaks_socks};
use super::service::Doors;
use super::{
    BoxFuture, ClientKey, Engine, Isolation, OnionService, ServiceSettings, TorError, TorSettings,
    TorStatus, child, onion_name,
};
use crate::{Result, Transport, transport};

const LOOK_EVERY: Duration = Duration::from_millis(500);
const CONTROL_PORT: u16 = 9051;
/// Pause after tor refused authentication, since it logs every attempt.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a dropped service with the same key may take to disappear.
const GOING: Duration = Duration::from_secs(5);
/// How long to wait for the upload of a new descriptor before going on without knowing.
const PUBLISH: Duration = Duration::from_secs(60);

/// The ports of the process. A private tor gets other ports when it is restarted.
#[derive(Clone)]
struct Ports {
    socks: Option<SocketAddr>,
    control: SocketAddr,
}

struct Shared {
    ports: watch::Sender<Ports>,
    password: Option<Sensitive<String>>,
    keys: Mutex<Vec<ClientKey>>,
}

impl Shared {
    async fn control(&self) -> StdResult<Control, TorError> {
        let at = self.ports.borrow().control;
        Control::connect(at, self.password.as_ref()).await
    }
}

pub(super) struct System {
    shared: Arc<Shared>,
    /// Random part of the SOCKS user names, so that no other program uses the same ones.
    session: u64,
    tasks: Vec<AbortHandle>,
}

impl Drop for System {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl System {
    /// Attaches to a running tor.
    pub(super) async fn attach(
        settings: &TorSettings,
        report: watch::Sender<TorStatus>,
    ) -> Result<System> {
        let socks = match settings.socks {
            Some(at) => speaks_socks(at).await.then_some(at),
            None => find_socks(SOCKS_PORTS).await,
        };
        let control =
            settings.control.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], CONTROL_PORT)));
        let ports = Ports { socks: Some(socks.ok_or(TorError::NoSocks)?), control };
        let shared = Arc::new(Shared {
            ports: watch::channel(ports).0,
            password: settings.password.clone(),
            keys: Mutex::default(),
        });
        let watching =
            tokio::spawn(watch_bootstrap(shared.clone(), report, settings.blocked_after));
        Ok(System { shared, session: rand::random(), tasks: vec![watching.abort_handle()] })
    }

    /// Starts a private tor, and restarts it when it ends.
    pub(super) async fn spawn(
        settings: &TorSettings,
        report: watch::Sender<TorStatus>,
    ) -> Result<System> {
        let (process, control) = child::start(settings).await?;
        let ports = Ports { socks: None, control };
        let shared = Arc::new(Shared {
            ports: watch::channel(ports).0,
            password: None,
            keys: Mutex::default(),
        });
        let watching =
            tokio::spawn(watch_bootstrap(shared.clone(), report, settings.blocked_after));
        let keeping = tokio::spawn(keep_alive(process, settings.clone(), shared.clone()));
        let tasks = vec![watching.abort_handle(), keeping.abort_handle()];
        Ok(System { shared, session: rand::random(), tasks })
    }

    async fn socks(&self) -> StdResult<SocketAddr, TorError> {
        if let Some(socks) = self.shared.ports.borrow().socks {
            return Ok(socks);
        }
        let found = self.shared.control().await?.socks().await?;
        self.shared.ports.send_modify(|ports| ports.socks = Some(found));
        Ok(found)
    }

    async fn open(&self, to: Address, isolation: Isolation) -> Result<Box<dyn Transport>> {
        let socks = self.socks().await?;
        // Tor keeps streams of different SOCKS users on different circuits (IsolateSOCKSAuth, its
        // default).
        let user = format!("hushwing-{:016x}-{}", self.session, isolation.group);
        let pass = format!("{}-{}", isolation.generation, isolation.failures);
        let target = match to {
            Address::Onion(name, port) => TargetAddr::Domain(name.to_string().into(), port),
            Address::Name(name, port) => TargetAddr::Domain(name.to_string().into(), port),
            Address::Ip(at) => TargetAddr::Ip(at),
        };
        let connected = Socks5Stream::connect_with_password(socks, target, &user, &pass).await;
        let stream = connected.map_err(|e| refusal(&e, to.is_onion()))?.into_inner();
        transport::prepare(&stream);
        Ok(Box::new(stream))
    }

    async fn launch(&self, service: ServiceSettings) -> Result<OnionService> {
        let name = onion_name(&service.seed);
        let (doors, incoming) = Doors::open(&service.ports);
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for port in &service.ports {
            let listener =
                TcpListener::bind(("127.0.0.1", 0)).await.map_err(|_| TorError::Publish)?;
            ports.push((*port, listener.local_addr().map_err(|_| TorError::Publish)?));
            listeners.push(Task(tokio::spawn(take(listener, *port, doors.clone())).abort_handle()));
        }
        let expanded = expand(&service.seed)?;
        let (first, published) = oneshot::channel();
        let keeping = keep_published(self.shared.clone(), expanded, ports, service, first);
        listeners.push(Task(tokio::spawn(keeping).abort_handle()));
        published.await.map_err(|_| TorError::Publish)??;
        Ok(OnionService::new(name, incoming, listeners))
    }
}

impl Engine for System {
    fn connect(
        &self,
        to: Address,
        isolation: Isolation,
    ) -> BoxFuture<'_, Result<Box<dyn Transport>>> {
        Box::pin(self.open(to, isolation))
    }

    fn publish(&self, service: ServiceSettings) -> BoxFuture<'_, Result<OnionService>> {
        Box::pin(self.launch(service))
    }

    fn add_client_key(&self, key: ClientKey) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.shared.keys.lock().await.push(key.clone());
            Ok(self.shared.control().await?.add_client_key(&key).await?)
        })
    }
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// RFC 8032, section 5.1.5: the secret scalar and the prefix, from the seed.
fn expand(seed: &[u8; 32]) -> StdResult<Zeroizing<[u8; 64]>, TorError> {
    let hash = digest::digest(&digest::SHA512, seed);
    let mut expanded: Zeroizing<[u8; 64]> =
        Zeroizing::new(hash.as_ref().try_into().map_err(|_| TorError::Publish)?);
    if let Some([first, .., last]) = expanded.first_chunk_mut::<32>() {
        *first &= 248;
        *last = (*last & 63) | 64;
    }
    Ok(expanded)
}

/// Accepts streams that tor forwards to a local port.
async fn take(listener: TcpListener, port: u16, doors: Doors) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                transport::prepare(&stream);
                doors.pass(port, Box::new(stream)).await;
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Keeps a service published. Its life ends with the control connection, so it is published again
/// after tor restarts.
async fn keep_published(
    shared: Arc<Shared>,
    expanded: Zeroizing<[u8; 64]>,
    ports: Vec<(u16, SocketAddr)>,
    service: ServiceSettings,
    first: oneshot::Sender<StdResult<(), TorError>>,
) {
    let name = onion_name(&service.seed);
    let mut first = Some(first);
    let begun = tokio::time::Instant::now();
    loop {
        let publishing = async {
            let mut control = shared.control().await?;
            control.watch_descriptors().await?;
            control.add_onion(&expanded, &ports, &service.clients).await?;
            Ok(control)
        };
        match publishing.await {
            Ok(mut control) => {
                let _ = tokio::time::timeout(PUBLISH, control.uploaded(name)).await;
                if let Some(first) = first.take() {
                    let _ = first.send(Ok(()));
                }
                // Returns when the connection is gone: tor was stopped.
                while control.answer().await.is_ok() {}
            }
            Err(TorError::ControlRefused(_)) if begun.elapsed() < GOING => {}
            Err(error) => {
                if let Some(first) = first.take() {
                    let _ = first.send(Err(error));
                    return;
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Restarts the private tor when it has ended.
async fn keep_alive(mut process: Child, settings: TorSettings, shared: Arc<Shared>) {
    loop {
        let _ = process.wait().await;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Ok((again, control)) = child::start(&settings).await {
                process = again;
                shared.ports.send_replace(Ports { socks: None, control });
                break;
            }
        }
    }
}

/// Follows bootstrap. If the control port may not be used, tor counts as ready while its SOCKS port
/// answers.
async fn watch_bootstrap(
    shared: Arc<Shared>,
    report: watch::Sender<TorStatus>,
    blocked_after: Duration,
) {
    let mut since = tokio::time::Instant::now();
    let mut control: Option<Control> = None;
    let mut ask_again = since;
    loop {
        if control.is_none() && ask_again <= tokio::time::Instant::now() {
            let connected = shared.control().await;
            if matches!(connected, Err(TorError::ControlAuth)) {
                ask_again = tokio::time::Instant::now() + REFUSED;
            }
            control = connected.ok();
            // A restarted tor has forgotten the keys that it was given.
            if let Some(control) = &mut control {
                for key in shared.keys.lock().await.iter() {
                    let _ = control.add_client_key(key).await;
                }
            }
        }
        let (percent, text) = match &mut control {
            Some(connected) => match connected.bootstrap().await {
                Ok(status) => status,
                Err(_) => {
                    control = None;
                    (0, "tor is gone; waiting for it".to_owned())
                }
            },
            None => {
                let socks = shared.ports.borrow().socks;
                match socks {
                    Some(at) if speaks_socks(at).await => (100, String::new()),
                    _ => (0, "tor is gone; waiting for it".to_owned()),
                }
            }
        };
        let ready = percent >= 100;
        if ready {
            since = tokio::time::Instant::now();
        }
        let blocked = since.elapsed() >= blocked_after;
        let status = TorStatus { percent, ready, text, blocked };
        report.send_if_modified(|old| std::mem::replace(old, status.clone()) != status);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn refusal(error: &tokio_socks::Error, onion: bool) -> TorError {
    match error {
        tokio_socks::Error::Io(_) | tokio_socks::Error::ProxyServerUnreachable => {
            TorError::NotReady
        }
        // Tor gives many reasons, a missing key among them, as "general failure".
        _ if onion => TorError::OnionUnreachable,
        _ => TorError::Unreachable,
    }
}
