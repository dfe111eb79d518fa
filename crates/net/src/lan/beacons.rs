//! Datagrams to everybody on the same LAN.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::interfaces::{Interface, is_private};
use super::{BEACON_PORT, GROUP_V4, GROUP_V6, MAX_BEACON, family};

/// Pause after the system failed to receive.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Sends and receives beacons. For each interface and address family there are two sockets: one
/// bound to the interface's own address, which sends, and one bound to the group, which receives.
/// `Debug` prints how many there are.
pub struct Beacons {
    voices: Vec<Voice>,
    ears: Vec<Ear>,
    /// The socket to poll first, in turns, so that a loud interface does not drown out the others.
    turn: AtomicUsize,
}

/// A socket that sends.
pub(super) struct Voice {
    from: IpAddr,
    to: SocketAddr,
    socket: UdpSocket,
}

/// A socket that receives.
pub(super) struct Ear {
    /// The interface's own address.
    own: IpAddr,
    socket: UdpSocket,
}

impl fmt::Debug for Beacons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Beacons({} send, {} receive)", self.voices.len(), self.ears.len())
    }
}

impl Beacons {
    /// Opens the sockets of these interfaces. Leaves out what cannot be opened and returns warnings
    /// for the user, which name the interface but no address. Call it inside a tokio runtime.
    #[must_use]
    pub fn open(interfaces: &[Interface]) -> (Beacons, Vec<String>) {
        let mut warnings = Vec::new();
        let mut beacons =
            Beacons { voices: Vec::new(), ears: Vec::new(), turn: AtomicUsize::new(0) };
        for interface in interfaces {
            for own in interface.at(0) {
                let mut warn = |what: &str, error: &io::Error| {
                    let family = family(own.is_ipv4());
                    warnings.push(format!(
                        "{}: beacons cannot be {what} by {family}: {}",
                        interface.name,
                        error.kind()
                    ));
                };
                match Voice::open(own, interface.index) {
                    Ok(voice) => beacons.voices.push(voice),
                    Err(error) => warn("sent", &error),
                }
                match Ear::open(own.ip(), interface.index) {
                    Ok(ear) => beacons.ears.push(ear),
                    Err(error) => warn("heard", &error),
                }
            }
        }
        (beacons, warnings)
    }

    /// The addresses to send from, without repeats.
    #[must_use]
    pub fn sources(&self) -> Vec<IpAddr> {
        let mut all: Vec<_> = self.voices.iter().map(|v| v.from).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Sends a beacon from this address, on each interface that has it.
    ///
    /// # Errors
    /// If no interface could send it: the error of the last try, or
    /// [`io::ErrorKind::AddrNotAvailable`] when `from` is not one of the sources.
    pub async fn send(&self, from: IpAddr, bytes: &[u8]) -> io::Result<()> {
        let mut sent = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        for voice in self.voices.iter().filter(|v| v.from == from) {
            match voice.send(bytes).await {
                Ok(()) => sent = Ok(()),
                Err(error) if sent.is_err() => sent = Err(error),
                Err(_) => {}
            }
        }
        sent
    }

    /// The next datagram and its sender, with the scope id for IPv6. This node's own datagrams come
    /// back too. Drops datagrams longer than [`MAX_BEACON`], and those with a public source address
    /// on a private network: dialling it would lead away from the LAN. Cancel-safe; for one task at
    /// a time. Waits for ever when there is no socket to receive on.
    pub async fn recv(&self) -> (Vec<u8>, SocketAddr) {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Ok(heard) => return heard,
                Err(_) => tokio::time::sleep(REFUSED_PAUSE).await,
            }
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        let turn =
            self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(self.ears.len()).unwrap_or(0);
        for ear in self.ears.iter().cycle().skip(turn).take(self.ears.len()) {
            if let Poll::Ready(heard) = ear.poll(cx) {
                return Poll::Ready(heard);
            }
        }
        Poll::Pending
    }
}

impl Voice {
    /// Sends from `own`, an address of the interface `index`.
    pub(super) fn open(own: SocketAddr, index: u32) -> io::Result<Voice> {
        let socket = udp(own)?;
        let to = match own.ip() {
            IpAddr::V4(ip) => {
                socket.set_multicast_if_v4(&ip)?;
                socket.set_multicast_ttl_v4(1)?;
                socket.set_multicast_loop_v4(true)?;
                SocketAddr::from((GROUP_V4, BEACON_PORT))
            }
            IpAddr::V6(_) => {
                socket.set_multicast_if_v6(index)?;
                socket.set_multicast_hops_v6(1)?;
                socket.set_multicast_loop_v6(true)?;
                SocketAddr::V6(SocketAddrV6::new(GROUP_V6, BEACON_PORT, 0, index))
            }
        };
        socket.bind(&own.into())?;
        Ok(Voice { from: own.ip(), to, socket: UdpSocket::from_std(socket.into())? })
    }

    pub(super) async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send_to(bytes, self.to).await.map(|_| ())
    }
}

impl Ear {
    /// Hears the group on the interface `index`, whose address is `own`.
    pub(super) fn open(own: IpAddr, index: u32) -> io::Result<Ear> {
        let group = match own {
            IpAddr::V4(_) => SocketAddr::from((GROUP_V4, BEACON_PORT)),
            IpAddr::V6(_) => SocketAddr::V6(SocketAddrV6::new(GROUP_V6, BEACON_PORT, 0, index)),
        };
        let socket = udp(group)?;
        // Several processes of one machine listen to the group. Linux does not need SO_REUSEPORT
        // for that, and with it would deliver a datagram to just one of the sockets, whatever that
        // one has joined.
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
        socket.set_reuse_port(true)?;
        // Windows cannot bind to a group; there, membership alone decides.
        #[cfg(windows)]
        let group = SocketAddr::new(
            if own.is_ipv4() { [0; 4].into() } else { [0; 16].into() },
            BEACON_PORT,
        );
        socket.bind(&group.into())?;
        match own {
            IpAddr::V4(_) => {
                // Without this, Linux also delivers datagrams from interfaces that other sockets
                // have joined.
                #[cfg(target_os = "linux")]
                socket.set_multicast_all_v4(false)?;
                socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
            }
            IpAddr::V6(_) => {
                #[cfg(target_os = "linux")]
                socket.set_multicast_all_v6(false)?;
                socket.join_multicast_v6(&GROUP_V6, index)?;
            }
        }
        Ok(Ear { own, socket: UdpSocket::from_std(socket.into())? })
    }

    /// The next datagram that is not too long and has a possible sender.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        // One extra byte shows that a datagram was longer.
        let mut buffer = [0; MAX_BEACON + 1];
        loop {
            let mut read = ReadBuf::new(&mut buffer);
            let from = std::task::ready!(self.socket.poll_recv_from(cx, &mut read))?;
            let may_be = is_private(from.ip()) || !is_private(self.own);
            if read.filled().len() <= MAX_BEACON && may_be {
                return Poll::Ready(Ok((read.filled().to_vec(), from)));
            }
        }
    }
}

/// A socket of the family of `address`.
fn udp(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
