//! Whether comparing secrets takes a time that depends on them: dudect (Reparaz, Balasch,
//! Verbauwhede: "Dude, is my code constant time?", 2017), Welch's t-test over two classes of input.
//!
//! ```text
//! cargo run --release --manifest-path fuzz/Cargo.toml --example timing
//! ```
//!
//! In each test, the left class differs from the secret in its first byte, the right class in its
//! last: what an attacker who guesses byte by byte would compare. A |t| under 5 shows nothing; one
//! of tens or hundreds is a leak. `plain_arrays` is there to show that a leak would be seen.
//! Not part of CI: a shared machine is too noisy to fail on it.

use std::hint::black_box;

use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use e2ee::Secret;
use rand_core::Rng;
use sphinx::{Command, Geometry, HopSecret, Packet, PathHop, PrivateKey, Scheme, build, unwrap};
use wire::id::{AccessKey, AdmissionToken, ClientToken};

const SAMPLES: usize = 200_000;
/// Packets cost some hundred microseconds each.
const PACKETS: usize = 4_000;

/// `count` guesses at `secret`, wrong in their first byte (left) or in their last (right).
fn guesses<const N: usize>(
    secret: &[u8; N],
    count: usize,
    rng: &mut BenchRng,
) -> Vec<(Class, [u8; N])> {
    let guess = |_| {
        let mut guess = *secret;
        let draw = rng.next_u32();
        let wrong = (draw >> 8).to_le_bytes()[0] | 1;
        if draw & 1 == 0 {
            guess[0] ^= wrong;
            (Class::Left, guess)
        } else {
            guess[N - 1] ^= wrong;
            (Class::Right, guess)
        }
    };
    (0..count).map(guess).collect()
}

fn compare<const N: usize, T: PartialEq>(
    runner: &mut CtRunner,
    rng: &mut BenchRng,
    make: impl Fn([u8; N]) -> T,
) {
    let mut secret = [0; N];
    rng.fill_bytes(&mut secret);
    let known = make(secret);
    for (class, guess) in guesses(&secret, SAMPLES, rng) {
        let guess = make(guess);
        // One comparison is shorter than the clock's step.
        runner.run_one(class, || (0..64).filter(|_| black_box(&known) == black_box(&guess)).count());
    }
}

/// Not a comparison of ours: `==` of slices stops at the first difference or does not, as it
/// likes; bytes one by one surely do.
struct Plain([u8; 32]);

impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| black_box(a) == black_box(b))
    }
}

fn plain_arrays(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, Plain);
}

fn access_keys(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, AccessKey::new);
}

fn admission_tokens(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, AdmissionToken::new);
}

fn client_tokens(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, ClientToken::new);
}

fn hop_secrets(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, HopSecret::from_bytes);
}

fn room_secrets(runner: &mut CtRunner, rng: &mut BenchRng) {
    compare(runner, rng, Secret::new);
}

/// A whole packet whose tag is wrong in its first or in its last byte: what a relay computes
/// until it drops it.
fn packet_tags(runner: &mut CtRunner, rng: &mut BenchRng) {
    let geometry = Geometry::new(Scheme::X25519Kem, 3, 256).expect("geometry");
    let key = PrivateKey::generate(Scheme::X25519Kem, rng).expect("key");
    let hop = |id, commands| PathHop { id: [id; 32], key: key.public().clone(), commands };
    let path = [
        hop(0, vec![Command::Delay(1)]),
        hop(1, vec![Command::Delay(1)]),
        hop(2, vec![Command::Delay(1), Command::Recipient([1; 32])]),
    ];
    let packet = build(&geometry, &path, &[7; 256], rng).expect("packet");
    let tag = geometry.header_len() - 32;
    for (class, change) in guesses(&[0; 32], PACKETS, rng) {
        let mut bad = packet.as_bytes().to_vec();
        for (byte, change) in bad[tag..].iter_mut().zip(change) {
            *byte ^= change;
        }
        let bad = Packet::from_bytes(&geometry, bad).expect("as long as before");
        runner.run_one(class, || unwrap(&geometry, &key, bad.clone()).is_err());
    }
}

ctbench_main!(
    plain_arrays,
    access_keys,
    admission_tokens,
    client_tokens,
    hop_secrets,
    room_secrets,
    packet_tags
);
