//! Prints the project's own test vectors: `cargo run -p sphinx --example own_vectors >
//! pure/sphinx/tests/own_vectors.json`.
//!
//! For each scheme a packet and a reply on a path of two hops, in a geometry of three: keys, bytes
//! at each hop, payloads. X-Wing draws randomness of its own, so another run gives other, equally
//! good vectors.

use data_encoding::HEXLOWER as HEX;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Value, json};
use sphinx::{
    Command, Geometry, Packet, PathHop, PrivateKey, Scheme, Surb, Unwrapped, build, unwrap,
};

fn main() -> Result<(), sphinx::Error> {
    let mut cases = Vec::new();
    for (name, scheme) in [
        ("xwing", Scheme::XWing),
        ("x25519-kem", Scheme::X25519Kem),
        ("x25519-nike", Scheme::X25519Nike),
    ] {
        let mut rng = ChaCha20Rng::seed_from_u64(20);
        let geometry = Geometry::new(scheme, 3, 64)?;
        let keys =
            [PrivateKey::generate(scheme, &mut rng)?, PrivateKey::generate(scheme, &mut rng)?];
        let path = [
            PathHop {
                id: [1; 32],
                key: keys[0].public().clone(),
                commands: vec![Command::Delay(1234)],
            },
            PathHop {
                id: [2; 32],
                key: keys[1].public().clone(),
                commands: vec![Command::Recipient([3; 32])],
            },
        ];
        let payload = b"an owl flies without a sound";
        let (surb, surb_keys) = Surb::create(&geometry, &path, [4; 16], &mut rng)?;
        let (reply, _) = surb.clone().reply(&geometry, payload)?;
        cases.push(json!({
            "scheme": name,
            "max_hops": 3,
            "payload_len": 64,
            "nodes": keys.iter().map(|k| HEX.encode(&k.to_bytes())).collect::<Vec<_>>(),
            "ids": path.iter().map(|hop| HEX.encode(&hop.id)).collect::<Vec<_>>(),
            "delay_ms": 1234,
            "recipient": HEX.encode(&[3; 32]),
            "payload": HEX.encode(payload),
            "forward": journey(&geometry, &keys, build(&geometry, &path, payload, &mut rng)?)?,
            "surb": HEX.encode(surb.as_bytes()),
            "surb_id": HEX.encode(&[4; 16]),
            "surb_keys": HEX.encode(&surb_keys.to_bytes()),
            "reply": journey(&geometry, &keys, reply)?,
        }));
    }
    println!("{:#}", Value::from(cases));
    Ok(())
}

/// The packet as each hop receives it, and what the last hop hands over.
fn journey(
    geometry: &Geometry,
    keys: &[PrivateKey],
    packet: Packet,
) -> Result<Vec<String>, sphinx::Error> {
    let mut out = vec![HEX.encode(packet.as_bytes())];
    let mut packet = packet;
    for key in keys {
        match unwrap(geometry, key, packet)? {
            Unwrapped::Forward { packet: next, .. } => {
                out.push(HEX.encode(next.as_bytes()));
                packet = next;
            }
            Unwrapped::Deliver { payload, .. } | Unwrapped::Reply { payload, .. } => {
                out.push(HEX.encode(&payload));
                break;
            }
        }
    }
    Ok(out)
}
