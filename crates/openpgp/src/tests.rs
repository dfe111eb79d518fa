use std::time::{Duration, SystemTime};

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey, SignedSecretKey};
use pgp::packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, Password, Timestamp};
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::*;
use crate::certificate::Certificate;
use crate::signing::verify_at;

const DAY_S: u64 = 86_400;

fn theirs() -> String {
    e2ee::identity_statement(b"group", &[1; 32], &[2; 32])
}

fn ours() -> String {
    e2ee::identity_statement(b"group", &[2; 32], &[1; 32])
}

fn unlocked() -> Result<Zeroizing<String>, Error> {
    panic!("this key has no passphrase")
}

fn signed(key: &NewKey, text: &str) -> String {
    sign(text, key.secret.as_bytes(), unlocked).expect("a signature")
}

fn refused(signed: &str, certificate: &str) -> Error {
    verify(signed, certificate, &theirs(), &ours()).expect_err("refused")
}

fn at(days: u64) -> Timestamp {
    Timestamp::try_from(SystemTime::now() + Duration::from_secs(days * DAY_S)).expect("a time")
}

/// A signature of the key over itself, of this kind and with this more to say.
fn says(
    key: &SignedSecretKey,
    kind: SignatureType,
    more: Option<SubpacketData>,
) -> pgp::packet::Signature {
    let mut config = SignatureConfig::v4(
        kind,
        key.primary_key.algorithm(),
        pgp::crypto::hash::HashAlgorithm::Sha256,
    );
    let mut all = vec![
        SubpacketData::SignatureCreationTime(at(0)),
        SubpacketData::IssuerFingerprint(key.primary_key.fingerprint()),
    ];
    all.extend(more);
    config.hashed_subpackets =
        all.into_iter().map(|d| Subpacket::regular(d).expect("a subpacket")).collect();
    config
        .sign_key(&key.primary_key, &Password::empty(), key.primary_key.public_key())
        .expect("a signature")
}

fn armour(key: &SignedPublicKey) -> String {
    key.to_armored_string(Default::default()).expect("armour")
}

fn secret(key: &NewKey) -> SignedSecretKey {
    SignedSecretKey::from_string(&key.secret).expect("a key").0
}

//= DIRECT-019
#[test]
fn a_good_signature_counts_and_nothing_else_does() {
    let bob = generate("Bob <bob@example.org>", None).expect("a key");
    let eve = generate("Bob <bob@example.org>", None).expect("a key");
    let good = signed(&bob, &theirs());
    let signer = verify(&good, &bob.public, &theirs(), &ours()).expect("good");
    assert_eq!(
        signer,
        Signer {
            fingerprint: bob.fingerprint.clone(),
            user_ids: vec!["Bob <bob@example.org>".into()]
        }
    );
    // Mail programs change line ends, and put blanks around.
    let mailed = format!("\r\n{}\r\n\r\n", good.replace('\n', "\r\n"));
    assert!(verify(&mailed, &bob.public, &theirs(), &ours()).is_ok());

    let another = refused(&signed(&eve, &theirs()), &bob.public);
    assert_eq!(another.kind(), ErrorKind::PeerMisbehaved);
    assert!(another.to_string().contains("another key"), "{another:?}");
    let altered = refused(&good.replacen("signer: ", "signer: 0", 1), &bob.public);
    assert!(altered.to_string().contains("altered"), "{altered:?}");
    let reflected = refused(&signed(&bob, &ours()), &bob.public);
    assert!(reflected.to_string().contains("your own statement"), "{reflected:?}");
    let elsewhere = signed(&bob, &e2ee::identity_statement(b"another", &[1; 32], &[2; 32]));
    assert!(refused(&elsewhere, &bob.public).to_string().contains("not this contact's"));
    for text in [theirs() + "\nand more", "hello".into(), String::new(), format!("\n{}", theirs())]
    {
        assert_eq!(
            refused(&signed(&bob, &text), &bob.public).kind(),
            ErrorKind::PeerMisbehaved,
            "{text:?}"
        );
    }
}

#[test]
fn what_is_no_signature_or_no_key_is_told_apart() {
    let bob = generate("Bob", None).expect("a key");
    let good = signed(&bob, &theirs());
    for junk in [
        "",
        "hello",
        &good[..good.len() / 2],
        &bob.public,
        &format!("{good}more"),
        &"x".repeat(MAX_SIGNED + 1),
    ] {
        let refused = refused(junk, &bob.public);
        assert_eq!(refused.kind(), ErrorKind::LocalConfig);
        assert!(refused.to_string().contains("not a clear-signed text"), "{refused:?}");
    }
    for junk in ["", "hello", &bob.public[..200], &good, &"x".repeat(MAX_KEY + 1)] {
        assert_eq!(refused(&good, junk).kind(), ErrorKind::LocalConfig);
    }
    assert!(refused(&good, &bob.secret).to_string().contains("secret key"));
    assert!(armoured(bob.secret.as_bytes()).is_err());
    assert_eq!(armoured(bob.public.as_bytes()).expect("armour"), bob.public);
    for bad in ["", "  ", "a\nb", &"x".repeat(257)] {
        assert!(generate(bad, None).is_err(), "{bad:?}");
    }
}

#[test]
fn a_locked_key_asks_for_its_passphrase_once() {
    let bob = generate("Bob", Some("correct horse")).expect("a key");
    let mut asked = 0;
    let mut with = |text: &str| {
        sign(&theirs(), bob.secret.as_bytes(), || {
            asked += 1;
            Ok(Zeroizing::new(text.to_owned()))
        })
    };
    let good = with("correct horse").expect("a signature");
    assert!(verify(&good, &bob.public, &theirs(), &ours()).is_ok());
    let wrong = with("battery staple").expect_err("refused");
    assert!(wrong.to_string().contains("wrong passphrase"), "{wrong}");
    assert_eq!(asked, 2);
    assert!(sign(&theirs(), bob.public.as_bytes(), unlocked).is_err());
}

//= DIRECT-019
#[test]
fn a_revoked_or_expired_key_counts_no_more() {
    let bob = generate("Bob", None).expect("a key");
    let good = signed(&bob, &theirs());
    let key = secret(&bob);
    let mut revoked = key.to_public_key();
    revoked.details.revocation_signatures.push(says(&key, SignatureType::KeyRevocation, None));
    assert!(refused(&good, &armour(&revoked)).to_string().contains("revoked"));
    // Nobody else can revoke it.
    let mut not = key.to_public_key();
    let eve = secret(&generate("Eve", None).expect("a key"));
    not.details.revocation_signatures.push(says(&eve, SignatureType::KeyRevocation, None));
    assert!(verify(&good, &armour(&not), &theirs(), &ours()).is_ok());

    let lasts = pgp::types::Duration::try_from(Duration::from_secs(10 * DAY_S)).expect("a time");
    let mut ends = key.to_public_key();
    // What was said later holds.
    ends.details.users.clear();
    let more = SubpacketData::KeyExpirationTime(lasts);
    ends.details.direct_signatures.push(says(&key, SignatureType::Key, Some(more)));
    let ends = armour(&ends);
    let when = |days| verify_at(&good, ends.as_bytes(), &theirs(), &ours(), at(days));
    assert!(when(9).is_ok());
    assert!(when(11).expect_err("refused").to_string().contains("expired"));
}

//= DIRECT-019
#[test]
fn a_key_that_does_not_say_whose_it_is_counts_for_nothing() {
    let bob = generate("Bob", None).expect("a key");
    let eve = generate("Eve", None).expect("a key");
    let good = signed(&bob, &theirs());
    let mut bare = secret(&bob).to_public_key();
    bare.details.users.clear();
    assert!(Certificate::of(bare, at(0)).is_err());
    let mut borrowed = secret(&bob).to_public_key();
    borrowed.details.users = secret(&eve).details.users;
    assert!(refused(&good, &armour(&borrowed)).to_string().contains("whose it is"));
}

//= DIRECT-019
#[test]
fn a_stolen_subkey_signs_for_nobody() {
    // Eve puts bob's signing key below her own, to claim what he has signed. He has not agreed to
    // that.
    let bob = secret(&generate("Bob", None).expect("a key"));
    let eve = secret(&generate("Eve", None).expect("a key"));
    let stolen = pgp::packet::PublicSubkey::from_inner(
        pgp::packet::PubKeyInner::new(
            bob.primary_key.version(),
            bob.primary_key.algorithm(),
            bob.primary_key.created_at(),
            None,
            bob.primary_key.public_params().clone(),
        )
        .expect("a key"),
    )
    .expect("a key");
    let mut flags = pgp::packet::KeyFlags::default();
    flags.set_sign(true);
    let bound = stolen
        .sign(
            rand_08::rngs::OsRng,
            &eve.primary_key,
            eve.primary_key.public_key(),
            &Password::empty(),
            flags,
            None,
        )
        .expect("a binding");
    let mut claimed = eve.to_public_key();
    claimed.public_subkeys.push(pgp::composed::SignedPublicSubKey::new(stolen, vec![bound]));
    let by_bob = CleartextSignedMessage::sign(
        rand_08::rngs::OsRng,
        &theirs(),
        &bob.primary_key,
        &Password::empty(),
    );
    let by_bob =
        by_bob.expect("a signature").to_armored_string(Default::default()).expect("armour");
    assert!(verify(&by_bob, &armour(&bob.to_public_key()), &theirs(), &ours()).is_ok());
    assert!(refused(&by_bob, &armour(&claimed)).to_string().contains("another key"));
}
