//! Arti inside this process.

use std::sync::Arc;
use std::time::Duration;

use arti_client::config::TorClientConfigBuilder;
use arti_client::isolation::IsolationHelper;
use arti_client::{
    BootstrapBehavior, DangerouslyIntoTorAddr, ErrorKind, HasKind, IntoTorAddr, KeystoreSelector,
    StreamPrefs, TorClient, TorClientConfig,
};
use futures::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tor_cell::relaycell::msg::Connected;
use tor_config::BoolOrAuto;
use tor_hscrypto::pk::{HsClientDescEncSecretKey, HsId, HsIdKeypair};
use tor_hsservice::config::OnionServiceConfigBuilder;
use tor_hsservice::status::{OnionServiceStatus, State};
use tor_hsservice::{RendRequest, RunningOnionService, StreamRequest, handle_rend_requests};
use tor_llcrypto::pk::curve25519::StaticSecret;
use tor_llcrypto::pk::ed25519::{ExpandedKeypair, Keypair};
use tor_proto::stream::IncomingStreamRequest;
use tor_rtcompat::tokio::TokioRustlsRuntime;
use wire::Address;

use super::service::Doors;
use super::{
    BoxFuture, ClientKey, Engine, Isolation, OnionService, ServiceSettings, TorError, TorSettings,
    TorStatus, Vanguards, onion_name,
};
use crate::{Proxy, Result, Transport};

/// Pause before another try to connect to the network.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a new service may take until its descriptor is out, before we go on without knowing.
const PUBLISH: Duration = Duration::from_secs(60);
/// How many clients' circuits of one service are served at a time.
const CIRCUITS: usize = 512;

type Client = Arc<TorClient<TokioRustlsRuntime>>;

impl IsolationHelper for Isolation {
    fn compatible_same_type(&self, other: &Self) -> bool {
        self == other
    }

    fn join_same_type(&self, other: &Self) -> Option<Self> {
        (self == other).then_some(*self)
    }
}

pub(super) struct Arti {
    client: Client,
    tasks: Vec<AbortHandle>,
    status: watch::Receiver<TorStatus>,
}

impl Drop for Arti {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Arti {
    pub(super) fn start(settings: &TorSettings, report: watch::Sender<TorStatus>) -> Result<Arti> {
        if !settings.guards.is_empty() {
            return Err(TorError::Unsupported("guards").into());
        }
        // Arti does not hand the proxy on to the programs of its transports.
        if Proxy::in_use().is_some() && !settings.transports.is_empty() {
            return Err(TorError::Unsupported("transports of bridges through a proxy").into());
        }
        // Arti's rustls takes the process's provider; a second installation changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = configuration(settings)?;
        // What services of an earlier run left, whose keys are gone. Most often there is nothing.
        let _ = std::fs::remove_dir_all(settings.dir.join("state").join("hss"));
        let runtime = TokioRustlsRuntime::current().map_err(|_| TorError::Stopped)?;
        let client = TorClient::with_runtime(runtime)
            .config(config)
            .bootstrap_behavior(BootstrapBehavior::Manual)
            .create_unbootstrapped()
            .map_err(|error| match error.kind() {
                ErrorKind::FsPermissions
                | ErrorKind::PersistentStateAccessFailed
                | ErrorKind::CacheAccessFailed => TorError::State,
                _ => TorError::Setting("Arti refuses its settings"),
            })?;
        let status = report.subscribe();
        let blocked_after = settings.blocked_after;
        let watching = tokio::spawn(watch_bootstrap(client.clone(), report, blocked_after));
        let bootstrapping = tokio::spawn(bootstrap(client.clone()));
        let tasks = vec![watching.abort_handle(), bootstrapping.abort_handle()];
        Ok(Arti { client, tasks, status })
    }

    async fn open(&self, to: Address, isolation: Isolation) -> Result<Box<dyn Transport>> {
        let mut prefs = StreamPrefs::new();
        prefs.set_isolation(isolation).connect_to_onion_services(BoolOrAuto::Explicit(true));
        let target = match to {
            Address::Onion(name, port) => (name.to_string(), port).into_tor_addr(),
            Address::Name(name, port) => (name.as_str(), port).into_tor_addr(),
            Address::Ip(socket) => socket.into_tor_addr_dangerously(),
        }
        .map_err(|_| TorError::Unreachable)?;
        let stream = self.client.connect_with_prefs(target, &prefs).await.map_err(|e| {
            // The kind names nobody; the error itself would.
            tracing::debug!(kind = ?e.kind(), "no stream through Tor");
            refusal(e.kind())
        })?;
        Ok(Box::new(stream))
    }

    async fn launch(&self, service: ServiceSettings) -> Result<OnionService> {
        self.status.clone().wait_for(|s| s.ready).await.map_err(|_| TorError::Stopped)?;
        let name = onion_name(&service.seed);
        // The nickname names keys and state inside Arti, whose keystore takes none twice. It tells
        // nothing to anyone who finds the state.
        let nickname = format!("hw-{:016x}", rand::random::<u64>());
        let mut toml = format!("nickname = \"{nickname}\"\n");
        if !service.clients.is_empty() {
            toml.push_str(
                "[restricted_discovery]\nenabled = true\n[restricted_discovery.static_keys]\n",
            );
            for (n, key) in service.clients.iter().enumerate() {
                toml.push_str(&format!("client{n} = \"{key}\"\n"));
            }
        }
        let refused = TorError::Setting("Arti refuses the onion service");
        let builder: OnionServiceConfigBuilder = toml::from_str(&toml).map_err(|_| refused)?;
        let config = builder.build().map_err(|_| refused)?;
        let keypair = Keypair::from_bytes(&service.seed);
        let keypair = HsIdKeypair::from(ExpandedKeypair::from(&keypair));
        let launched = self.client.launch_onion_service_with_hsid(config, keypair);
        let (running, requests) =
            launched.map_err(|_| TorError::Publish)?.ok_or(TorError::Publish)?;
        let (doors, incoming) = Doors::open(&service.ports);
        let serving = Serving(tokio::spawn(serve(requests, doors)).abort_handle());
        published(&running).await;
        Ok(OnionService::new(name, incoming, (running, serving)))
    }
}

impl Engine for Arti {
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
            let secret = HsClientDescEncSecretKey::from(StaticSecret::from(*key.secret));
            let service = HsId::from(*key.service.key());
            // The keystore replaces nothing by itself.
            let _ = self.client.remove_service_discovery_key(KeystoreSelector::Primary, service);
            let added = self.client.insert_service_discovery_key(
                KeystoreSelector::Primary,
                service,
                secret,
            );
            Ok(added.map(|_| ()).map_err(|_| TorError::State)?)
        })
    }
}

struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Accepts what clients ask for, each circuit apart, until the service is dropped.
async fn serve(requests: impl Stream<Item = RendRequest> + Send + 'static, doors: Doors) {
    let streams = handle_rend_requests(requests);
    streams.for_each_concurrent(CIRCUITS, |request| accept(request, doors.clone())).await;
}

async fn accept(request: StreamRequest, doors: Doors) {
    let port = match request.request() {
        IncomingStreamRequest::Begin(begin) => begin.port(),
        _ => 0,
    };
    if !doors.has(port) {
        // What C tor does with a port that is none of the service's.
        let _ = request.shutdown_circuit();
        return;
    }
    if let Ok(stream) = request.accept(Connected::new_empty()).await {
        doors.pass(port, Box::new(stream)).await;
    }
}

/// Waits until the descriptor is out, or until it has taken too long to go on waiting.
async fn published(running: &RunningOnionService) {
    let mut events = running.status_events();
    let waiting = async {
        while !handed_out(&running.status()) {
            if events.next().await.is_none() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PUBLISH, waiting).await;
}

/// Not `is_fully_reachable`: a service can be dialled while it calls itself degraded. "Unreachable"
/// without a problem is one of which all directories of the present period know, when those of the
/// next cannot be reckoned yet.
fn handed_out(status: &OnionServiceStatus) -> bool {
    match status.state() {
        State::Running | State::DegradedReachable => true,
        State::DegradedUnreachable => status.current_problem().is_none(),
        _ => false,
    }
}

async fn bootstrap(client: Client) {
    while client.bootstrap().await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_bootstrap(
    client: Client,
    report: watch::Sender<TorStatus>,
    blocked_after: Duration,
) {
    let deadline = tokio::time::sleep(blocked_after);
    tokio::pin!(deadline);
    let mut events = client.bootstrap_events();
    let mut overdue = false;
    loop {
        let now = client.bootstrap_status();
        let ready = now.ready_for_traffic();
        #[allow(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0..=100"
        )]
        let percent = (now.as_frac().clamp(0.0, 1.0) * 100.0) as u8;
        if ready {
            overdue = false;
            deadline.as_mut().reset(tokio::time::Instant::now() + blocked_after);
        }
        let blocked = !ready && overdue;
        let text =
            if percent < 15 { "connecting to a relay" } else { "loading the directory of relays" };
        report.send_replace(TorStatus { percent, ready, text: text.to_owned(), blocked });
        tokio::select! {
            event = events.next() => if event.is_none() { return },
            () = &mut deadline, if !overdue => overdue = true,
        }
    }
}

fn refusal(kind: ErrorKind) -> TorError {
    match kind {
        ErrorKind::OnionServiceNotFound
        | ErrorKind::OnionServiceNotRunning
        | ErrorKind::OnionServiceConnectionFailed => TorError::OnionUnreachable,
        ErrorKind::OnionServiceMissingClientAuth | ErrorKind::OnionServiceWrongClientAuth => {
            TorError::OnionKey
        }
        ErrorKind::BootstrapRequired => TorError::NotReady,
        _ => TorError::Unreachable,
    }
}

/// Arti's settings from ours: TOML, merged with what the person added.
fn configuration(settings: &TorSettings) -> Result<TorClientConfig> {
    let wrong = TorError::Setting("Arti refuses its settings");
    let mut table = ours(settings);
    if let Some(text) = &settings.arti_toml {
        let theirs: toml::Table =
            toml::from_str(text).map_err(|_| TorError::Setting("the Arti settings are no TOML"))?;
        merge(&mut table, theirs);
    }
    let builder: TorClientConfigBuilder = table.try_into().map_err(|_| wrong)?;
    Ok(builder.build().map_err(|_| wrong)?)
}

fn ours(settings: &TorSettings) -> toml::Table {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let seconds = |d: Duration| format!("{} s", d.as_secs().max(1));
    let vanguards = match settings.vanguards {
        Vanguards::Full => "full",
        Vanguards::Lite => "lite",
        Vanguards::Off => "disabled",
    };
    let mut table = toml::toml! {
        // Our own keys never reach Arti's disk.
        [storage.keystore.primary]
        kind = "ephemeral"
        [address_filter]
        allow_onion_addrs = true
    };
    let mut put = |section: &str, key: &str, value: toml::Value| {
        let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
        if let Some(section) = section.as_table_mut() {
            section.insert(key.to_owned(), value);
        }
    };
    put("storage", "cache_dir", text(&settings.dir.join("cache")).into());
    put("storage", "state_dir", text(&settings.dir.join("state")).into());
    put("vanguards", "mode", vanguards.into());
    put("circuit_timing", "max_dirtiness", seconds(settings.new_circuit_after).into());
    if let Some(proxy) = Proxy::in_use() {
        put("channel", "outbound_proxy", proxy.to_text().as_str().into());
    }
    if !settings.bridges.is_empty() {
        put("bridges", "enabled", true.into());
        put("bridges", "bridges", settings.bridges.join("\n").into());
        let transports = settings.transports.iter().map(|transport| {
            let mut entry = toml::Table::new();
            entry.insert("protocols".into(), vec![transport.name.clone()].into());
            entry.insert("path".into(), text(&transport.path).into());
            toml::Value::from(entry)
        });
        put("bridges", "transports", transports.collect::<Vec<_>>().into());
    }
    table
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_artis() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = TorSettings::new(dir.path().to_owned());
        assert!(configuration(&settings).is_ok());
        settings.arti_toml = Some("[vanguards]\nmode = \"lite\"\n".into());
        assert!(configuration(&settings).is_ok());
        settings.arti_toml = Some("[vanguards]\nmode = 7\n".into());
        assert!(configuration(&settings).is_err());
        settings.arti_toml = None;
        settings.bridges = vec!["no bridge".into()];
        assert!(configuration(&settings).is_err());
        settings.bridges = vec!["127.0.0.1:9 4523611E80ABFAD541EB9731247C62BBCDBC0F80".into()];
        assert!(configuration(&settings).is_ok());
    }
}
