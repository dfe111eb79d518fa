//! Who holds how many connections of a listener.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ListenerLimits;

#[derive(Default)]
struct Counts {
    total: usize,
    /// At most one entry per connection.
    per_ip: HashMap<IpAddr, usize>,
}

/// Counts connections against [`ListenerLimits`].
#[derive(Clone)]
pub(crate) struct Permits {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_ip: usize,
}

/// The right to one connection; given back when dropped.
pub(crate) struct Permit {
    permits: Permits,
    ip: Option<IpAddr>,
}

impl Permits {
    pub(crate) fn new(limits: &ListenerLimits) -> Self {
        Permits {
            counts: Arc::default(),
            max: limits.max_connections,
            max_per_ip: limits.max_per_ip,
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.lock().total
    }

    /// A permit for a connection from `ip`, unless a bound is reached.
    pub(crate) fn take(&self, ip: IpAddr) -> Option<Permit> {
        let ip = bucket(ip);
        let mut counts = self.lock();
        if counts.total >= self.max {
            return None;
        }
        if let Some(ip) = ip {
            let held = counts.per_ip.entry(ip).or_insert(0);
            if *held >= self.max_per_ip {
                if *held == 0 {
                    counts.per_ip.remove(&ip);
                }
                return None;
            }
            *held = held.saturating_add(1);
        }
        counts.total = counts.total.saturating_add(1);
        Some(Permit { permits: self.clone(), ip })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.permits.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(ip) = self.ip
            && let Some(held) = counts.per_ip.get_mut(&ip)
        {
            *held = held.saturating_sub(1);
            if *held == 0 {
                counts.per_ip.remove(&ip);
            }
        }
    }
}

/// What one owner of an address can vary at will counts as one; loopback is not counted.
fn bucket(ip: IpAddr) -> Option<IpAddr> {
    match ip.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
        ip => Some(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    //= LINK-010
    #[test]
    fn bounds_hold_and_permits_return() {
        let limits = ListenerLimits { max_connections: 5, max_per_ip: 2, ..Default::default() };
        let permits = Permits::new(&limits);
        let first = permits.take(ip("192.0.2.1")).unwrap();
        let _second = permits.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(permits.take(ip("192.0.2.1")).is_none(), "the mapped form is the same address");
        drop(first);
        let _first = permits.take(ip("192.0.2.1")).unwrap();
        let _six = permits.take(ip("2001:db8::1")).unwrap();
        let _more = permits.take(ip("2001:db8::2")).unwrap();
        assert!(permits.take(ip("2001:db8::ffff:3")).is_none(), "one /64");
        let local = permits.take(ip("127.0.0.1")).unwrap();
        assert!(permits.take(ip("127.0.0.1")).is_none(), "the total counts all");
        assert_eq!(permits.held(), 5);
        drop(local);
        assert!(permits.take(ip("2001:db8:0:1::1")).is_some());
        assert_eq!(permits.held(), 4);
    }

    #[test]
    fn loopback_is_exempt_from_the_bound_per_address() {
        let permits = Permits::new(&ListenerLimits { max_per_ip: 1, ..Default::default() });
        let all: Vec<_> = (0..9).map(|_| permits.take(ip("::1")).unwrap()).collect();
        assert_eq!(permits.held(), all.len());
        drop(all);
        assert_eq!((permits.held(), permits.lock().per_ip.len()), (0, 0));
    }
}
