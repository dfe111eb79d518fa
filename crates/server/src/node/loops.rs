//! Mix loops: packets that a relay sends through the network back to itself. They give it something
//! to mix at all times and show when its packets vanish. For this a relay is its own client, with
//! loops as its only traffic.

use mix::Fault;
use mix::client::{ClientConfig, OnionClient, Output, Stats};
use mix::directory::VerifiedDocument;
use rand::CryptoRng;
use wire::document::Role;
use wire::frame::{Suspect, Suspected};
use wire::hub::{Operation, Request};
use wire::id::AccessKey;
use wire::limits::MAX_SUSPECTS;
use wire::{ClientToken, Timestamp};

use super::core::Setup;

pub(crate) struct Loops {
    client: Option<OnionClient>,
    token: ClientToken,
}

impl Loops {
    pub(crate) fn new(setup: &Setup) -> Self {
        let token = ClientToken::new(rand::random());
        // A hub answers every echo, if only to refuse the key. The reply looks like any other.
        let echo = Request { access: AccessKey::new([0; 16]), operation: Operation::Echo };
        let client = (setup.role == Role::Relay).then(|| {
            let config = ClientConfig {
                mix: Some(setup.identity.node_id()),
                cover_body: wire::encode(&echo),
                ..ClientConfig::default()
            };
            let mut client = OnionClient::new(config);
            client.set_token(token);
            client.link_up();
            client
        });
        Loops { client, token }
    }

    pub(crate) fn follow(
        &mut self,
        now: Timestamp,
        time: Timestamp,
        document: &VerifiedDocument,
        rng: &mut impl CryptoRng,
    ) {
        let Some(client) = &mut self.client else { return };
        client.set_time(now, time);
        // The core has already refused impossible geometries.
        let _ = client.set_document(now, document, rng);
    }

    /// Packets to feed into this relay's own core.
    pub(crate) fn due(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Vec<(u32, Vec<u8>)> {
        let Some(client) = &mut self.client else { return Vec::new() };
        let mut packets = Vec::new();
        while let Some(output) = client.poll(now, rng) {
            if let Output::Send { epoch, packet, .. } = output {
                packets.push((epoch, packet));
            }
        }
        packets
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.client.as_ref().and_then(OnionClient::deadline)
    }

    pub(crate) fn is_mine(&self, token: &ClientToken) -> bool {
        *token == self.token
    }

    pub(crate) fn returned(&mut self, now: Timestamp, surb_id: [u8; 16], padded: &[u8]) {
        if let Some(client) = &mut self.client {
            client.handle_reply(now, surb_id, padded);
        }
    }

    /// Who loses our loops, and for how long already, nodes first.
    pub(crate) fn suspects(&self, now: Timestamp) -> Vec<Suspected> {
        let suspects = self.client.as_ref().map(|client| client.suspects(now)).unwrap_or_default();
        let suspected = |(fault, ms): (Fault, u64)| Suspected {
            suspect: match fault {
                Fault::Node(node) => Suspect::Node(node),
                Fault::Link(from, to) => Suspect::Link(from, to),
            },
            since_ms: u32::try_from(ms).unwrap_or(u32::MAX),
        };
        // Nodes come before links.
        suspects.into_iter().map(suspected).take(MAX_SUSPECTS).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.client.as_ref().map(OnionClient::stats).unwrap_or_default()
    }
}
