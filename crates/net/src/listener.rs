//! The accepting side.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use wire::NodeId;

use crate::permit::{Permit, Permits};
use crate::tor::OnionIncoming;
use crate::{Error, Identity, Link, ListenerLimits, Result, Transport, tls, transport};

/// Connections that the kernel holds until we take them.
const KERNEL_BACKLOG: u32 = 1024;
/// Pause after the system refused to accept: most likely all file descriptors are in use.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// A link that somebody opened to us.
#[derive(Debug)]
pub struct Incoming {
    /// The link. Its place among the listener's connections is given back when both its halves are
    /// gone.
    pub link: Link,
    /// The key that the other side proved, if it showed one.
    pub peer: Option<NodeId>,
}

/// Accepts links. Stops listening when dropped; links already accepted live on.
pub struct Listener {
    local: SocketAddr,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    permits: Permits,
    accepting: AbortHandle,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Ends the handshakes with it: they live in the task's `JoinSet`.
        self.accepting.abort();
    }
}

impl Listener {
    /// Listens at `address`, port 0 for any free port, as `me`. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::PortNotPermitted`], [`Error::NotOurAddress`],
    /// [`Error::Listen`].
    #[allow(
        clippy::unused_async,
        reason = "registering a socket needs the runtime, which `async` makes plain"
    )]
    pub async fn bind(
        address: SocketAddr,
        me: &Identity,
        limits: ListenerLimits,
    ) -> Result<Listener> {
        Listener::over(
            listen(address, None).map_err(|e| Error::listen(&e, address.port()))?,
            me,
            limits,
        )
    }

    /// As [`Listener::bind`], for this link alone: what it answers passes no router, so that nobody
    /// behind one gets a link.
    pub(crate) fn bind_near(
        address: SocketAddr,
        me: &Identity,
        limits: ListenerLimits,
    ) -> Result<Listener> {
        Listener::over(
            listen(address, Some(1)).map_err(|e| Error::listen(&e, address.port()))?,
            me,
            limits,
        )
    }

    fn over(socket: TcpListener, me: &Identity, limits: ListenerLimits) -> Result<Listener> {
        let local = socket.local_addr().map_err(|e| Error::Listen(e.kind()))?;
        Listener::start(Source::Tcp(socket), local, me, limits)
    }

    /// Takes the streams that come to an onion service, as `me`. They all seem to come from this
    /// machine, so the bound per address does not apply. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Bug`] when our own configuration of TLS is wrong.
    #[allow(clippy::unused_async, reason = "as `bind`")]
    pub async fn onion(
        incoming: OnionIncoming,
        me: &Identity,
        limits: ListenerLimits,
    ) -> Result<Listener> {
        Listener::start(Source::Onion(incoming), SocketAddr::from(([0, 0, 0, 0], 0)), me, limits)
    }

    fn start(
        source: Source,
        local: SocketAddr,
        me: &Identity,
        limits: ListenerLimits,
    ) -> Result<Listener> {
        let config = tls::server_config(me)?;
        let permits = Permits::new(&limits);
        let (out, incoming) = mpsc::channel(limits.backlog.max(1));
        let acceptor = Acceptor { config, limits, permits: permits.clone(), out };
        let accepting = tokio::spawn(acceptor.run(source)).abort_handle();
        Ok(Listener { local, incoming: Mutex::new(incoming), permits, accepting })
    }

    /// Where it listens; `0.0.0.0:0` when the streams come from an onion service, which listens
    /// nowhere on this machine.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Connections held now, those in their handshake included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.permits.held()
    }

    /// The next link whose handshake is done. May be called from several tasks, and dropped at any
    /// time.
    ///
    /// # Errors
    /// [`Error::Broken`] when the runtime is shutting down.
    pub async fn accept(&self) -> Result<Incoming> {
        self.incoming.lock().await.recv().await.ok_or(Error::Broken)
    }
}

/// With `hops`, packets of the links that come pass so many routers less one.
fn listen(address: SocketAddr, hops: Option<u32>) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(hops) = hops {
        // Accepted sockets inherit it.
        let socket = socket2::SockRef::from(&socket);
        if address.is_ipv4() {
            socket.set_ttl_v4(hops)?;
        } else {
            socket.set_unicast_hops_v6(hops)?;
        }
    }
    // So that a restart does not wait for the last connections' TIME_WAIT. On Windows the option
    // would mean that others may take the port from us.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(KERNEL_BACKLOG)
}

/// Where streams come from.
enum Source {
    Tcp(TcpListener),
    Onion(OnionIncoming),
}

impl Source {
    /// The next stream, and the address that it counts for; `None` when there will be none.
    async fn next(&mut self) -> Option<std::io::Result<(Box<dyn Transport>, IpAddr)>> {
        match self {
            Source::Tcp(socket) => Some(socket.accept().await.map(|(stream, from)| {
                transport::prepare(&stream);
                let stream: Box<dyn Transport> = Box::new(stream);
                (stream, from.ip())
            })),
            Source::Onion(incoming) => {
                incoming.recv().await.map(|stream| Ok((stream, IpAddr::from(Ipv4Addr::LOCALHOST))))
            }
        }
    }
}

struct Acceptor {
    config: Arc<rustls::ServerConfig>,
    limits: ListenerLimits,
    permits: Permits,
    out: mpsc::Sender<Incoming>,
}

impl Acceptor {
    async fn run(self, mut source: Source) {
        let mut handshakes = JoinSet::new();
        let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                accepted = source.next() => accepted,
                Some(_) = handshakes.join_next() => continue,
            };
            let Some(accepted) = accepted else {
                // The service is gone: finish what has begun.
                while handshakes.join_next().await.is_some() {}
                return;
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "cannot accept a connection");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                    continue;
                }
            };
            let Some(permit) = self.permits.take(from) else {
                // Full: dropping the stream closes it.
                continue;
            };
            if oldest_first.len() >= self.limits.max_handshakes {
                oldest_first.retain(|h| !h.is_finished());
            }
            if oldest_first.len() >= self.limits.max_handshakes
                && let Some(oldest) = oldest_first.pop_front()
            {
                // Honest handshakes take milliseconds, so the oldest one is stalling.
                oldest.abort();
            }
            oldest_first.push_back(handshakes.spawn(self.handshake(stream, permit)));
        }
    }

    fn handshake(
        &self,
        stream: Box<dyn Transport>,
        permit: Permit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (config, limits, out) = (self.config.clone(), self.limits.link, self.out.clone());
        async move {
            match Link::accept_configured(stream, config, &limits, Some(permit)).await {
                Ok(link) => {
                    let peer = link.peer();
                    // Fails only when the listener is gone.
                    let _ = out.send(Incoming { link, peer }).await;
                }
                Err(error) => tracing::debug!(%error, "no link"),
            }
        }
    }
}
