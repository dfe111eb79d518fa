//! The outbox survives death at any instruction: both sides are killed again and again, and nothing
//! is lost or doubled.

mod common;

use common::{LONG, Rpc, World};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const MESSAGES: usize = 1_000;
/// Messages between two deaths, on average.
const PER_DEATH: u32 = 40;

fn texts(history: &[Value]) -> Vec<&str> {
    history.iter().filter(|m| m["kind"] == "text").filter_map(|m| m["text"].as_str()).collect()
}

/// Where two histories differ first.
fn difference<'a>(
    a: &[&'a str],
    b: &[&'a str],
) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
    (0..a.len().max(b.len()))
        .map(|n| (n, a.get(n).copied(), b.get(n).copied()))
        .find(|(_, a, b)| a != b)
}

//= DIRECT-009
//= GROUP-014
#[test]
fn a_thousand_messages_through_kill_9_on_both_sides() {
    let world = World::new().mean_delay(1).start();
    let dir = tempfile::tempdir().expect("a directory");
    let mut alice = Rpc::create(dir.path(), "alice");
    let mut bob = Rpc::create(dir.path(), "bob");
    let invite = alice.ask("invite", json!({ "network": world.link() }));
    bob.ask("accept", json!({ "link": invite["link"] }));
    alice.wait_event(|e| e["event"] == "opened");
    let (to_bob, to_alice) = (alice.conversation("bob"), bob.conversation("alice"));

    let mut rng = rand::rngs::SmallRng::seed_from_u64(7);
    let mut deaths = 0;
    let mut said = Vec::new();
    for n in 0..MESSAGES {
        let text = format!("message {n}");
        // What was answered is kept; a request that dies unanswered may or may not have been.
        alice.ask("send", json!({ "conversation": to_bob, "text": text }));
        said.push(text);
        if rng.next_u32().is_multiple_of(PER_DEATH) {
            // At any moment of what goes on just then: encrypting, committing, putting,
            // acknowledging.
            let perhaps = format!("perhaps {n}");
            alice.request("send", json!({ "conversation": to_bob, "text": perhaps }));
            alice.crash();
            deaths += 1;
        }
        if rng.next_u32().is_multiple_of(PER_DEATH) {
            bob.crash();
            deaths += 1;
        }
    }
    assert!(deaths > 20, "{deaths} deaths show little");
    let sure =
        |all: &[Value]| texts(all).iter().filter(|t| t.starts_with("message")).count() == MESSAGES;
    let heard = bob.wait_history(&to_alice, LONG, sure);
    let delivered =
        |all: &[Value]| all.iter().filter(|m| m["you"] == true).all(|m| m["state"] == "delivered");
    let kept = alice.wait_history(&to_bob, LONG, delivered);
    // Everything that is in one history is in the other: once, and in the order in which it was
    // said.
    assert_eq!(difference(&texts(&heard), &texts(&kept)), None);
    let certain: Vec<_> = texts(&heard).into_iter().filter(|t| t.starts_with("message")).collect();
    let said: Vec<_> = said.iter().map(String::as_str).collect();
    assert_eq!(difference(&certain, &said), None);
    alice.close();
    bob.close();
}
