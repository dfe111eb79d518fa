//! Random ids of 16 bytes. Outside the profile and its peers they mean nothing.

use minicbor::bytes::{ByteArray, DecodeBytes, EncodeBytes};
use rand_core::CryptoRng;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes an id from its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                $name(bytes)
            }

            /// Draws an id.
            pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                $name(bytes)
            }

            /// Makes an id from outside bytes; `None` unless there are 16.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map($name)
            }

            /// The 16 bytes.
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
    /// A conversation of this profile. Local: other members use ids of their own for it.
    ConversationId
);
id!(
    /// A member of one conversation, from joining to leaving. A person has a different one in every
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
