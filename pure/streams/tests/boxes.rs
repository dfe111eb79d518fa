//! What a stream promises to its writer, its readers and everybody else.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use streams::{
    BoxClass, BoxId, Error, Index, ReadCapability, SealedBox, WriteCapability, pad, verify_batch,
};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// All encodings that ZIP-215 takes for a point of small order: eight canonical ones, six not.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// y = 2 is on no point of the curve.
const NO_POINT: &str = "0200000000000000000000000000000000000000000000000000000000000000";

fn point(text: &str) -> [u8; 32] {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    bytes.try_into().unwrap()
}

/// Adds the group order l to a little-endian scalar: the same signature to anyone who does not
/// check that s < l.
fn add_order(s: &mut [u8]) {
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut carry = 0;
    for (byte, add) in s.iter_mut().zip(point(order)) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

fn sealed(writer: &WriteCapability, text: &[u8]) -> SealedBox {
    writer.seal(b"ctx", &pad(text, BoxClass::Standard).unwrap()).unwrap().into_sealed()
}

//= BOX-005
#[test]
fn contexts_make_the_same_index_unlinkable() {
    let writer = WriteCapability::generate(&mut rng(1));
    let reader = writer.read_capability();
    assert_ne!(reader.box_id(b"room"), reader.box_id(b"attic"));
    let found = writer.seal(b"room", b"hello").unwrap();
    assert_eq!(reader.open(b"attic", &found), Err(Error::WrongId));
    assert_eq!(reader.open(b"room", &found).unwrap().as_slice(), b"hello");
}

//= BOX-002
#[test]
fn a_later_capability_opens_nothing_earlier() {
    let writer = WriteCapability::generate(&mut rng(2));
    let first = writer.seal(b"ctx", b"first").unwrap();
    let later = writer.read_capability().next().unwrap();
    assert_eq!(later.open(b"ctx", &first), Err(Error::WrongId));
    assert!(later.ids(b"ctx", 50).all(|id| id != first.id()));
    let before = writer.index().counter();
    assert_eq!(later.advance_to(before).unwrap_err(), Error::Passed);
    assert_eq!(writer.next().unwrap().advance_to(before).unwrap_err(), Error::Passed);
}

//= BOX-003
#[test]
fn ids_ahead_are_those_that_the_writer_will_use() {
    let mut writer = WriteCapability::generate(&mut rng(10));
    let reader = writer.read_capability();
    let ahead: Vec<BoxId> = reader.ids(b"ctx", 5).collect();
    assert_eq!(ahead.len(), 5);
    for (n, id) in (0u64..).zip(ahead) {
        let made = writer.seal(b"ctx", b"x").unwrap();
        assert_eq!(made.id(), id);
        let there = reader.advance_to(reader.index().counter() + n).unwrap();
        assert_eq!(there.open(b"ctx", &made).unwrap().as_slice(), b"x");
        writer = writer.next().unwrap();
    }
    let mut last = reader.index().to_bytes();
    last[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let last = ReadCapability::from_parts(reader.root_public(), Index::from_kept(&last)).unwrap();
    assert_eq!(last.ids(b"ctx", 5).count(), 1);
    assert_eq!(last.next().unwrap_err(), Error::EndOfStream);
}

//= BOX-012
#[test]
fn a_stream_that_could_end_is_refused_from_outside_and_a_place_in_one_that_began_in_time_is_not() {
    let reader = WriteCapability::generate(&mut rng(13)).read_capability();
    let at = |counter: u64| {
        let mut bytes = reader.to_bytes();
        bytes[32..40].copy_from_slice(&counter.to_le_bytes());
        bytes
    };
    assert!(ReadCapability::from_bytes(&at((1 << 63) - 1)).is_ok());
    for counter in [1 << 63, u64::MAX - 8, u64::MAX] {
        assert_eq!(ReadCapability::from_bytes(&at(counter)).err(), Some(Error::BadCapability));
    }
    assert!(ReadCapability::from_kept(&at((1 << 63) + 5)).is_ok());
}

/// A reader knows E', so it can encrypt; it cannot sign under the stream's id.
//= BOX-004
#[test]
fn a_reader_cannot_pass_off_a_box_of_its_own() {
    let writer = WriteCapability::generate(&mut rng(11));
    let reader = writer.read_capability();
    // Its own root, the stream's index: the same E', another key to sign with.
    let own = WriteCapability::from_parts(&[9; 32], reader.index().clone());
    let forged = own.seal(b"ctx", b"not the writer").unwrap();
    assert_eq!(reader.open(b"ctx", &forged), Err(Error::WrongId));
    // Under the stream's id the signature fails.
    let relabelled = SealedBox { id: reader.box_id(b"ctx"), ..forged.into_sealed() };
    assert_eq!(relabelled.verify().unwrap_err(), Error::BadSignature);
}

/// A writer may sign what it never encrypted.
//= BOX-004
#[test]
fn a_signed_ciphertext_that_was_not_encrypted_does_not_open() {
    let writer = WriteCapability::generate(&mut rng(12));
    let reader = writer.read_capability();
    // The root key stays, K stays (so the id does), E is another.
    let mut index = reader.index().to_bytes();
    index[40] ^= 1;
    let mut seed = [0; 32];
    seed.copy_from_slice(&writer.to_bytes()[..32]);
    let other = WriteCapability::from_parts(&seed, Index::from_kept(&index));
    let made = other.seal(b"ctx", b"text").unwrap();
    assert_eq!(made.id(), reader.box_id(b"ctx"));
    assert_eq!(reader.open(b"ctx", &made), Err(Error::NotOpened));
}

//= BOX-006
#[test]
fn a_tombstone_is_signed_and_says_nothing() {
    let writer = WriteCapability::generate(&mut rng(3));
    let stone = writer.tombstone(b"ctx");
    assert!(stone.is_tombstone());
    assert_eq!(stone.id(), writer.read_capability().box_id(b"ctx"));
    assert_eq!(writer.read_capability().open(b"ctx", &stone), Err(Error::Tombstone));
    stone.into_sealed().verify().unwrap();
}

#[test]
fn a_retry_is_the_very_same_box() {
    let writer = WriteCapability::generate(&mut rng(4));
    assert_eq!(writer.seal(b"ctx", b"again").unwrap(), writer.seal(b"ctx", b"again").unwrap());
}

#[test]
fn capabilities_survive_their_bytes_and_garbage_is_none() {
    let writer = WriteCapability::generate(&mut rng(5));
    let bytes = writer.to_bytes();
    assert_eq!(WriteCapability::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    let mut wrong = bytes.to_vec();
    wrong[40] ^= 1;
    assert_eq!(WriteCapability::from_bytes(&wrong).unwrap_err(), Error::BadCapability);
    let mut wrong = writer.read_capability().to_bytes().to_vec();
    assert!(ReadCapability::from_bytes(&wrong).is_ok());
    wrong.push(0);
    assert!(ReadCapability::from_bytes(&wrong).is_err());
    assert_eq!(
        WriteCapability::from_seed(&[1; 32]).to_bytes(),
        WriteCapability::from_seed(&[1; 32]).to_bytes()
    );
    assert_ne!(
        WriteCapability::from_seed(&[1; 32]).root_public(),
        WriteCapability::from_seed(&[2; 32]).root_public()
    );
}

//= BOX-009
#[test]
fn a_root_key_outside_the_prime_order_group_is_refused() {
    let refused = |key: [u8; 32]| {
        let read = ReadCapability::from_parts(key, Index::from_seed(&[0; 32]));
        matches!(read, Err(Error::BadCapability))
    };
    // Small order, canonical or not: every signature would be everybody's.
    for text in SMALL_ORDER {
        assert!(refused(point(text)), "{text}");
    }
    // An honest key plus a small-order part, all seven.
    let honest = WriteCapability::generate(&mut rng(13)).root_public();
    assert!(!refused(honest));
    let base = CompressedEdwardsY(honest).decompress().unwrap();
    for part in &EIGHT_TORSION[1..] {
        assert!(refused((base + part).compress().0));
    }
    // All that is not canonical: y = p + 0 to p + 18, of either sign.
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (low, high);
            assert!(refused(key));
        }
    }
    assert!(refused(point(NO_POINT)));
}

#[test]
fn debug_prints_no_byte() {
    let writer = WriteCapability::generate(&mut rng(6));
    let made = writer.seal(b"ctx", b"secret").unwrap();
    let text = format!(
        "{writer:?} {:?} {made:?} {:?} {:?} {:?}",
        writer.read_capability(),
        made.id(),
        writer.index(),
        made.clone().into_sealed()
    );
    assert_eq!(
        text,
        "WriteCapability ReadCapability VerifiedBox(22 B) BoxId Index SealedBox(22 B)"
    );
}

//= BOX-008
#[test]
fn a_batch_and_a_single_check_agree_on_the_known_edge_cases() {
    // Small-order keys and R in every encoding, s = 0: the cofactored equation of ZIP-215 holds for
    // all of them, that of RFC 8032 without cofactor does not.
    let mut edge = Vec::new();
    for key in SMALL_ORDER {
        for r in SMALL_ORDER {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&point(r));
            edge.push(SealedBox { id: BoxId::new(point(key)), ciphertext: vec![7; 10], signature });
        }
    }
    assert!(edge.iter().all(|one| one.clone().verify().is_ok()));
    assert!(verify_batch(edge.clone(), &mut rng(7)).iter().all(Result::is_ok));

    // An honest box made bad: a small-order part added to R (which changes the challenge), s + l in
    // place of s, no point as its key, no point as R.
    let honest = sealed(&WriteCapability::generate(&mut rng(8)), b"text");
    let r: [u8; 32] = honest.signature[..32].try_into().unwrap();
    let r = CompressedEdwardsY(r).decompress().unwrap();
    let mut shifted_r = honest.clone();
    shifted_r.signature[..32].copy_from_slice((r + EIGHT_TORSION[1]).compress().as_bytes());
    let mut unreduced = honest.clone();
    add_order(&mut unreduced.signature[32..]);
    let mut no_key = honest.clone();
    no_key.id = BoxId::new(point(NO_POINT));
    let mut no_r = honest.clone();
    no_r.signature[..32].copy_from_slice(&point(NO_POINT));
    let mut only_l = edge[0].clone();
    add_order(&mut only_l.signature[32..]);
    edge.extend([shifted_r, unreduced, no_key, no_r, only_l]);

    // Each beside an honest box, so that the batch equation itself decides.
    let mut refused = 0;
    for one in edge {
        let single = one.clone().verify().is_ok();
        let both = verify_batch(vec![honest.clone(), one], &mut rng(7));
        assert!(both[0].is_ok());
        assert_eq!(both[1].is_ok(), single);
        refused += u32::from(!single);
    }
    assert_eq!(refused, 5);
}

#[test]
fn a_batch_of_none_or_one_is_no_special_case() {
    assert!(verify_batch(Vec::new(), &mut rng(1)).is_empty());
    let good = sealed(&WriteCapability::generate(&mut rng(1)), b"text");
    let mut bad = good.clone();
    bad.signature[0] ^= 1;
    assert!(verify_batch(vec![good], &mut rng(1))[0].is_ok());
    assert!(verify_batch(vec![bad], &mut rng(1))[0].is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_a_write_capability_seals_its_read_capability_opens(
        seed in any::<[u8; 32]>(), context in proptest::collection::vec(any::<u8>(), 0..80),
        text in proptest::collection::vec(any::<u8>(), 0..300), steps in 0u64..20,
    ) {
        let writer = WriteCapability::from_seed(&seed);
        let reader = ReadCapability::from_bytes(&writer.read_capability().to_bytes()).unwrap();
        let counter = writer.index().counter() + steps;
        let made = writer.advance_to(counter).unwrap().seal(&context, &text).unwrap();
        let made = made.into_sealed().verify().unwrap();
        let reader = reader.advance_to(counter).unwrap();
        prop_assert_eq!(reader.box_id(&context), made.id());
        prop_assert_eq!(reader.open(&context, &made).unwrap().to_vec(), text);
    }

    // 70 boxes: more than one equation.
    #[test]
    fn exactly_the_bad_boxes_of_a_batch_are_refused(bad in proptest::collection::btree_set(0usize..70, 0..6), seed in any::<u64>()) {
        let mut writer = WriteCapability::generate(&mut rng(seed));
        let mut boxes = Vec::new();
        for n in 0..70usize {
            let mut one = sealed(&writer, &[u8::try_from(n).unwrap()]);
            if bad.contains(&n) {
                one.ciphertext[n] ^= 1;
            }
            boxes.push(one);
            writer = writer.next().unwrap();
        }
        for (n, result) in verify_batch(boxes, &mut rng(seed)).into_iter().enumerate() {
            prop_assert_eq!(result.is_err(), bad.contains(&n), "{}", n);
        }
    }

    //= BOX-004
    #[test]
    fn any_flipped_bit_is_refused(byte in 0usize..(32 + 2048 + 64), bit in 0u8..8) {
        let mut one = sealed(&WriteCapability::generate(&mut rng(9)), b"text");
        let mut id = *one.id.as_bytes();
        match byte {
            0..32 => id[byte] ^= 1 << bit,
            32..2080 => one.ciphertext[byte - 32] ^= 1 << bit,
            _ => one.signature[byte - 2080] ^= 1 << bit,
        }
        one.id = BoxId::new(id);
        prop_assert_eq!(one.verify().unwrap_err(), Error::BadSignature);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), id in any::<[u8; 32]>()) {
        let _ = ReadCapability::from_bytes(&bytes);
        let _ = WriteCapability::from_bytes(&bytes);
        let _ = SealedBox { id: BoxId::new(id), ciphertext: bytes, signature: [0; 64] }.verify();
    }
}
