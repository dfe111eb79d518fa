//! Relays that others accuse of losing packets: who is left out, and a file that tells the
//! operator. The log does not say who: it names no node.

use std::sync::Arc;
use std::time::Duration;

use jail::StateDir;
use mix::directory::Accused;
use tokio_util::sync::CancellationToken;
use wire::{Address, NodeId};

use super::Shared;

/// How often reports are looked at.
const REVIEW: Duration = Duration::from_secs(1);
/// The file in the state directory; there is none while nobody is accused.
const FILE: &str = "accused";

/// Runs until it is stopped.
pub(super) async fn review(shared: Arc<Shared>, state: StateDir, stop: CancellationToken) {
    let mut tick = tokio::time::interval(REVIEW);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = None;
    let mut out = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let (relays, links) = {
            let (real, steady) = (shared.clock.real(), shared.clock.now());
            let mut assembler = shared.assembler();
            assembler.review(real, steady);
            (assembler.accused(steady), assembler.accused_links())
        };
        let now = relays.iter().filter(|(a, _)| a.left_out_ms.is_some()).count();
        if now > out {
            tracing::warn!(
                left_out = now,
                "a relay is left out, because most others report that it loses packets: the file `accused` says which"
            );
        } else if now < out {
            tracing::info!(left_out = now, "a relay that was left out is listed again");
        }
        out = now;
        let text = text(&relays, &links);
        if before.as_ref() != Some(&text) {
            let written = if text.is_empty() {
                state.remove(FILE)
            } else {
                state.write(FILE, text.as_bytes())
            };
            if let Err(error) = written {
                tracing::warn!(%error, "the file `accused` is not up to date");
            }
            before = Some(text);
        }
    }
}

fn text(relays: &[(Accused, Vec<Address>)], links: &[((NodeId, NodeId), usize)]) -> String {
    let mut text = String::new();
    for (Accused { relay, voices, of, left_out_ms }, addresses) in relays {
        let at: Vec<String> = addresses.iter().map(Address::to_string).collect();
        // In steps of five minutes: the file is written when something changes.
        let state = match left_out_ms {
            Some(ms) => format!("left out for up to {} min more", (ms / 300_000 + 1) * 5),
            None => "listed".to_owned(),
        };
        let (id, at) = (relay.short(), at.join(" "));
        text.push_str(&format!(
            "relay {id} {at}: {state}; {voices} of {of} other relays report that it loses packets\n"
        ));
    }
    for ((from, to), voices) in links {
        let (from, to) = (from.short(), to.short());
        text.push_str(&format!(
            "from {from} to {to}: listed; {voices} relays report that packets are lost there\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_who_is_left_out_and_why() {
        let relay = NodeId::new([0xab; 32]);
        let accused = Accused { relay, voices: 3, of: 4, left_out_ms: Some(400_000) };
        let listed = Accused { left_out_ms: None, voices: 1, ..accused };
        let at = vec!["192.0.2.1:5001".parse().unwrap()];
        let link = ((relay, NodeId::new([0xcd; 32])), 2);
        assert_eq!(
            text(&[(accused, at), (listed, vec![])], &[link]),
            "relay abababab 192.0.2.1:5001: left out for up to 10 min more; 3 of 4 other relays report that it loses packets\n\
             relay abababab : listed; 1 of 4 other relays report that it loses packets\n\
             from abababab to cdcdcdcd: listed; 2 relays report that packets are lost there\n"
        );
        assert_eq!(text(&[], &[]), "");
    }
}
