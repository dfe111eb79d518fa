//! Serves a router on any source of streams: TCP, or an onion service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use net::Transport;
use net::tor::OnionIncoming;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stall::Stalls;
use crate::node::next_link;

/// What strangers may use of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at one time. Further ones wait in the system's queue, or at Tor.
    pub connections: usize,
    /// How long a client may take for a request's header, and may be idle before the next one.
    pub header: Duration,
    /// Bytes of a request's header.
    pub header_bytes: usize,
    /// How long a client may take for a request's body.
    pub body: Duration,
    /// How long a client may go without reading.
    pub stall: Duration,
}

impl Default for HttpLimits {
    /// 256 connections, 15 s and 16 KiB for a header, 30 s for a body, 30 s without reading.
    fn default() -> Self {
        HttpLimits {
            connections: 256,
            header: Duration::from_secs(15),
            header_bytes: 16 * 1024,
            body: Duration::from_secs(30),
            stall: Duration::from_secs(30),
        }
    }
}

/// How long answers may still take when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where a connection comes from. The address is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A program of this machine: a person's own, or a proxy.
    Loopback,
    /// Another machine.
    Elsewhere,
    /// This node's onion service.
    Onion,
}

/// What a listener's addresses say about its peers.
pub trait Whence {
    /// Where it is.
    fn origin(&self) -> Origin;
}

impl Whence for SocketAddr {
    fn origin(&self) -> Origin {
        if self.ip().to_canonical().is_loopback() { Origin::Loopback } else { Origin::Elsewhere }
    }
}

/// The unknown peer of an onion service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnionPeer;

impl Whence for OnionPeer {
    fn origin(&self) -> Origin {
        Origin::Onion
    }
}

/// The streams of an onion service's port, as a listener.
#[derive(Debug)]
pub struct OnionStreams(pub OnionIncoming);

impl Listener for OnionStreams {
    type Io = Box<dyn Transport>;
    type Addr = OnionPeer;

    async fn accept(&mut self) -> (Self::Io, OnionPeer) {
        match self.0.recv().await {
            Some(stream) => (stream, OnionPeer),
            // The service is gone: nobody will come.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<OnionPeer> {
        Ok(OnionPeer)
    }
}

/// What handlers know of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    /// Unlike any other link's of this process.
    pub(crate) number: u64,
}

type OnClose = Arc<dyn Fn(u64) + Send + Sync>;

/// A router with its limits, open to any number of listeners. Clones share it.
#[derive(Clone)]
pub struct Door {
    router: Router,
    limits: HttpLimits,
    closed: Option<OnClose>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// A door that nobody comes through yet.
    #[must_use]
    pub fn new(router: Router, limits: HttpLimits) -> Self {
        Door {
            router,
            limits,
            closed: None,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Has `closed` called with each connection's number at its end.
    pub(crate) fn on_close(self, closed: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Door { closed: Some(Arc::new(closed)), ..self }
    }

    /// Serves what a listener accepts, in the background, until [`Door::stop`]. The limits hold for
    /// each listener by itself.
    pub fn serve<L>(&self, mut listener: L)
    where
        L: Listener,
        L::Addr: Whence,
    {
        let door = self.clone();
        let places = Arc::new(Semaphore::new(self.limits.connections.max(1)));
        self.tasks.spawn(async move {
            loop {
                let accepting = async {
                    // A place first: who has none waits outside, where it costs us nothing.
                    let place = places.clone().acquire_owned().await.ok()?;
                    Some((place, listener.accept().await))
                };
                let accepted = tokio::select! {
                    () = door.stop.cancelled() => return,
                    accepted = accepting => accepted,
                };
                let Some((place, (io, peer))) = accepted else { return };
                let connection = Connection { origin: peer.origin(), number: next_link() };
                let serving = door.clone().connection(io, connection);
                door.tasks.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
        });
    }

    async fn connection<T: Transport>(self, io: T, connection: Connection) {
        let service = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(connection);
            service.call(request)
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .max_buf_size(self.limits.header_bytes)
            // A clock tells machines apart.
            .auto_date_header(false);
        let serving =
            builder.serve_connection(TokioIo::new(Stalls::new(io, self.limits.stall)), service);
        tokio::pin!(serving);
        tokio::select! {
            // How it ended is the client's affair.
            _ = serving.as_mut() => {}
            () = self.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(FAREWELL, serving).await;
            }
        }
        if let Some(closed) = &self.closed {
            closed(connection.number);
        }
    }

    /// Ends all of it; answers that are on their way have a second.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
