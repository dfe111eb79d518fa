//! Boxes, capabilities and padding from anybody. An edited box must not verify; single and batch
//! checks must agree.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use streams::{BoxClass, BoxId, ReadCapability, SealedBox, Sizes, WriteCapability, pad, unpad, verify_batch};

const CONTEXT: &[u8] = b"fuzz";

static WRITER: LazyLock<WriteCapability> = LazyLock::new(|| WriteCapability::from_seed(&[3; 32]));
static VALID: LazyLock<SealedBox> = LazyLock::new(|| {
    let content = pad(b"hello", BoxClass::Standard).expect("it fits");
    WRITER.seal(CONTEXT, &content).expect("sealing").into_sealed()
});

/// `id 32 | signature 64 | ciphertext`
fn sealed(bytes: &[u8]) -> Option<SealedBox> {
    let (id, rest) = bytes.split_first_chunk::<32>()?;
    let (signature, ciphertext) = rest.split_first_chunk::<64>()?;
    Some(SealedBox { id: BoxId::new(*id), ciphertext: ciphertext.to_vec(), signature: *signature })
}

fn check(found: SealedBox) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let single = found.clone().verify();
    let batch = verify_batch(vec![VALID.clone(), found.clone(), VALID.clone()], &mut rng);
    assert!(batch[0].is_ok() && batch[2].is_ok(), "a bad box spoiled a good one");
    assert_eq!(single.is_ok(), batch[1].is_ok(), "single and batch checks disagree");
    // Of this stream we hold the only key.
    if found.id == VALID.id {
        assert_eq!(single.is_ok(), found == *VALID);
    }
    if let Ok(verified) = single {
        let opened = WRITER.read_capability().open(CONTEXT, &verified);
        assert_eq!(opened.is_ok(), found == *VALID);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    match mode % 5 {
        0 => {
            if let Some(found) = sealed(data) {
                check(found);
            }
        }
        1 => {
            let valid = [&VALID.id.as_bytes()[..], &VALID.signature, &VALID.ciphertext].concat();
            if let Some(found) = sealed(&hushwing_fuzz::edited(&valid, data)) {
                check(found);
            }
        }
        2 => {
            if let Ok(reader) = ReadCapability::from_bytes(data) {
                assert_eq!(reader.to_bytes().as_slice(), data);
                let first = reader.box_id(CONTEXT);
                assert!(reader.ids(CONTEXT, 3).next() == Some(first));
                if let Ok(verified) = VALID.clone().verify() {
                    let _ = reader.open(CONTEXT, &verified);
                }
            }
        }
        3 => {
            if let Ok(writer) = WriteCapability::from_bytes(data) {
                assert_eq!(writer.to_bytes().as_slice(), data);
                let sealed = writer.seal(CONTEXT, b"content").expect("sealing");
                let reader = writer.read_capability();
                assert!(sealed.id() == reader.box_id(CONTEXT));
                assert_eq!(reader.open(CONTEXT, &sealed).expect("our own box").as_slice(), b"content");
                assert!(sealed.into_sealed().verify().is_ok());
            }
        }
        _ => {
            if let Ok(content) = unpad(data) {
                assert!(content.len() < data.len());
            }
            for class in BoxClass::LADDER {
                if let Ok(padded) = pad(data, class) {
                    assert_eq!(unpad(&padded).expect("our own padding"), data);
                }
            }
            if let Ok(padded) = Sizes::Ladder.pad(data) {
                assert_eq!(unpad(&padded).expect("our own padding"), data);
            }
        }
    }
});
