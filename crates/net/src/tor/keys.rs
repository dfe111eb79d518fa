//! Keys by which a restricted onion service knows who may find it (rend-spec-v3, client
//! authorization).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use data_encoding::BASE32_NOPAD;
use wire::OnionName;
use zeroize::Zeroizing;

use super::TorError;

const PUBLIC_PREFIX: &str = "descriptor:x25519:";

/// Who may find a restricted service. Written as tor writes it: `descriptor:x25519:` and 52
/// letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientPublicKey(pub [u8; 32]);

impl FromStr for ClientPublicKey {
    type Err = TorError;

    fn from_str(text: &str) -> Result<Self, TorError> {
        let bad = TorError::Setting("a client's key is `descriptor:x25519:` and 52 letters");
        let letters = text.trim().strip_prefix(PUBLIC_PREFIX).ok_or(bad)?;
        Ok(ClientPublicKey(*decode(letters).ok_or(bad)?))
    }
}

impl fmt::Display for ClientPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", BASE32_NOPAD.encode(&self.0))
    }
}

/// The secret half, and the service that it opens. Written as `NAME.onion:descriptor:x25519:` and
/// 52 letters, which is what tor's `.auth_private` files hold.
#[derive(Clone)]
pub struct ClientKey {
    pub(crate) service: OnionName,
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey")
    }
}

impl ClientKey {
    /// A key for `service` from 32 random bytes.
    #[must_use]
    pub const fn new(service: OnionName, secret: Zeroizing<[u8; 32]>) -> Self {
        ClientKey { service, secret }
    }

    /// What the service's owner must know.
    ///
    /// # Errors
    /// [`TorError::Setting`]: these bytes are no key.
    pub fn public(&self) -> Result<ClientPublicKey, TorError> {
        let bad = TorError::Setting("a client's secret key");
        let key = PrivateKey::from_private_key(&X25519, self.secret.as_ref()).map_err(|_| bad)?;
        let public = key.compute_public_key().map_err(|_| bad)?;
        Ok(ClientPublicKey(public.as_ref().try_into().map_err(|_| bad)?))
    }

    /// The text for the client's own file. Secret.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{}:{PUBLIC_PREFIX}{}",
            self.service,
            BASE32_NOPAD.encode(self.secret.as_ref())
        ))
    }
}

impl FromStr for ClientKey {
    type Err = TorError;

    fn from_str(text: &str) -> Result<Self, TorError> {
        let bad =
            TorError::Setting("an onion key is `NAME.onion:descriptor:x25519:` and 52 letters");
        let (name, key) = text.trim().split_once(':').ok_or(bad)?;
        // Tor's own files leave `.onion` away.
        let name = if name.ends_with(".onion") { name.to_owned() } else { format!("{name}.onion") };
        let letters = key.strip_prefix(PUBLIC_PREFIX).ok_or(bad)?;
        Ok(ClientKey {
            service: name.parse().map_err(|_| bad)?,
            secret: decode(letters).ok_or(bad)?,
        })
    }
}

fn decode(letters: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_and_agree() {
        let key = ClientKey::new(OnionName::from_key([9; 32]), Zeroizing::new([7; 32]));
        let back: ClientKey = key.to_text().parse().unwrap();
        assert_eq!((back.service, &*back.secret), (key.service, &*key.secret));
        let public = key.public().unwrap();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(format!("{key:?}"), "ClientKey");
        for bad in ["", "x.onion:descriptor:x25519:AA", "descriptor:x25519:AA"] {
            assert!(bad.parse::<ClientKey>().is_err());
            assert!(bad.parse::<ClientPublicKey>().is_err());
        }
    }
}
