//! Who talks through whom: clients behind each kind of router, and a relay behind each kind.

mod common;

use common::online::{Online, expect};
use common::{Chat, Process, SOON, they_talk};
use lanlab::Nat;

/// What a cell of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Messages go both ways.
    Talks,
    /// The client says why it cannot, and what to do.
    NoIpv4,
    /// The relay has told its operator why it is not there, and the client what is missing.
    NoRelay,
}

/// What a client behind `client` does in a network in which each path needs a relay behind `relay`.
/// The other nodes have addresses of IPv4.
fn expected(client: Nat, relay: Nat) -> Cell {
    match (client, relay) {
        (Nat::Ipv6Only, _) => Cell::NoIpv4,
        (_, Nat::Ipv6Only) => Cell::NoRelay,
        _ => Cell::Talks,
    }
}

/// What the document and the relay say about a relay there.
fn relay_is_told(relay: &Process, nat: Nat) {
    match nat {
        Nat::None => {
            expect(relay, "admitted by the directory");
        }
        Nat::Masquerade | Nat::PortRestricted | Nat::Symmetric => {
            expect(relay, "hint: open the port, try --map-port");
            expect(relay, "listed as a relay that dials only");
        }
        Nat::Ipv6Only => {
            let told = expect(relay, "the directory cannot be reached");
            assert!(told.contains("hint: "), "{told}");
        }
    }
}

fn stands(chat: &mut Chat, bob: &mut Chat, client: Nat, relay: Nat) {
    let text = format!("{client:?} to {relay:?}");
    match expected(client, relay) {
        Cell::Talks => {
            they_talk(chat, bob, &text);
        }
        Cell::NoIpv4 => {
            says(chat, "there is no way to the directory from here");
        }
        Cell::NoRelay => {
            says(chat, "too few relays: 2 in the network, paths need 3");
        }
    }
}

fn says(chat: &Chat, part: &str) {
    chat.expect(part, SOON, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|t| t.contains(part))
    });
}

//= PATH-008
//= DIR-020
#[test]
fn everybody_talks_through_a_relay_behind_any_router_or_is_told_why_not() {
    let Some(mut online) = Online::start(2, true, &Nat::ALL) else { return };
    for (column, relay_nat) in Nat::ALL.into_iter().enumerate() {
        let mark = online.directory.stderr.count();
        let listen = match relay_nat {
            Nat::None => format!("11.0.0.{}:5003", 200 + column),
            Nat::Ipv6Only => "[::]:5003".to_owned(),
            _ => format!("192.168.{column}.2:5003"),
        };
        let name = format!("relay-{relay_nat:?}");
        let host = online.internet.home(column).host();
        let mut relay = online.node_on(host, "relay", &name, &["--listen", &listen]);
        relay_is_told(&relay, relay_nat);
        match relay_nat {
            Nat::None => online.listed(mark, "relays=3 hubs=1 dials_only=0"),
            Nat::Ipv6Only => {}
            _ => online.listed(mark, "relays=2 hubs=1 dials_only=1"),
        }
        // They are in one room over all columns: nobody takes the name of another.
        let mut bob = online.chat(|i| i.host(1), &format!("bob{column}"));
        let nick = |nat: Nat| format!("{nat:?}{column}").to_lowercase();
        let mut chats: Vec<Chat> = Vec::new();
        for (row, nat) in Nat::ALL.into_iter().enumerate() {
            chats.push(online.chat(|i| i.home(row).host(), &nick(nat)));
        }
        for (chat, nat) in chats.iter_mut().zip(Nat::ALL) {
            stands(chat, &mut bob, nat, relay_nat);
        }
        drop((chats, bob));
        let mark = online.directory.stderr.count();
        relay.stop();
        if relay_nat != Nat::Ipv6Only {
            online.listed(mark, "relays=2 hubs=1 dials_only=0");
        }
    }
}
