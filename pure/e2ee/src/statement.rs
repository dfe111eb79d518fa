//! Identity statements: what a person signs with an outside key, such as an OpenPGP key, to say "in
//! this conversation, that is me".

use sha2::{Digest, Sha256};

const CONVERSATION: &[u8] = b"hushwing identity statement v1: conversation";
const MEMBER: &[u8] = b"hushwing identity statement v1: member";

/// The statement of one of the two members of a direct chat (`DIRECT-018`): five lines of ASCII,
/// without a line end after the last.
///
/// `group` is the MLS group id; `signer` and `other` are the signature keys of the member who signs
/// and of the one it is for. The text says which of the two signs, so that neither can hand the
/// other's statement back as their own. It shows no key.
#[must_use]
pub fn identity_statement(group: &[u8], signer: &[u8], other: &[u8]) -> String {
    let member = |key| digest(MEMBER, &[group, key]);
    format!(
        "Hushwing identity statement v1\n\
         In this conversation I, who sign this text with my OpenPGP key, am the signer.\n\
         conversation: {}\n\
         signer: {}\n\
         other: {}",
        digest(CONVERSATION, &[group]),
        member(signer),
        member(other)
    )
}

fn digest(purpose: &[u8], parts: &[&[u8]]) -> String {
    let hash = parts
        .iter()
        .fold(Sha256::new().chain_update(purpose), |h, part| h.chain_update(Sha256::digest(part)));
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    //= DIRECT-018
    #[test]
    fn a_statement_names_its_signer_and_no_other_pair_has_it() {
        let mine = identity_statement(b"group", &[1; 32], &[2; 32]);
        // To be the same for ever, or old signatures are worth nothing.
        let known = "Hushwing identity statement v1\n\
            In this conversation I, who sign this text with my OpenPGP key, am the signer.\n\
            conversation: cbcd7fda63902ec221f562a3db3405ec599857ca6d891e8ed967c4bda62c1c61\n\
            signer: b318c41643b6c42828b5046e9bc3960b9516812c835b58632252f126dff83c3c\n\
            other: bf6b2ece4bdfeab268f224a25663ac62b11602710b6f5ec5ac361176704a92a0";
        assert_eq!(mine, known);
        let theirs = identity_statement(b"group", &[2; 32], &[1; 32]);
        assert_ne!(mine, theirs);
        assert_ne!(mine, identity_statement(b"other", &[1; 32], &[2; 32]));
        assert_ne!(mine, identity_statement(b"group", &[1; 32], &[3; 32]));
        assert_ne!(mine, identity_statement(b"group", &[3; 32], &[2; 32]));
        let name = |text: &str, line| {
            text.lines().nth(line).unwrap().split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(name(&mine, 3), name(&theirs, 4));
    }

    #[test]
    fn a_statement_passes_through_clear_signing_unchanged() {
        let text = identity_statement(b"group", &[1; 32], &[2; 32]);
        assert!(text.is_ascii());
        assert!(text.lines().all(|l| !l.is_empty() && !l.starts_with('-') && l.trim_end() == l));
        assert!(!text.ends_with('\n'));
    }
}
