//! The whole way: client → relays → hub → relays → watcher, no delays.

use std::time::Instant;

use messenger::request::{Call, CallId};
use mix::path::EntryPolicy;
use nodes::up::{Network, UpArgs};
use routes::{CarrierEvent, OnionCarrier, OnionOptions};
use streams::{BoxClass, WriteCapability, pad};

use super::{Bound, Figure, broken};
use api::Failure;

pub(super) async fn run(messages: u32, hops: u8) -> Result<Vec<Figure>, Failure> {
    let started = Instant::now();
    let network = Network::start(&UpArgs {
        relays: hops.max(3),
        hops: Some(hops),
        mean_delay: 0,
        ..UpArgs::ephemeral()
    })
    .await?;
    let up_ms = started.elapsed().as_secs_f64() * 1e3;
    let place = network.owner.link().place().clone();
    let carrier = || {
        OnionCarrier::start(OnionOptions {
            pointer: place.network_pointer(),
            hub: place.hub,
            access: place.access,
            cover: None,
            entry: EntryPolicy::Random,
            dir: None,
            dialer: net::Dialer::Direct,
            key: None,
        })
    };
    let mut times = deliver(&mut carrier(), &mut carrier(), messages).await?;
    network.stop().await;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = times.len().saturating_sub(1);
        times.get(((last as f64) * share) as usize).copied().unwrap_or(0.0)
    };
    Ok(vec![
        Figure::new("network usable", up_ms, "ms").within(Bound::AtMost, 2_000.0),
        Figure::new("put until the watcher has it, median", at(0.5), "ms")
            .within(Bound::AtMost, 3.0),
        Figure::new("put until the watcher has it, p99", at(0.99), "ms")
            .within(Bound::AtMost, 15.0),
        Figure::new("put until the watcher has it, slowest", at(1.0), "ms"),
    ])
}

/// Puts box after box; the watcher waits for the next one before each put. Times in ms.
async fn deliver(
    writer: &mut OnionCarrier,
    watcher: &mut OnionCarrier,
    messages: u32,
) -> Result<Vec<f64>, Failure> {
    let mut capability = WriteCapability::generate(&mut rand::rng());
    let body = pad(b"bench", BoxClass::Standard).map_err(broken)?;
    // The first ones warm links and caches up.
    let warm_up = 20;
    let mut times = Vec::new();
    let mut ahead = capability.next().map_err(broken)?;
    watcher.call(CallId(0), &Call::Get(vec![capability.read_capability().box_id(b"bench")]));
    for n in 0..u64::from(messages) + warm_up {
        watcher.call(CallId(n + 1), &Call::Get(vec![ahead.read_capability().box_id(b"bench")]));
        let sealed = capability.seal(b"bench", &body).map_err(broken)?.into_sealed();
        let begun = Instant::now();
        writer.call(CallId(n), &Call::Put(sealed));
        let (mut seen, mut stored) = (None, false);
        while seen.is_none() || !stored {
            tokio::select! {
                event = watcher.next() => {
                    if let CarrierEvent::Boxes(CallId(call), boxes) = event
                        && call == n
                    {
                        if boxes.is_empty() {
                            return Err(broken("a get came back empty"));
                        }
                        seen = Some(begun.elapsed());
                    }
                }
                event = writer.next() => stored |= matches!(event, CarrierEvent::Put(CallId(call), _) if call == n),
            }
        }
        if n >= warm_up {
            times.extend(seen.map(|t| t.as_secs_f64() * 1e3));
        }
        capability = ahead;
        ahead = capability.next().map_err(broken)?;
    }
    Ok(times)
}
