//! An engine that starts when it is needed.

use tokio::sync::{OnceCell, watch};
use wire::Address;

use super::{
    BoxFuture, ClientKey, Engine, EngineKind, Isolation, OnionService, ServiceSettings, TorError,
    TorSettings, TorStatus, system,
};
use crate::{Error, Result, Transport};

pub(super) struct Lazy {
    settings: TorSettings,
    report: watch::Sender<TorStatus>,
    engine: OnceCell<Box<dyn Engine>>,
}

impl Lazy {
    pub(super) fn new(settings: TorSettings, report: watch::Sender<TorStatus>) -> Self {
        Lazy { settings, report, engine: OnceCell::new() }
    }

    /// The engine, started if necessary. If it could not be started, the next caller tries again.
    async fn engine(&self) -> Result<&dyn Engine> {
        let started =
            self.engine.get_or_try_init(|| start(&self.settings, self.report.clone())).await;
        if let Err(Error::Tor(error)) = &started {
            let text = format!("{error} ({})", error.hint());
            self.report.send_replace(TorStatus { text, ..TorStatus::default() });
        }
        started.map(AsRef::as_ref)
    }
}

async fn start(
    settings: &TorSettings,
    report: watch::Sender<TorStatus>,
) -> Result<Box<dyn Engine>> {
    // A tor that runs already has settings of its own, and would go around the proxy.
    if settings.engine == EngineKind::System && crate::Proxy::in_use().is_some() {
        return Err(TorError::NoProxy.into());
    }
    Ok(match settings.engine {
        #[cfg(feature = "arti")]
        EngineKind::Arti => Box::new(super::arti::Arti::start(settings, report)?),
        #[cfg(not(feature = "arti"))]
        EngineKind::Arti => return Err(TorError::NoArti.into()),
        EngineKind::System => Box::new(system::System::attach(settings, report).await?),
        EngineKind::Private => Box::new(system::System::spawn(settings, report).await?),
    })
}

impl Engine for Lazy {
    fn wake(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.engine().await.map(|_| ()) })
    }

    fn connect(
        &self,
        to: Address,
        isolation: Isolation,
    ) -> BoxFuture<'_, Result<Box<dyn Transport>>> {
        Box::pin(async move { self.engine().await?.connect(to, isolation).await })
    }

    fn publish(&self, service: ServiceSettings) -> BoxFuture<'_, Result<OnionService>> {
        Box::pin(async move { self.engine().await?.publish(service).await })
    }

    fn add_client_key(&self, key: ClientKey) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.engine().await?.add_client_key(key).await })
    }
}
