//! The project's own vectors (`examples/own_vectors.rs` made them): a change of the format fails
//! here, even where Katzenpost's vectors are absent.

use data_encoding::HEXLOWER as HEX;
use serde_json::Value;
use sphinx::{Geometry, Packet, PrivateKey, Scheme, Surb, SurbKeys, Unwrapped, replay_tag, unwrap};

fn hex(value: &Value) -> Vec<u8> {
    HEX.decode(value.as_str().expect("a hex string").as_bytes()).expect("hex")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().expect("length")
}

struct Case<'a> {
    value: &'a Value,
    geometry: Geometry,
    keys: Vec<PrivateKey>,
}

impl Case<'_> {
    /// Follows one journey, comparing the bytes at each step; gives what the last hop did.
    fn follow(&self, which: &str) -> Unwrapped {
        let steps: Vec<_> = self.value[which].as_array().expect("steps").iter().map(hex).collect();
        assert_eq!(steps.len(), 3);
        let first = Packet::from_bytes(&self.geometry, steps[0].clone()).expect("packet");
        let tag_before = replay_tag(&self.geometry, &first).expect("tag");
        let Ok(Unwrapped::Forward { next, delay_ms, packet, tag, .. }) =
            unwrap(&self.geometry, &self.keys[0], first)
        else {
            panic!("the first hop forwards")
        };
        assert_eq!(tag, tag_before);
        assert_eq!(u64::from(delay_ms), self.value["delay_ms"].as_u64().expect("delay"));
        assert_eq!(next, array(&self.value["ids"][1]));
        assert_eq!(packet.as_bytes(), steps[1]);
        let end = unwrap(&self.geometry, &self.keys[1], packet).expect("the last hop delivers");
        match &end {
            Unwrapped::Deliver { recipient, payload, .. }
            | Unwrapped::Reply { recipient, payload, .. } => {
                assert_eq!(*payload, steps[2]);
                assert_eq!(*recipient, array(&self.value["recipient"]));
            }
            Unwrapped::Forward { .. } => panic!("the last hop does not forward"),
        }
        end
    }
}

//= SPHINX-001
//= SPHINX-004
//= SPHINX-009
//= SPHINX-014
#[test]
fn own_vectors_hold() {
    let file: Value = serde_json::from_str(include_str!("own_vectors.json")).expect("JSON");
    let all = file.as_array().expect("a list");
    let mut seen = Vec::new();
    for value in all {
        let scheme = match value["scheme"].as_str() {
            Some("xwing") => Scheme::XWing,
            Some("x25519-kem") => Scheme::X25519Kem,
            Some("x25519-nike") => Scheme::X25519Nike,
            other => panic!("unknown scheme {other:?}"),
        };
        seen.push(scheme);
        let number =
            |name: &str| usize::try_from(value[name].as_u64().expect("number")).expect("number");
        let geometry =
            Geometry::new(scheme, number("max_hops"), number("payload_len")).expect("geometry");
        let keys = value["nodes"].as_array().expect("nodes").iter();
        let keys = keys.map(|k| PrivateKey::from_bytes(scheme, &hex(k)).expect("key")).collect();
        let case = Case { value, geometry, keys };

        let mut text = hex(&value["payload"]);
        text.resize(geometry.forward_payload_len(), 0);
        assert!(
            matches!(case.follow("forward"), Unwrapped::Deliver { payload, .. } if payload == text)
        );

        let surb = Surb::from_bytes(&geometry, &hex(&value["surb"])).expect("SURB");
        let (packet, first) = surb.reply(&geometry, &hex(&value["payload"])).expect("reply");
        assert_eq!(first, array(&value["ids"][0]));
        assert_eq!(packet.as_bytes(), hex(&value["reply"][0]));
        let Unwrapped::Reply { surb_id, payload, .. } = case.follow("reply") else {
            panic!("no reply")
        };
        assert_eq!(surb_id, array(&value["surb_id"]));
        let keys = SurbKeys::from_bytes(&geometry, &hex(&value["surb_keys"])).expect("keys");
        assert_eq!(keys.open(&geometry, payload).expect("reply opens"), text);
    }
    assert_eq!(seen, [Scheme::XWing, Scheme::X25519Kem, Scheme::X25519Nike]);
}
