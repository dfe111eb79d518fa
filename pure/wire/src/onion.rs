//! Names of Tor onion services, version 3.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use sha3::{Digest, Sha3_256};

use crate::Error;

/// Length of the name without `.onion`.
const NAME_LEN: usize = 56;
const SUFFIX: &str = ".onion";
const VERSION: u8 = 3;
/// Prefix of the checksum's input (rend-spec-v3, "Encoding onion addresses").
const CHECKSUM_PREFIX: &[u8] = b".onion checksum";

/// An onion service's Ed25519 identity, written as 56 characters and `.onion`. `Debug` prints the
/// type alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnionName([u8; 32]);

impl OnionName {
    /// The name of the service with this identity key.
    #[must_use]
    pub const fn from_key(key: [u8; 32]) -> Self {
        OnionName(key)
    }

    /// The service's Ed25519 identity key.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.0
    }

    fn checksum(&self) -> [u8; 2] {
        let digest = Sha3_256::new()
            .chain_update(CHECKSUM_PREFIX)
            .chain_update(self.0)
            .chain_update([VERSION]);
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, ..] = digest;
        [a, b]
    }
}

impl FromStr for OnionName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.strip_suffix(SUFFIX).ok_or(Error::BadAddress)?;
        if name.len() != NAME_LEN {
            return Err(Error::BadAddress);
        }
        let bytes = BASE32_NOPAD
            .decode(name.to_ascii_uppercase().as_bytes())
            .map_err(|_| Error::BadAddress)?;
        let (key, rest) = bytes.split_first_chunk::<32>().ok_or(Error::BadAddress)?;
        let onion = OnionName(*key);
        let [a, b] = onion.checksum();
        if rest == [a, b, VERSION] { Ok(onion) } else { Err(Error::BadAddress) }
    }
}

impl fmt::Display for OnionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.checksum();
        let mut bytes = [0; 35];
        let (key, rest) = bytes.split_at_mut(32);
        key.copy_from_slice(&self.0);
        rest.copy_from_slice(&[a, b, VERSION]);
        write!(f, "{}{SUFFIX}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl fmt::Debug for OnionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnionName")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Tor Project's own site.
    const KNOWN: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    //= WIRE-005
    #[test]
    fn a_known_name_survives_and_a_mistyped_one_is_refused() {
        let onion: OnionName = KNOWN.parse().unwrap();
        assert_eq!(onion.to_string(), KNOWN);
        assert_eq!(KNOWN.to_ascii_uppercase().replace(".ONION", ".onion").parse(), Ok(onion));
        assert_eq!(OnionName::from_key(*onion.key()), onion);
        assert_eq!(format!("{onion:?}"), "OnionName");
        for at in 0..56 {
            let mut typed = KNOWN.to_owned();
            let other = if &typed[at..=at] == "a" { "b" } else { "a" };
            typed.replace_range(at..=at, other);
            assert_eq!(typed.parse::<OnionName>(), Err(Error::BadAddress), "{typed}");
        }
        for bad in ["", ".onion", "expyuzz4wqqyqhjn.onion", "example.com", &KNOWN[..56]] {
            assert_eq!(bad.parse::<OnionName>(), Err(Error::BadAddress), "{bad}");
        }
    }
}
