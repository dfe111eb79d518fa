//! Where a role is reached, which its router may change while it runs.

use std::net::IpAddr;

use net::{Forwarded, NotMapped, PortMapping};
use tokio::sync::watch;
use wire::Address;

/// What a role announces, the address on the internet first.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Where it listens.
    local: Option<Address>,
    /// What the operator says instead.
    announce: Vec<Address>,
    onion: Option<Address>,
    forwarded: Option<watch::Receiver<Forwarded>>,
}

impl Place {
    pub(crate) fn new(
        local: Option<Address>,
        announce: Vec<Address>,
        onion: Option<Address>,
        mapping: Option<&PortMapping>,
    ) -> Self {
        Place { local, announce, onion, forwarded: mapping.map(PortMapping::forwarded) }
    }

    /// The addresses that others are told now; none for a relay that only dials. Beside an onion
    /// service nobody need know that a node also listens for this machine alone.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let mut all = self.all();
        if self.onion.is_some() {
            all.retain(|address| !is_loopback(address));
        }
        all
    }

    /// As [`Place::addresses`], with those that only this machine reaches.
    pub(crate) fn all(&self) -> Vec<Address> {
        let forwarded = match self.forwarded.as_ref().map(|f| *f.borrow()) {
            Some(Forwarded::At(external, _)) => Some(Address::Ip(external.into())),
            _ => None,
        };
        let known = forwarded.or(self.local).filter(|_| self.announce.is_empty());
        self.announce.iter().copied().chain(known).chain(self.onion).collect()
    }

    /// Returns when they may have changed; never if they cannot.
    pub(crate) async fn changed(&mut self) {
        if let Some(forwarded) = &mut self.forwarded
            && forwarded.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Whether this is an address of the internet.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_documentation()
                || shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

fn is_loopback(address: &Address) -> bool {
    matches!(address, Address::Ip(socket) if socket.ip().is_loopback())
}

/// What became of asking the router, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortReport(pub(crate) Forwarded);

impl PortReport {
    /// The state of things, in one line.
    #[must_use]
    pub fn text(&self) -> String {
        match self.0 {
            Forwarded::Asking => "asking the router to forward the port".to_owned(),
            Forwarded::At(external, by) => {
                format!("the router forwards {external} to this port ({by})")
            }
            Forwarded::Not(why) => format!("no port is forwarded: {why}"),
        }
    }

    /// What to do about it, if something is to be done.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.0 {
            Forwarded::At(external, _) if !is_public((*external.ip()).into()) => Some(
                "that address is not one of the internet: the router is behind another one, perhaps your provider's. Ask the provider for a public address, or use --tor, or for a relay --dials-only",
            ),
            Forwarded::Asking | Forwarded::At(..) => None,
            Forwarded::Not(NotMapped::NoRouter) => {
                Some("connect this machine to a router by IPv4, or leave --map-port out")
            }
            Forwarded::Not(NotMapped::Silent | NotMapped::Refused) => Some(
                "allow UPnP, NAT-PMP or PCP in the router's settings, or forward the port there and set `announce`; without a port: --tor, or for a relay --dials-only",
            ),
        }
    }
}

/// The reports of a role, the first one at once; pending for ever without `--map-port`.
#[derive(Debug)]
pub struct PortReports(pub(crate) Option<watch::Receiver<Forwarded>>);

impl PortReports {
    pub(crate) fn of(mapping: Option<&PortMapping>) -> Self {
        let mut forwarded = mapping.map(PortMapping::forwarded);
        if let Some(forwarded) = &mut forwarded {
            forwarded.mark_changed();
        }
        PortReports(forwarded)
    }

    /// The next one.
    pub async fn next(&mut self) -> PortReport {
        if let Some(forwarded) = &mut self.0
            && forwarded.changed().await.is_ok()
        {
            return PortReport(*forwarded.borrow_and_update());
        }
        std::future::pending().await
    }
}
