//! Ids: how programs name a conversation, a member, a message. Sixteen random bytes each.
//!
//! Two texts stand for an id. The *full* form, 32 hexadecimal digits, is what requests, events,
//! addresses of pages and files hold. The *short* form is for people: six letters or digits of the
//! id's first 30 bits and a check letter, as in `k3q9f2m`. The check letter depends on the kind of
//! id, so that a mistyped letter, or a message's id given for a member's, names nothing.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Crockford's alphabet in lower case: no i, l, o, u, which are misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Letters of a short form before the check letter; five bits each.
const LETTERS: u32 = 6;

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 hexadecimal digits")]
pub struct NotAnId;

fn letter(value: u32) -> char {
    let at = usize::try_from(value & 31).unwrap_or_default();
    char::from(ALPHABET.get(at).copied().unwrap_or(b'0'))
}

/// The short form of an id of the kind that `salt` stands for.
fn short(bytes: &[u8; 16], salt: u32) -> String {
    let first = bytes.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) >> 2;
    let mut text = String::with_capacity(7);
    let mut check = salt;
    for place in (0..LETTERS).rev() {
        let value = first >> (5 * place) & 31;
        // An odd weight that differs by place finds each wrong letter, and most swaps of two.
        check = check.wrapping_add(value.wrapping_mul(2 * place + 3));
        text.push(letter(value));
    }
    text.push(letter(check));
    text
}

/// What a person typed, with the letters that Crockford's alphabet leaves out read as the digits
/// that they look like.
fn normalised(typed: &str) -> String {
    let plain = typed.trim().trim_start_matches('~').to_ascii_lowercase();
    plain
        .chars()
        .map(|c| {
            if matches!(c, 'i' | 'l') {
                '1'
            } else if c == 'o' {
                '0'
            } else {
                c
            }
        })
        .collect()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $salt:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                $name(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The seven letters that people read out and type. Two ids may share them, by chance
            /// or because somebody drew an id that does.
            #[must_use]
            pub fn short(&self) -> String {
                short(&self.0, $salt)
            }

            /// Whether a person who typed this may have meant this id: its full form, the first
            /// four or more digits of that, or its short form.
            #[must_use]
            pub fn is_meant_by(&self, typed: &str) -> bool {
                let hex = typed.trim().to_ascii_lowercase();
                normalised(typed) == self.short()
                    || hex.len() >= 4 && self.to_string().starts_with(&hex)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
                bytes.ok().and_then(|b| b.try_into().ok()).map($name).ok_or(NotAnId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
            }
        }
    };
}

id!(
    /// A contact or group of this profile. The other side knows it by another id.
    ConversationId, 1
);
id!(
    /// A member of one conversation. The same person has another id in every other conversation.
    MemberId, 6
);
id!(
    /// A message, drawn by its author. Unique within its conversation.
    MessageId, 11
);
id!(
    /// An invite that this profile made or accepted.
    InviteId, 16
);
id!(
    /// An invitation into a group that waits for an answer.
    GroupInviteId, 21
);
id!(
    /// A file transfer, drawn by its sender.
    TransferId, 26
);
id!(
    /// An open room that this profile is in.
    RoomId, 31
);
id!(
    /// A talker in an open room: the first half of the key that signs what they say.
    TalkerId, 4
);
id!(
    /// Somebody on the local network who asks to become a contact.
    KnockId, 9
);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u8) -> [u8; 16] {
        std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(at as u8 * 7))
    }

    //= NAME-020
    #[test]
    fn both_forms_lead_back_to_the_id() {
        for seed in 0..=255 {
            let id = ConversationId::new(id(seed));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.short().len(), 7);
            assert!(id.is_meant_by(&id.short()) && id.is_meant_by(&id.to_string()));
            assert!(id.is_meant_by(&format!("~{}", id.short().to_uppercase())));
            assert!(id.is_meant_by(&id.to_string()[..4]));
            assert!(!id.is_meant_by("") && !id.is_meant_by(&id.to_string()[..3]));
        }
    }

    //= NAME-021
    #[test]
    fn one_wrong_letter_names_nothing() {
        for seed in 0..=255 {
            let id = MemberId::new(id(seed));
            let right = id.short();
            for at in 0..right.len() {
                for wrong in ALPHABET.iter().map(|b| char::from(*b)) {
                    let mut typed: Vec<char> = right.chars().collect();
                    if typed[at] == wrong {
                        continue;
                    }
                    typed[at] = wrong;
                    let typed: String = typed.into_iter().collect();
                    let lucky_hex = id.to_string().starts_with(&typed);
                    assert!(lucky_hex || !id.is_meant_by(&typed), "{right} {typed}");
                }
            }
        }
    }

    #[test]
    fn an_id_of_another_kind_has_another_check_letter() {
        let bytes = id(7);
        let shorts = [
            ConversationId::new(bytes).short(),
            MemberId::new(bytes).short(),
            MessageId::new(bytes).short(),
            InviteId::new(bytes).short(),
            GroupInviteId::new(bytes).short(),
            TransferId::new(bytes).short(),
            RoomId::new(bytes).short(),
            TalkerId::new(bytes).short(),
            KnockId::new(bytes).short(),
        ];
        let mut different = shorts.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), shorts.len(), "{shorts:?}");
    }

    #[test]
    fn letters_that_look_like_digits_are_read_as_these() {
        let id = (0..=255).map(|seed| ConversationId::new(id(seed)));
        let id = id.into_iter().find(|id| id.short().contains(['0', '1'])).unwrap();
        assert!(id.is_meant_by(&id.short().replace('0', "O").replace('1', "l")));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for wrong in ["", "12ab", "zz", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32)] {
            assert_eq!(wrong.parse::<MessageId>(), Err(NotAnId), "{wrong}");
        }
        assert!(serde_json::from_str::<MessageId>("7").is_err());
        let id = MessageId::new(id(1));
        assert_eq!(
            serde_json::from_str::<MessageId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }
}
