//! Names of things that only this profile and its peers know: random, sixteen bytes, meaningless to
//! all others.

use minicbor::bytes::{ByteArray, DecodeBytes, EncodeBytes};
use rand_core::CryptoRng;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                $name(bytes)
            }

            /// A fresh one.
            pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                $name(bytes)
            }

            /// From outside bytes of the right length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map($name)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                ctx: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                EncodeBytes::encode_bytes(&ByteArray::from(self.0), e, ctx)
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes: ByteArray<16> = DecodeBytes::decode_bytes(d, ctx)?;
                Ok($name(bytes.into()))
            }
        }
    };
}

id!(
    /// A conversation of this profile. Local: the other members have ids of their own for it.
    ConversationId
);
id!(
    /// A member of one conversation, from joining to leaving; the same person has another in every
    /// conversation.
    MemberId
);
id!(
    /// A message, drawn by its author.
    MessageId
);
id!(
    /// A file transfer, drawn by its sender.
    TransferId
);
