//! TLS as all links use it: 1.3 only, X25519MLKEM768 only, raw Ed25519 keys (RFC 7250) both ways.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, PeerIncompatible,
    ServerConfig, SignatureScheme,
};
use wire::NodeId;
use zeroize::Zeroizing;

use crate::{Error, Identity, Result};

/// The application protocol (RFC 7301) of all links, with its version. A later version that speaks
/// this one as well offers both, its own first.
pub const ALPN: &[u8] = b"hushwing/1";

/// Key exchange, cipher suites and signatures: exactly these (`LINK-001`).
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        cipher_suites: vec![
            aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
            aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    })
});

/// DER before the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410, section
/// 4).
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER before the 32 bytes of an Ed25519 seed in a PKCS #8 key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

fn spki(id: &NodeId) -> Vec<u8> {
    let mut der = SPKI_PREFIX.to_vec();
    der.extend_from_slice(id.as_bytes());
    der
}

/// The node whose raw key this is; `None` for anything but an Ed25519 SubjectPublicKeyInfo.
pub(crate) fn node_of(der: &[u8]) -> Option<NodeId> {
    let key: [u8; 32] = der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?;
    Some(NodeId::new(key))
}

fn certified(identity: &Identity) -> Result<Arc<CertifiedKey>> {
    let mut pkcs8 = Zeroizing::new(PKCS8_PREFIX.to_vec());
    pkcs8.extend_from_slice(identity.seed());
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
    let key = aws_lc_rs::sign::any_eddsa_type(match &der {
        PrivateKeyDer::Pkcs8(der) => der,
        _ => return Err(Error::Bug("key encoding")),
    })
    .map_err(|_| Error::Bug("key encoding"))?;
    let public = CertificateDer::from(spki(&identity.node_id()));
    Ok(Arc::new(CertifiedKey::new(vec![public], key)))
}

/// Configuration of the accepting side.
pub(crate) fn server_config(me: &Identity) -> Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::Bug("TLS versions"))?
        .with_client_cert_verifier(Arc::new(AnyNode))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(me)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A ticket would link one client's connections (`LINK-003`).
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Configuration of the connecting side.
pub(crate) fn client_config(expect: NodeId, me: Option<&Identity>) -> Result<Arc<ClientConfig>> {
    let resolver: Arc<dyn ResolvesClientCert> = match me {
        Some(me) => Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(me)?)),
        None => Arc::new(Anonymous),
    };
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::Bug("TLS versions"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(expect)))
        .with_client_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// The name that `rustls` wants and nobody sees: SNI is off, and the key is pinned instead.
pub(crate) fn no_name() -> ServerName<'static> {
    ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into())
}

fn verify(
    message: &[u8],
    key: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
    verify_tls13_signature_with_raw_key(
        message,
        &SubjectPublicKeyInfoDer::from(key.as_ref()),
        signature,
        &PROVIDER.signature_verification_algorithms,
    )
}

const TLS12_IS_OFF: rustls::Error =
    rustls::Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered);
const NOT_THE_KEY: rustls::Error =
    rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);

/// Accepts one server key and no other (`LINK-002`).
#[derive(Debug)]
struct Pinned(NodeId);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if more.is_empty() && node_of(key) == Some(self.0) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(NOT_THE_KEY)
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(TLS12_IS_OFF)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts any Ed25519 key of a client, or none; who it is, the caller judges.
#[derive(Debug)]
struct AnyNode;

impl ClientCertVerifier for AnyNode {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        if more.is_empty() && node_of(key).is_some() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(NOT_THE_KEY)
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(TLS12_IS_OFF)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A client that proves nothing. It offers the raw key type all the same: the server insists on the
/// extension before it knows that no key will come.
#[derive(Debug)]
struct Anonymous;

impl ResolvesClientCert for Anonymous {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ed25519_keys_of_exact_length_are_nodes() {
        let id = NodeId::new([7; 32]);
        let der = spki(&id);
        assert_eq!(node_of(&der), Some(id));
        assert_eq!(node_of(&der[..43]), None);
        assert_eq!(node_of(&[der.as_slice(), &[0]].concat()), None);
        let mut x25519 = der.clone();
        x25519[8] = 0x6e;
        assert_eq!(node_of(&x25519), None);
    }

    //= LINK-001
    //= LINK-003
    #[test]
    fn nothing_but_the_stated_algorithms_is_offered() {
        let me = Identity::from_seed(&[1; 32]);
        let server = server_config(&me).unwrap();
        let client = client_config(me.node_id(), None).unwrap();
        for provider in [server.crypto_provider(), client.crypto_provider()] {
            let groups: Vec<_> = provider.kx_groups.iter().map(|g| g.name()).collect();
            assert_eq!(groups, [rustls::NamedGroup::X25519MLKEM768]);
            assert_eq!(provider.cipher_suites.len(), 2);
            assert!(provider.cipher_suites.iter().all(|s| s.tls13().is_some()));
        }
        assert_eq!(server.send_tls13_tickets, 0);
        assert!(!server.session_storage.can_cache());
        assert!(!client.enable_sni && !client.enable_early_data);
        assert!(!client.key_log.will_log("CLIENT_TRAFFIC_SECRET_0"));
        assert!(!server.key_log.will_log("SERVER_TRAFFIC_SECRET_0"));
    }
}
