//! Packets, commands, payloads and SURBs from anybody. Edits of a valid packet must be noticed:
//! in the header at once, in the payload at the last hop.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sphinx::{Command, ForwardPayload, Geometry, Packet, PathHop, PrivateKey, Scheme, Surb, SurbKeys, Unwrapped};

struct Setting {
    geometry: Geometry,
    keys: Vec<PrivateKey>,
    /// A packet for two hops.
    packet: Vec<u8>,
}

impl Setting {
    fn new(scheme: Scheme) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // Room for a SURB inside the payload, and little else.
        let room = Geometry::new(scheme, 3, 64).expect("a geometry").surb_len() + 64;
        let geometry = Geometry::new(scheme, 3, room).expect("a geometry");
        let keys: Vec<_> = (0..2).map(|_| PrivateKey::generate(scheme, &mut rng).expect("a key")).collect();
        let path: Vec<_> = keys
            .iter()
            .zip([vec![Command::Delay(5)], vec![Command::Recipient([7; 32])]])
            .enumerate()
            .map(|(i, (key, commands))| PathHop { id: [i as u8; 32], key: key.public().clone(), commands })
            .collect();
        let payload = ForwardPayload { surb: None, data: b"hello".to_vec() }.encode(&geometry).expect("a payload");
        let packet = sphinx::build(&geometry, &path, &payload, &mut rng).expect("a packet").into_bytes();
        Self { geometry, keys, packet }
    }

    fn unwrap(&self, hop: usize, bytes: Vec<u8>) -> Result<Unwrapped, sphinx::Error> {
        let packet = Packet::from_bytes(&self.geometry, bytes)?;
        sphinx::replay_tag(&self.geometry, &packet)?;
        sphinx::unwrap(&self.geometry, &self.keys[hop], packet)
    }

    fn edits(&self, edits: &[u8]) {
        let bytes = hushwing_fuzz::edited(&self.packet, edits);
        if bytes.len() != self.packet.len() {
            assert!(self.unwrap(0, bytes).is_err());
            return;
        }
        let header = ..self.geometry.header_len();
        let same_header = bytes[header] == self.packet[header];
        let same = bytes == self.packet;
        match self.unwrap(0, bytes) {
            Ok(Unwrapped::Forward { next, delay_ms, packet, .. }) => {
                assert!(same_header && next == [1; 32] && delay_ms == 5);
                let delivered = matches!(self.unwrap(1, packet.into_bytes()), Ok(Unwrapped::Deliver { .. }));
                assert_eq!(delivered, same);
            }
            Ok(_) => panic!("the first hop is not the last"),
            // X25519 ignores the highest bit of a group element, but the MAC and the tag do not.
            Err(_) => assert!(!same_header),
        }
    }
}

static SETTINGS: LazyLock<[Setting; 3]> =
    LazyLock::new(|| [Scheme::X25519Kem, Scheme::X25519Nike, Scheme::XWing].map(Setting::new));

fuzz_target!(|data: &[u8]| {
    let [scheme, mode, data @ ..] = data else { return };
    let setting = &SETTINGS[usize::from(scheme % 3)];
    let geometry = &setting.geometry;
    let filled = |len: usize| {
        let mut bytes = data.to_vec();
        bytes.resize(len, 0);
        bytes
    };
    match mode % 6 {
        0 => setting.edits(data),
        1 => assert!(setting.unwrap(0, data.to_vec()).is_err()),
        2 => assert!(setting.unwrap(1, filled(geometry.packet_len())).is_err()),
        3 => {
            if let Ok(commands) = Command::parse_all(data) {
                let mut bytes = Vec::new();
                commands.iter().for_each(|command| command.encode(&mut bytes));
                assert!(Command::parse_all(&bytes).is_ok_and(|again| again == commands));
            }
        }
        4 => {
            if let Ok(payload) = ForwardPayload::decode(geometry, &filled(geometry.forward_payload_len())) {
                let again = payload.encode(geometry).expect("it came from there");
                assert!(ForwardPayload::decode(geometry, &again).is_ok_and(|again| again == payload));
            }
            let _ = Surb::from_bytes(geometry, data);
            if let Ok(surb) = Surb::from_bytes(geometry, &filled(geometry.surb_len())) {
                let _ = surb.reply(geometry, b"answer");
            }
        }
        _ => {
            let _ = SurbKeys::from_bytes(geometry, data);
            let _ = PrivateKey::from_bytes(geometry.scheme(), data);
        }
    }
});
