//! A hub's HTTP service: settings, start, stop.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::HeaderValue;
use net::tor::OnionIncoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wire::OnionName;
use wire::id::AccessKey;

use super::metrics::HttpStats;
use super::router::router;
use super::serve::{Door, HttpLimits, OnionStreams};
use crate::Error;
use crate::config::{HubConfig, MetricsAccess};
use crate::hub::HubHandle;

/// Settings of a service, checked.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where it listens; `None`: on no port of this machine.
    pub listen: Option<SocketAddr>,
    /// Whether a request without a key is a guest's.
    pub open_guest: bool,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
    /// What strangers may take.
    pub limits: HttpLimits,
    /// The name that `/onion` tells.
    pub onion: Option<OnionName>,
    cors: Vec<HeaderValue>,
}

impl HttpSettings {
    /// From a hub's settings.
    ///
    /// # Errors
    /// [`Error::Config`] that says which setting is wrong.
    pub fn new(config: &HubConfig) -> Result<Self, Error> {
        let onion = config.http_onion.as_deref().map(str::parse).transpose();
        let limits =
            HttpLimits { connections: config.http_max_connections, ..HttpLimits::default() };
        Ok(HttpSettings {
            listen: config.http_listen,
            open_guest: config.http_open_guest,
            metrics: config.http_metrics,
            limits,
            onion: onion.map_err(|_| Error::Config("http_onion is no onion address".into()))?,
            cors: config
                .http_cors_origins
                .iter()
                .map(|text| origin(text))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// `*`, or `SCHEME://HOST[:PORT]` as browsers write it: nothing follows.
fn origin(text: &str) -> Result<HeaderValue, Error> {
    let (scheme, host) = text.split_once("://").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    let known = matches!(scheme, "http" | "https") && !host.is_empty() && host.chars().all(plain);
    let value = HeaderValue::from_str(text).ok().filter(|_| known || text == "*");
    value.ok_or_else(|| {
        Error::Config("http_cors_origins holds origins like \"https://example.org\", without a path, or \"*\"".into())
    })
}

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) hub: HubHandle,
    pub(super) open_guest: bool,
    pub(super) metrics: MetricsAccess,
    pub(super) limits: HttpLimits,
    pub(super) cors: Vec<HeaderValue>,
    pub(super) onion: watch::Receiver<Option<OnionName>>,
    pub(super) stats: Arc<HttpStats>,
}

impl Shared {
    /// The key of a request that brings none.
    pub(super) fn open_key(&self) -> Option<AccessKey> {
        self.open_guest.then_some(self.hub.guest)
    }
}

/// A running service of a hub.
#[derive(Debug)]
pub struct HttpService {
    /// Where it listens, if on a port of this machine.
    pub address: Option<SocketAddr>,
    onion: watch::Sender<Option<OnionName>>,
    door: Door,
}

impl HttpService {
    /// Starts a service of this hub.
    ///
    /// # Errors
    /// [`Error::Net`]: the port is taken or not ours.
    pub async fn start(settings: HttpSettings, hub: HubHandle) -> Result<HttpService, Error> {
        let (onion, told) = watch::channel(settings.onion);
        let shared = Shared {
            hub: hub.clone(),
            open_guest: settings.open_guest,
            metrics: settings.metrics,
            limits: settings.limits,
            cors: settings.cors,
            onion: told,
            stats: Arc::default(),
        };
        let door = Door::new(router(shared), settings.limits).on_close(move |link| hub.gone(link));
        let mut address = None;
        if let Some(listen) = settings.listen {
            let refused = |e: std::io::Error| Error::Net(net::Error::listen(&e, listen.port()));
            let listener = TcpListener::bind(listen).await.map_err(refused)?;
            address = Some(listener.local_addr().map_err(refused)?);
            door.serve(listener);
        }
        Ok(HttpService { address, onion, door })
    }

    /// Serves the streams of an onion service too.
    pub fn serve_onion(&self, incoming: OnionIncoming) {
        self.door.serve(OnionStreams(incoming));
    }

    /// What `/onion` tells from now on.
    pub fn set_onion(&self, name: Option<OnionName>) {
        self.onion.send_replace(name);
    }

    /// Ends it; the hub goes on.
    pub async fn stop(&self) {
        self.door.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let with = |origins: &[&str], onion: Option<&str>| {
            HttpSettings::new(&HubConfig {
                http_cors_origins: origins.iter().map(ToString::to_string).collect(),
                http_onion: onion.map(ToOwned::to_owned),
                ..HubConfig::default()
            })
        };
        let name = OnionName::from_key([7; 32]).to_string();
        assert!(
            with(
                &["*", "https://example.org", "http://127.0.0.1:8000", "http://[::1]:1"],
                Some(&name)
            )
            .is_ok()
        );
        for bad in [
            "",
            "example.org",
            "https://",
            "https://example.org/",
            "https://a b",
            "file://x",
            "null",
        ] {
            assert!(with(&[bad], None).is_err(), "{bad}");
        }
        assert!(with(&[], Some("nonsense.onion")).is_err());
    }
}
