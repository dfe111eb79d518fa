//! A SOCKS5 proxy that carries every connection (RFC 1928, RFC 1929).

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;
use wire::Sensitive;
use zeroize::Zeroizing;

use crate::transport::prepare;
use crate::{Error, Result, Transport};

/// How long the proxy may take to connect. What is behind it may be far away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest user name and password, bytes (RFC 1929, section 2).
const MAX_LOGIN: usize = 255;

/// The proxy of this process. It belongs to the process as its network does: a dialer that had to
/// be told could be forgotten, and would then go around it.
static IN_USE: OnceLock<Proxy> = OnceLock::new();

/// Where a proxy listens, and how we log in there. `Debug` prints the type alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    at: SocketAddr,
    login: Option<(Sensitive<String>, Sensitive<String>)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy")
    }
}

/// A text that is no proxy of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// Another kind of proxy.
    #[error("only SOCKS5 proxies can be used")]
    Scheme,
    /// Its address is missing, or is a name: to look a name up would show on the network.
    #[error("the address of a proxy is an IP address, or localhost, and a port")]
    Address,
    /// The login cannot be sent.
    #[error("a proxy's login has a user name and a password of 1 to 255 bytes each")]
    Login,
}

impl FromStr for Proxy {
    type Err = BadProxy;

    /// `socks5://IP:PORT` or `socks5://USER:PASSWORD@IP:PORT`, percent-encoded; `socks5h` means the
    /// same, since the proxy looks up all names.
    fn from_str(text: &str) -> std::result::Result<Self, BadProxy> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(BadProxy::Scheme)?;
        if !["socks5", "socks5h"].contains(&scheme) {
            return Err(BadProxy::Scheme);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, at) = match rest.rsplit_once('@') {
            Some((login, at)) => (Some(parse_login(login)?), at),
            None => (None, rest),
        };
        let local = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
        let at = match at.strip_prefix("localhost:") {
            Some(port) => local(port),
            None => at.parse().ok(),
        };
        let usable = |at: &SocketAddr| at.port() != 0 && !at.ip().is_unspecified();
        Ok(Proxy { at: at.filter(usable).ok_or(BadProxy::Address)?, login })
    }
}

/// A second proxy was to be used in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another proxy is in use already")]
pub struct AnotherProxy;

fn parse_login(
    text: &str,
) -> std::result::Result<(Sensitive<String>, Sensitive<String>), BadProxy> {
    let (user, password) = text.split_once(':').ok_or(BadProxy::Login)?;
    let decoded = |part: &str| {
        let part = percent_decode_str(part).decode_utf8().map_err(|_| BadProxy::Login)?;
        let fits = (1..=MAX_LOGIN).contains(&part.len());
        fits.then(|| Sensitive(part.into_owned())).ok_or(BadProxy::Login)
    };
    Ok((decoded(user)?, decoded(password)?))
}

impl Proxy {
    /// Sends everything through this proxy from now on, in the whole process: call it before
    /// anything connects.
    ///
    /// # Errors
    /// Another proxy is in use already.
    pub fn use_for_everything(self) -> std::result::Result<(), AnotherProxy> {
        let now = IN_USE.get_or_init(|| self.clone());
        if *now == self { Ok(()) } else { Err(AnotherProxy) }
    }

    /// The proxy that everything goes through, if there is one.
    #[must_use]
    pub fn in_use() -> Option<&'static Proxy> {
        IN_USE.get()
    }

    /// What [`Proxy::from_str`] reads, login included.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let encoded = |part: &str| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
        Zeroizing::new(match self.login() {
            Some((user, password)) => {
                format!("socks5://{}:{}@{}", encoded(user), encoded(password), self.at)
            }
            None => format!("socks5://{}", self.at),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// User name and password.
    #[must_use]
    pub fn login(&self) -> Option<(&str, &str)> {
        self.login.as_ref().map(|(user, password)| (user.0.as_str(), password.0.as_str()))
    }

    /// Connects through it. The proxy looks names up.
    ///
    /// # Errors
    /// [`Error::ProxyGone`], [`Error::ProxyLogin`], [`Error::Refused`], [`Error::Unreachable`],
    /// [`Error::ConnectTimeout`].
    pub(crate) async fn dial(&self, to: TargetAddr<'_>) -> Result<Box<dyn Transport>> {
        let connecting = async {
            match self.login() {
                Some((user, password)) => {
                    Socks5Stream::connect_with_password(self.at, to, user, password).await
                }
                None => Socks5Stream::connect(self.at, to).await,
            }
        };
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Error::ConnectTimeout)?
            .map_err(|e| refusal(&e))?;
        prepare(&stream);
        Ok(Box::new(stream.into_inner()))
    }
}

/// What an error of the proxy means for the address behind it.
fn refusal(error: &tokio_socks::Error) -> Error {
    use tokio_socks::Error as Socks;
    match error {
        Socks::PasswordAuthFailure(_)
        | Socks::NoAcceptableAuthMethods
        | Socks::AuthorizationRequired
        | Socks::UnknownAuthMethod
        | Socks::InvalidAuthValues(_) => Error::ProxyLogin,
        Socks::ConnectionRefused => Error::Refused,
        Socks::HostUnreachable
        | Socks::NetworkUnreachable
        | Socks::TtlExpired
        | Socks::ConnectionNotAllowedByRuleset
        | Socks::GeneralSocksServerFailure => Error::Unreachable,
        _ => Error::ProxyGone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_maybe_a_login() {
        let plain: Proxy = "socks5://127.0.0.1:1080".parse().unwrap();
        assert_eq!((plain.at().port(), plain.login()), (1080, None));
        assert_eq!("socks5h://localhost:1080/".parse(), Ok(plain));
        let login: Proxy = "socks5://anna:p%40ss:word@[::1]:9".parse().unwrap();
        assert_eq!(login.login(), Some(("anna", "p@ss:word")));
        assert!(login.at().is_ipv6());
        assert_eq!(login.to_text().parse(), Ok(login.clone()));
        assert_eq!(format!("{login:?}"), "Proxy");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let parsed = |text: &str| text.parse::<Proxy>().err();
        for text in ["http://127.0.0.1:1", "socks4://127.0.0.1:1", "127.0.0.1:1080", ""] {
            assert_eq!(parsed(text), Some(BadProxy::Scheme), "{text}");
        }
        for text in [
            "socks5://proxy.example:1",
            "socks5://127.0.0.1",
            "socks5://0.0.0.0:1",
            "socks5://1.2.3.4:0",
        ] {
            assert_eq!(parsed(text), Some(BadProxy::Address), "{text}");
        }
        let long = "x".repeat(256);
        for login in ["anna", ":", "anna:", "a:%ff", &format!("{long}:b")] {
            let text = format!("socks5://{login}@127.0.0.1:1");
            assert_eq!(parsed(&text), Some(BadProxy::Login), "{login}");
        }
    }
}
