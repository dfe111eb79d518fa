//! A port of this machine that the home router forwards: PCP (RFC 6887), NAT-PMP (RFC 6886), UPnP.
//!
//! ```text
//!            granted             another address, or the router has started again
//!   Asking ──────────► At ◄─┬──────────────────────────────────┐
//!      │               │ └──┘ renewed                          │
//!      │ silent,       │ not renewed, twice                    │
//!      ▼ refused       ▼                                       │
//!     Not ◄────────────┴── asked again every five minutes ─────┘
//! ```
//!
//! What a router says is believed as far as it goes: anybody on the LAN can answer in its place,
//! and make us announce an address that is not ours. That costs reachability and nothing else, for
//! links prove who is at their end. UPnP is heard from the router alone, not from other devices.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crab_nat::{
    InternetProtocol, MappingFailure, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp,
    pcp,
};
use igd_next::aio::Gateway;
use igd_next::aio::tokio::Tokio;
use igd_next::{AddPortError, PortMappingProtocol, SearchOptions};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a router keeps a mapping that is not renewed, s.
const LEASE: u32 = 3_600;
/// How often a mapping is renewed: so soon another address is noticed, and a restart of the router.
const RENEW: Duration = Duration::from_secs(30);
/// How often a router that forwards nothing is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(300);
/// Renewals that may fail before the mapping counts as lost.
const PATIENCE: u32 = 2;
/// PCP and NAT-PMP repeat a question after these waits, doubled each time.
const QUESTIONS: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: None,
};
/// How long UPnP devices may take to answer a search.
const SEARCH: Duration = Duration::from_secs(3);
/// How long one exchange by UPnP may take, and how long removing a mapping.
const UPNP: Duration = Duration::from_secs(5);
/// What the router shows beside the mapping, to everybody who asks it: nothing about us.
const NAME: &str = "tcp";
/// Bytes of the route table that are read.
const MAX_ROUTES: usize = 256 << 10;

/// Which protocol a router understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of protocols")]
pub enum MappedBy {
    Pcp,
    NatPmp,
    Upnp,
}

impl fmt::Display for MappedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MappedBy::Pcp => "PCP",
            MappedBy::NatPmp => "NAT-PMP",
            MappedBy::Upnp => "UPnP",
        })
    }
}

/// Why no port is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMapped {
    /// There is no default route of IPv4.
    #[error("this machine has no router for IPv4")]
    NoRouter,
    /// Nobody answers.
    #[error("the router speaks none of PCP, NAT-PMP and UPnP, or they are switched off")]
    Silent,
    /// It answers, and does not do it.
    #[error("the router refuses to forward the port")]
    Refused,
}

/// Whether the port is forwarded. `Debug` shows no address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// Not known yet.
    Asking,
    /// It is: others reach us here.
    At(SocketAddrV4, MappedBy),
    /// It is not.
    Not(NotMapped),
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Forwarded::Asking => f.write_str("Asking"),
            Forwarded::At(_, by) => write!(f, "At({by})"),
            Forwarded::Not(why) => write!(f, "Not({why:?})"),
        }
    }
}

/// The system's routes, which tell who the router is. A confined process opens them before it is
/// confined, and reads them again whenever it needs to.
#[derive(Debug, Clone)]
pub struct Routes(Arc<File>);

impl Routes {
    /// Opens the route table.
    ///
    /// # Errors
    /// Any system but Linux; a `/proc` without it.
    pub fn open() -> io::Result<Routes> {
        if !cfg!(target_os = "linux") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        File::open("/proc/self/net/route").map(|file| Routes(Arc::new(file)))
    }

    /// The router of the default route, by IPv4.
    fn router(&self) -> Option<Ipv4Addr> {
        let mut table = Vec::new();
        let mut page = [0; 4096];
        while table.len() < MAX_ROUTES {
            let read = read_at(&self.0, &mut page, u64::try_from(table.len()).ok()?).ok()?;
            match page.get(..read) {
                None | Some([]) => break,
                Some(some) => table.extend_from_slice(some),
            }
        }
        default_router(std::str::from_utf8(&table).ok()?)
    }
}

#[cfg(unix)]
fn read_at(file: &File, page: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, page, at)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The gateway of the default route with the lowest metric, in the kernel's table: interface,
/// destination, gateway, flags, two counters, metric, mask.
fn default_router(table: &str) -> Option<Ipv4Addr> {
    let hex = |text: &str| u32::from_str_radix(text, 16).ok();
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, destination, gateway, _, _, _, metric, mask, ..] = words.as_slice() else {
            return None;
        };
        let default = hex(destination)? == 0 && hex(mask)? == 0 && hex(gateway)? != 0;
        // The bytes of the address as they are in memory.
        let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
        default.then_some((metric.parse::<u32>().ok()?, gateway))
    };
    table.lines().skip(1).filter_map(route).min().map(|(_, gateway)| gateway)
}

/// Forwarded addresses of this process, and where they lead: most routers do not turn packets
/// around, so what is in this process is dialled directly (`up` runs a whole network in one).
static INSIDE: Mutex<BTreeMap<SocketAddr, SocketAddr>> = Mutex::new(BTreeMap::new());

fn inside_table() -> MutexGuard<'static, BTreeMap<SocketAddr, SocketAddr>> {
    INSIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where to dial what others reach at `address`.
pub(crate) fn inside(address: SocketAddr) -> SocketAddr {
    inside_table().get(&address).copied().unwrap_or(address)
}

/// A port that the router is asked to forward, until this is stopped.
pub struct PortMapping {
    forwarded: watch::Receiver<Forwarded>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl fmt::Debug for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortMapping({:?})", *self.forwarded.borrow())
    }
}

impl PortMapping {
    /// Asks for TCP connections to a port of the router, the same if it is free, to be forwarded to
    /// this port. Call it inside a tokio runtime.
    #[must_use]
    pub fn start(routes: Routes, port: NonZeroU16) -> PortMapping {
        let (report, forwarded) = watch::channel(Forwarded::Asking);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep(routes, port, report, stopped));
        PortMapping { forwarded, stop, task }
    }

    /// Whether the port is forwarded, now and at each change.
    #[must_use]
    pub fn forwarded(&self) -> watch::Receiver<Forwarded> {
        self.forwarded.clone()
    }

    /// Waits for the router's first answer, or until it does not come.
    pub async fn answered(&mut self) -> Forwarded {
        let known = |f: &Forwarded| *f != Forwarded::Asking;
        self.forwarded.wait_for(known).await.map_or(Forwarded::Not(NotMapped::Silent), |f| *f)
    }

    /// Removes the mapping, as far as the router answers in time.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        // Its only error is a panic, which the runtime has reported.
        let _ = self.task.await;
    }
}

/// A mapping that a router has granted.
enum Granted {
    /// By PCP or NAT-PMP.
    Asked(Box<crab_nat::PortMapping>, Ipv4Addr),
    Upnp {
        gateway: Box<Gateway<Tokio>>,
        external: SocketAddrV4,
    },
}

/// Where it leads.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    router: Ipv4Addr,
    /// Our own address on the way there.
    local: SocketAddrV4,
}

async fn keep(
    routes: Routes,
    port: NonZeroU16,
    report: watch::Sender<Forwarded>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut held: Option<(Line, Granted)> = None;
    let mut failed = 0;
    loop {
        // No step is cancelled on the way: a mapping could be left that nobody removes.
        let line = line(&routes, port).await;
        if let (Some((before, _)), Ok(now)) = (&held, line)
            && *before != now
        {
            // Another router, or another address of ours: the old mapping leads elsewhere.
            release(held.take()).await;
        }
        let verdict = match (held.take(), line) {
            (Some((at, mut granted)), _) => {
                failed = if granted.renew(at).await { 0 } else { failed + 1 };
                let verdict = granted.forwarded();
                if failed < PATIENCE {
                    held = Some((at, granted));
                    Some(verdict)
                } else {
                    failed = 0;
                    release(Some((at, granted))).await;
                    None
                }
            }
            (None, Err(why)) => Some(Forwarded::Not(why)),
            (None, Ok(line)) => Some(match ask(line, port).await {
                Ok(granted) => {
                    let verdict = granted.forwarded();
                    held = Some((line, granted));
                    verdict
                }
                Err(why) => Forwarded::Not(why),
            }),
        };
        // After a lost mapping the router is asked for a new one before anybody is told.
        let Some(verdict) = verdict else { continue };
        if let (Forwarded::At(external, _), Some((line, _))) = (verdict, &held) {
            inside_table().retain(|_, local| *local != SocketAddr::V4(line.local));
            inside_table().insert(external.into(), line.local.into());
        }
        report.send_if_modified(|old| std::mem::replace(old, verdict) != verdict);
        let router_known = verdict != Forwarded::Not(NotMapped::NoRouter);
        let wait = if held.is_none() && router_known { ASK_AGAIN } else { RENEW };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    release(held).await;
}

/// Who the router is, and who we are for it. A socket that is connected sends nothing by that.
async fn line(routes: &Routes, port: NonZeroU16) -> Result<Line, NotMapped> {
    let router = routes.router().ok_or(NotMapped::NoRouter)?;
    let towards = async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect((router, crab_nat::GATEWAY_PORT)).await?;
        socket.local_addr()
    };
    match towards.await {
        Ok(SocketAddr::V4(local)) => {
            Ok(Line { router, local: SocketAddrV4::new(*local.ip(), port.get()) })
        }
        _ => Err(NotMapped::NoRouter),
    }
}

/// Asks by one protocol after the other, the simplest first.
async fn ask(line: Line, port: NonZeroU16) -> Result<Granted, NotMapped> {
    let options = PortMappingOptions {
        external_port: Some(port),
        lifetime_seconds: Some(LEASE),
        timeout_config: Some(QUESTIONS),
    };
    let (router, local) = (line.router.into(), IpAddr::from(*line.local.ip()));
    let tcp = InternetProtocol::Tcp;
    let mut refused = false;
    match crab_nat::PortMapping::new(router, local, tcp, port, options).await {
        Ok(mapping) => match Granted::asked(mapping).await {
            Some(granted) => return Ok(granted),
            None => refused = true,
        },
        Err(error) => refused |= is_refusal(&error),
    }
    // Some routers know NAT-PMP, and do not say so when they are asked by PCP.
    if let Ok(mapping) = natpmp::port_mapping(router, tcp, port, options).await {
        match Granted::asked(mapping).await {
            Some(granted) => return Ok(granted),
            None => refused = true,
        }
    }
    match upnp(line).await {
        Ok(granted) => Ok(granted),
        Err(NotMapped::Silent) if refused => Err(NotMapped::Refused),
        Err(why) => Err(why),
    }
}

/// Whether a router understood, and said no.
fn is_refusal(error: &MappingFailure) -> bool {
    match error {
        MappingFailure::Pcp(error) => !matches!(
            error,
            pcp::Failure::Socket(_) | pcp::Failure::Timeout | pcp::Failure::UnsupportedVersion(_)
        ),
        MappingFailure::NatPmp(error) => !matches!(
            error,
            natpmp::Failure::Socket(_)
                | natpmp::Failure::Timeout
                | natpmp::Failure::UnsupportedVersion(_)
        ),
    }
}

/// Asks by UPnP: the router itself first, so that nobody else on the LAN need hear of it.
async fn upnp(line: Line) -> Result<Granted, NotMapped> {
    let multicast = SearchOptions::default().broadcast_address;
    for whom in [SocketAddr::from((line.router, multicast.port())), multicast] {
        let mut search = SearchOptions::default();
        search.bind_addr = SocketAddr::from((*line.local.ip(), 0));
        search.broadcast_address = whom;
        search.timeout = Some(SEARCH);
        search.single_search_timeout = Some(SEARCH);
        let found = igd_next::aio::tokio::search_gateway(search).await;
        // Another device has no business with our ports.
        if let Ok(gateway) = found
            && gateway.addr.ip() == line.router
        {
            let opening = open(&gateway, line.local, None);
            let external = tokio::time::timeout(UPNP, opening).await.ok().flatten();
            let external = external.ok_or(NotMapped::Refused)?;
            return Ok(Granted::Upnp { gateway: Box::new(gateway), external });
        }
    }
    Err(NotMapped::Silent)
}

/// Opens a port by UPnP, or renews it: this one, else the same as ours, else any.
async fn open(
    gateway: &Gateway<Tokio>,
    local: SocketAddrV4,
    before: Option<u16>,
) -> Option<SocketAddrV4> {
    let IpAddr::V4(ip) = gateway.get_external_ip().await.ok()? else { return None };
    let tcp = PortMappingProtocol::TCP;
    let wanted = before.unwrap_or(local.port());
    let to = SocketAddr::V4(local);
    let port = match gateway.add_port(tcp, wanted, to, LEASE, NAME).await {
        Ok(()) => wanted,
        // It stays until we remove it.
        Err(AddPortError::OnlyPermanentLeasesSupported) => {
            gateway.add_port(tcp, wanted, to, 0, NAME).await.ok()?;
            wanted
        }
        Err(_) if before.is_some() => return None,
        Err(_) => gateway.add_any_port(tcp, to, LEASE, NAME).await.ok()?,
    };
    usable(ip, port)
}

/// An address that others could dial, if a router is to be believed.
fn usable(ip: Ipv4Addr, port: u16) -> Option<SocketAddrV4> {
    let no = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast();
    (!no && port != 0).then(|| SocketAddrV4::new(ip, port))
}

impl Granted {
    /// A mapping by PCP or NAT-PMP. One that is of no use is removed.
    async fn asked(mapping: crab_nat::PortMapping) -> Option<Granted> {
        match external(&mapping).await {
            Some(external) => Some(Granted::Asked(Box::new(mapping), external)),
            None => {
                let _ = mapping.try_drop().await;
                None
            }
        }
    }

    fn forwarded(&self) -> Forwarded {
        match self {
            Granted::Asked(mapping, ip) => {
                let by = match mapping.mapping_type() {
                    PortMappingType::Pcp { .. } => MappedBy::Pcp,
                    PortMappingType::NatPmp => MappedBy::NatPmp,
                };
                Forwarded::At(SocketAddrV4::new(*ip, mapping.external_port().get()), by)
            }
            Granted::Upnp { external, .. } => Forwarded::At(*external, MappedBy::Upnp),
        }
    }

    /// Asks for the same again, and takes what comes.
    async fn renew(&mut self, line: Line) -> bool {
        match self {
            Granted::Asked(mapping, external) => {
                if mapping.renew().await.is_err() {
                    return false;
                }
                let now = self::external(mapping).await;
                *external = now.unwrap_or(*external);
                now.is_some()
            }
            Granted::Upnp { gateway, external } => {
                let opening = open(gateway, line.local, Some(external.port()));
                let now = tokio::time::timeout(UPNP, opening).await.ok().flatten();
                *external = now.unwrap_or(*external);
                now.is_some()
            }
        }
    }
}

/// The address that others dial: PCP tells it, by NAT-PMP it has to be asked for.
async fn external(mapping: &crab_nat::PortMapping) -> Option<Ipv4Addr> {
    let ip = match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => v4(external_ip),
        PortMappingType::NatPmp => {
            natpmp::external_address(mapping.gateway(), Some(QUESTIONS)).await.ok()
        }
    };
    ip.filter(|ip| usable(*ip, mapping.external_port().get()).is_some())
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

/// Removes a mapping. A router that does not answer keeps it until its lease ends.
async fn release(held: Option<(Line, Granted)>) {
    let Some((line, granted)) = held else { return };
    inside_table().retain(|_, local| *local != SocketAddr::V4(line.local));
    match granted {
        Granted::Asked(mapping, _) => {
            let _ = mapping.try_drop().await;
        }
        Granted::Upnp { gateway, external } => {
            let removing = gateway.remove_port(PortMappingProtocol::TCP, external.port());
            let _ = tokio::time::timeout(UPNP, removing).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `/proc/self/net/route` on a machine with this byte order.
    fn table(routes: &[(&str, [u8; 4], [u8; 4], u32)]) -> String {
        let mut text =
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n".to_owned();
        for (interface, destination, gateway, metric) in routes {
            let [destination, gateway] = [destination, gateway].map(|a| u32::from_ne_bytes(*a));
            let mask = if destination == 0 { 0 } else { u32::MAX };
            text.push_str(&format!(
                "{interface}\t{destination:08X}\t{gateway:08X}\t0003\t0\t0\t{metric}\t{mask:08X}\t0\t0\t0\n"
            ));
        }
        text
    }

    #[test]
    fn the_router_is_that_of_the_cheapest_default_route() {
        let routes = [
            ("tun0", [10, 0, 0, 0], [10, 9, 9, 9], 0),
            ("wlan0", [0; 4], [192, 168, 1, 1], 600),
            ("eth0", [0; 4], [192, 168, 0, 1], 100),
            ("ppp0", [0; 4], [0; 4], 0),
        ];
        assert_eq!(default_router(&table(&routes)), Some(Ipv4Addr::new(192, 168, 0, 1)));
        assert_eq!(default_router(&table(&routes[..1])), None);
        for odd in ["", "x", "Iface\neth0 0 zz", "Iface\neth0 00000000 0101A8C0 3 0 0"] {
            assert_eq!(default_router(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_nobody_can_dial_is_not_announced() {
        for bad in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
            assert_eq!(usable(bad.parse().unwrap(), 5001), None, "{bad}");
        }
        assert_eq!(usable(Ipv4Addr::new(203, 0, 113, 5), 0), None);
        assert!(usable(Ipv4Addr::new(203, 0, 113, 5), 5001).is_some());
    }

    #[test]
    fn what_is_in_this_process_is_dialled_inside() {
        let external: SocketAddr = "203.0.113.77:5001".parse().unwrap();
        let local: SocketAddr = "192.168.0.2:5001".parse().unwrap();
        assert_eq!(inside(external), external);
        inside_table().insert(external, local);
        assert_eq!(inside(external), local);
        inside_table().remove(&external);
    }
}
