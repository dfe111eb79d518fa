//! Counters in Prometheus' text format. No ids, no addresses.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, StatusCode, header};

use super::serve::Origin;
use crate::config::MetricsAccess;
use crate::hub::HubHandle;

/// What the service counts of itself.
#[derive(Debug, Default)]
pub(crate) struct HttpStats {
    /// Responses by the hundred of their status, from 1xx on.
    responses: [AtomicU64; 5],
}

impl HttpStats {
    pub(crate) fn count(&self, status: StatusCode) {
        let hundred = usize::from(status.as_u16() / 100);
        if let Some(counter) = hundred.checked_sub(1).and_then(|n| self.responses.get(n)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Headers that only a proxy sends.
const PROXIED: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Whether this request may see the counters.
///
/// What a proxy or an onion service of this machine passes on seems to come from loopback, and so
/// does what a web page has a browser of this machine ask. Their names give them away.
pub(crate) fn may_see(access: MetricsAccess, origin: Origin, headers: &HeaderMap) -> bool {
    match access {
        MetricsAccess::All => true,
        MetricsAccess::Off => false,
        MetricsAccess::Loopback => {
            let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
            let proxied = PROXIED.iter().any(|name| headers.contains_key(*name));
            origin == Origin::Loopback && host.is_some_and(is_loopback_name) && !proxied
        }
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// All counters.
pub(crate) fn text(handle: &HubHandle, http: &HttpStats) -> String {
    let (node, hub) = (&handle.node, &handle.hub);
    let mut out = String::with_capacity(4096);
    let plain: [(&str, &str, &str, &AtomicU64); 12] = [
        ("packets_received_total", "counter", "Packets that came in.", &node.received),
        ("packets_forwarded_total", "counter", "Packets handed to the next node.", &node.forwarded),
        (
            "packets_dropped_total",
            "counter",
            "Packets dropped, for whatever reason.",
            &node.dropped,
        ),
        (
            "packets_delivered_total",
            "counter",
            "Packets whose payload was for this hub.",
            &node.delivered,
        ),
        ("replies_total", "counter", "Replies handed to clients.", &node.replied),
        ("loops_sent_total", "counter", "Loops of our own that left.", &node.loops),
        ("loops_returned_total", "counter", "Loops of our own that came back.", &node.loops_back),
        ("packet_bytes_in_total", "counter", "Bytes of packets that came in.", &node.bytes_in),
        ("packet_bytes_out_total", "counter", "Bytes of packets that went out.", &node.bytes_out),
        ("hub_requests_total", "counter", "Requests to the hub, by all routes.", &hub.requests),
        ("hub_responses_total", "counter", "Responses of the hub.", &hub.responses),
        ("hub_open_gets", "gauge", "Gets that wait for a box.", &hub.open_gets),
    ];
    for (name, kind, help, counter) in plain {
        head(&mut out, name, kind, help);
        line(&mut out, name, "", counter);
    }
    head(&mut out, "hub_boxes", "gauge", "Boxes stored.");
    line(&mut out, "hub_boxes", "{class=\"member\"}", &hub.member_boxes);
    line(&mut out, "hub_boxes", "{class=\"guest\"}", &hub.guest_boxes);
    line(&mut out, "hub_boxes", "{class=\"room\"}", &hub.room_boxes);
    head(&mut out, "hub_stored_bytes", "gauge", "Bytes that the boxes count for.");
    line(&mut out, "hub_stored_bytes", "{class=\"member\"}", &hub.member_bytes);
    line(&mut out, "hub_stored_bytes", "{class=\"guest\"}", &hub.guest_bytes);
    line(&mut out, "hub_stored_bytes", "{class=\"room\"}", &hub.room_bytes);
    head(
        &mut out,
        "http_responses_total",
        "counter",
        "HTTP responses, by the hundred of their status.",
    );
    for (hundred, counter) in (1..).zip(&http.responses) {
        line(&mut out, "http_responses_total", &format!("{{status=\"{hundred}xx\"}}"), counter);
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP hushwing_{name} {help}\n# TYPE hushwing_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, counter: &AtomicU64) {
    let _ = writeln!(out, "hushwing_{name}{labels} {}", counter.load(Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_itself_sees_the_counters() {
        let asked = |origin, pairs: &[(&'static str, &str)]| {
            let headers =
                pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
            may_see(MetricsAccess::Loopback, origin, &headers)
        };
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "localhost",
            "localhost:80",
            "[::1]:8080",
            "[::1]",
            "127.9.9.9",
        ] {
            assert!(asked(Origin::Loopback, &[("host", host)]), "{host}");
        }
        for host in ["example.org", "192.0.2.1:8080", "name.onion", "localhost.example.org", ""] {
            assert!(!asked(Origin::Loopback, &[("host", host)]), "{host}");
        }
        assert!(!asked(Origin::Loopback, &[]));
        assert!(!asked(
            Origin::Loopback,
            &[("host", "localhost"), ("x-forwarded-for", "192.0.2.1")]
        ));
        assert!(!asked(Origin::Elsewhere, &[("host", "localhost")]));
        assert!(!asked(Origin::Onion, &[("host", "localhost")]));
        assert!(may_see(MetricsAccess::All, Origin::Onion, &HeaderMap::new()));
        assert!(!may_see(
            MetricsAccess::Off,
            Origin::Loopback,
            &[(header::HOST, "localhost".parse().unwrap())].into_iter().collect()
        ));
    }
}
