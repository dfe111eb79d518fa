//! One link: frames over TLS.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use wire::{Address, NodeId};

use crate::permit::Permit;
use crate::transport::{Buffered, Transport};
use crate::{Dialer, Error, Identity, LinkLimits, LinkReader, LinkWriter, Result, tls};

/// Ciphertext that `rustls` holds at most for a peer that does not read, bytes.
const TLS_BUFFER: usize = 128 * 1024;

/// Which side of the handshake we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We connected.
    Client,
    /// We accepted.
    Server,
}

/// What both halves of a link share.
pub(crate) struct Shared {
    stream: Mutex<TlsStream<Buffered>>,
    _permit: Option<Permit>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, TlsStream<Buffered>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An authenticated, encrypted link that carries [`wire::Frame`]s. `Debug` prints the side alone.
pub struct Link {
    shared: Arc<Shared>,
    limits: LinkLimits,
    role: Role,
    peer: Option<NodeId>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({:?})", self.role)
    }
}

impl Link {
    /// Makes a link over a transport that leads to `expect`. With `me`, proves who we are.
    ///
    /// # Errors
    /// [`Error::WrongKey`], [`Error::Protocol`], [`Error::HandshakeTimeout`],
    /// [`Error::HandshakeClosed`].
    pub async fn connect_over(
        transport: Box<dyn Transport>,
        expect: NodeId,
        me: Option<&Identity>,
        limits: &LinkLimits,
    ) -> Result<Link> {
        Link::connect_configured(transport, tls::client_config(expect, me)?, limits).await
    }

    pub(crate) async fn connect_configured(
        transport: Box<dyn Transport>,
        config: Arc<ClientConfig>,
        limits: &LinkLimits,
    ) -> Result<Link> {
        let handshake =
            TlsConnector::from(config).connect(tls::no_name(), Buffered::new(transport));
        let mut stream = tokio::time::timeout(limits.handshake_timeout, handshake)
            .await
            .map_err(|_| Error::HandshakeTimeout)?
            .map_err(|e| Error::handshake(&e))?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        Link::established(TlsStream::Client(stream), Role::Client, limits, None)
    }

    /// Answers a handshake on a transport that somebody opened towards us.
    ///
    /// # Errors
    /// [`Error::Protocol`], [`Error::HandshakeTimeout`], [`Error::HandshakeClosed`].
    pub async fn accept_over(
        transport: Box<dyn Transport>,
        me: &Identity,
        limits: &LinkLimits,
    ) -> Result<Link> {
        Link::accept_configured(transport, tls::server_config(me)?, limits, None).await
    }

    pub(crate) async fn accept_configured(
        transport: Box<dyn Transport>,
        config: Arc<ServerConfig>,
        limits: &LinkLimits,
        permit: Option<Permit>,
    ) -> Result<Link> {
        let handshake = TlsAcceptor::from(config).accept(Buffered::new(transport));
        let mut stream = tokio::time::timeout(limits.handshake_timeout, handshake)
            .await
            .map_err(|_| Error::HandshakeTimeout)?
            .map_err(|e| Error::handshake(&e))?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        Link::established(TlsStream::Server(stream), Role::Server, limits, permit)
    }

    fn established(
        stream: TlsStream<Buffered>,
        role: Role,
        limits: &LinkLimits,
        permit: Option<Permit>,
    ) -> Result<Link> {
        let session = stream.get_ref().1;
        // `rustls` lets a peer without ALPN pass.
        if session.alpn_protocol() != Some(tls::ALPN) {
            return Err(Error::Protocol);
        }
        let peer = session
            .peer_certificates()
            .and_then(|keys| keys.first())
            .and_then(|key| tls::node_of(key));
        let shared = Arc::new(Shared { stream: Mutex::new(stream), _permit: permit });
        Ok(Link { shared, limits: *limits, role, peer })
    }

    /// The key that the other side proved: always there for a client, and for a server when the
    /// client showed one.
    #[must_use]
    pub const fn peer(&self) -> Option<NodeId> {
        self.peer
    }

    /// Which side we are.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The two halves, for two tasks or one. The socket closes when both are gone.
    #[must_use]
    pub fn split(self) -> (LinkReader, LinkWriter) {
        let writer = LinkWriter::new(self.shared.clone(), &self.limits);
        (LinkReader::new(self.shared, &self.limits), writer)
    }
}

/// Connects to the node `expect` at `address`, by TCP. With `me`, proves who we are; clients show
/// no key.
///
/// # Errors
/// [`Error::Refused`], [`Error::Unreachable`], [`Error::ConnectTimeout`]: no connection;
/// [`Error::WrongKey`]: somebody else answers; [`Error::Protocol`], [`Error::HandshakeTimeout`],
/// [`Error::HandshakeClosed`]: no Hushwing node answers, or it is full.
pub async fn connect(
    address: Address,
    expect: NodeId,
    me: Option<&Identity>,
    limits: &LinkLimits,
) -> Result<Link> {
    connect_with(&Dialer::Direct, address, expect, me, limits).await
}

/// As [`connect`], over a transport of the caller's choice.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    dialer: &Dialer,
    address: Address,
    expect: NodeId,
    me: Option<&Identity>,
    limits: &LinkLimits,
) -> Result<Link> {
    let config = tls::client_config(expect, me)?;
    let transport = dialer.dial(address, limits).await?;
    Link::connect_configured(transport, config, limits).await
}
