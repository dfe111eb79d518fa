//! Errors of links.

use std::io;

use rustls::AlertDescription;
use wire::ErrorKind;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a link could not be made, or ended. Never contains an address, an id or a byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another program already listens on the port.
    #[error("port {port} is already in use")]
    PortInUse {
        /// The port that was asked for.
        port: u16,
    },
    /// This user may not listen on the port.
    #[error("no permission to listen on port {port}")]
    PortNotPermitted {
        /// The port that was asked for.
        port: u16,
    },
    /// The address to listen on is not one of this machine's.
    #[error("this machine does not have the address to listen on")]
    NotOurAddress,
    /// The system refused to listen.
    #[error("cannot listen: {0}")]
    Listen(io::ErrorKind),
    /// Nobody listens at the other end.
    #[error("connection refused")]
    Refused,
    /// There is no route to the other end.
    #[error("no route to the other side")]
    Unreachable,
    /// The name of the other end could not be looked up: it does not exist, or no DNS server
    /// answers.
    #[error("the name was not found")]
    NoSuchName,
    /// The connection attempt timed out.
    #[error("no answer in time")]
    ConnectTimeout,
    /// The connection was made, but the handshake did not finish in time.
    #[error("the handshake did not finish in time")]
    HandshakeTimeout,
    /// The other side closed during the handshake: it is full, or something else listens there.
    #[error("closed during the handshake: the node is full, or it does not run Hushwing")]
    HandshakeClosed,
    /// The other end does not hold the expected key (`LINK-002`).
    #[error("the node answered with a different key")]
    WrongKey,
    /// The other side does not speak this protocol: TLS 1.3, X25519MLKEM768, raw Ed25519 keys, the
    /// ALPN name.
    #[error("the other side does not speak this protocol")]
    Protocol,
    /// The other side speaks none of the versions of the protocol that we do (`LINK-001`).
    #[error("the other side speaks another version of the protocol: update whichever is older")]
    OtherVersion,
    /// A frame is malformed.
    #[error(transparent)]
    Frame(#[from] wire::Error),
    /// The link ended in the middle of a frame.
    #[error("the connection ended in the middle of a frame")]
    Truncated,
    /// A frame that had begun did not arrive in time (`LINK-006`).
    #[error("a frame did not arrive in time")]
    FrameTimeout,
    /// No frame came for the idle time (`LINK-007`).
    #[error("no frame came for too long")]
    IdleTimeout,
    /// The other side does not read (`LINK-008`).
    #[error("the other side stopped reading")]
    WriteTimeout,
    /// The link broke without a goodbye, or was used after it ended.
    #[error("the link broke")]
    Broken,
    /// The system refused an operation on the socket.
    #[error("the system refused: {0}")]
    Io(io::ErrorKind),
    /// Tor failed.
    #[error(transparent)]
    Tor(#[from] crate::tor_error::TorError),
    /// The proxy does not answer, or does not speak SOCKS5.
    #[error("the proxy does not answer as a SOCKS5 proxy")]
    ProxyGone,
    /// The proxy wants another login.
    #[error("the proxy refuses the login")]
    ProxyLogin,
    /// The configuration of TLS is wrong, which is a bug.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::PortInUse { .. }
            | Error::PortNotPermitted { .. }
            | Error::NotOurAddress
            | Error::ProxyLogin
            | Error::Listen(_) => ErrorKind::LocalConfig,
            Error::WrongKey => ErrorKind::PeerMisbehaved,
            Error::Protocol | Error::OtherVersion => ErrorKind::Unsupported,
            Error::Frame(error) => error.kind(),
            Error::Tor(error) => error.kind(),
            Error::Bug(_) => ErrorKind::Bug,
            _ => ErrorKind::Network,
        }
    }

    /// The error of an attempt to listen on `port`.
    #[must_use]
    pub fn listen(error: &io::Error, port: u16) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Error::PortInUse { port },
            io::ErrorKind::PermissionDenied => Error::PortNotPermitted { port },
            io::ErrorKind::AddrNotAvailable => Error::NotOurAddress,
            other => Error::Listen(other),
        }
    }

    /// The error of an attempt to connect.
    pub(crate) fn dial(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::Refused,
            io::ErrorKind::TimedOut => Error::ConnectTimeout,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Error::Unreachable,
            other => Error::Io(other),
        }
    }

    /// The error of a handshake.
    pub(crate) fn handshake(error: &io::Error) -> Self {
        match tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(_)) => Error::WrongKey,
            Some(
                rustls::Error::NoApplicationProtocol
                | rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => Error::OtherVersion,
            Some(_) => Error::Protocol,
            None => Error::HandshakeClosed,
        }
    }

    /// The error of reading or writing on an established link.
    pub(crate) fn stream(error: &io::Error) -> Self {
        match tls_cause(error) {
            Some(_) => Error::Protocol,
            None => Error::Broken,
        }
    }
}

fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart() {
        let io = |kind| io::Error::from(kind);
        assert_eq!(Error::dial(&io(io::ErrorKind::ConnectionRefused)), Error::Refused);
        assert_eq!(Error::dial(&io(io::ErrorKind::HostUnreachable)), Error::Unreachable);
        assert_eq!(
            Error::listen(&io(io::ErrorKind::PermissionDenied), 80),
            Error::PortNotPermitted { port: 80 }
        );
        let alert = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::HandshakeNotComplete);
        assert_eq!(Error::handshake(&alert), Error::Protocol);
        assert_eq!(Error::handshake(&io(io::ErrorKind::UnexpectedEof)), Error::HandshakeClosed);
        assert_eq!(Error::PortInUse { port: 7 }.kind(), ErrorKind::LocalConfig);
        assert_eq!(Error::Refused.kind(), ErrorKind::Network);
        assert_eq!(Error::WrongKey.kind(), ErrorKind::PeerMisbehaved);
    }
}
