//! Routing commands: what a hop must do with a packet.

use crate::{Error, ID_LEN, Id, MAC_LEN, SURB_ID_LEN, SurbId};

/// Bytes of a slot that hold commands: a next hop (65) and a SURB reply (17). With a KEM, the rest
/// of the slot is the next hop's ciphertext.
pub(crate) const AREA_LEN: usize = 82;

const NULL: u8 = 0x00;
const NEXT_HOP: u8 = 0x01;
const RECIPIENT: u8 = 0x02;
const SURB_REPLY: u8 = 0x03;
const DELAY: u8 = 0x80;

/// One routing command. Source: Katzenpost `core/sphinx/commands`; docs/spec/sphinx.md, SPHINX-002.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `01`: forward the packet to the node `id`, whose header has the MAC `mac`.
    NextHop {
        /// The next node.
        id: Id,
        /// The next header's MAC.
        mac: [u8; MAC_LEN],
    },
    /// `02`: deliver the payload to this recipient at the last hop.
    Recipient(Id),
    /// `03`: the payload is a reply by the SURB with this id: hand it over undecoded.
    SurbReply(SurbId),
    /// `80`: hold the packet for this many milliseconds.
    Delay(u32),
}

impl core::fmt::Debug for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NextHop { .. } => "NextHop(..)",
            Self::Recipient(_) => "Recipient(..)",
            Self::SurbReply(_) => "SurbReply(..)",
            Self::Delay(_) => "Delay(..)",
        })
    }
}

impl Command {
    /// Appends the command's 65, 33, 17 or 5 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::NextHop { id, mac } => {
                out.push(NEXT_HOP);
                out.extend_from_slice(id);
                out.extend_from_slice(mac);
            }
            Self::Recipient(id) => {
                out.push(RECIPIENT);
                out.extend_from_slice(id);
            }
            Self::SurbReply(id) => {
                out.push(SURB_REPLY);
                out.extend_from_slice(id);
            }
            Self::Delay(ms) => {
                out.push(DELAY);
                out.extend_from_slice(&ms.to_be_bytes());
            }
        }
    }

    /// Parses commands up to the end of the bytes, or up to a null command, after which all bytes
    /// must be zero.
    ///
    /// # Errors
    /// [`Error::Commands`] for an unknown or truncated command, or anything but zeros after a null
    /// command.
    pub fn parse_all(mut bytes: &[u8]) -> Result<Vec<Self>, Error> {
        let mut out = Vec::with_capacity(2);
        while let Some((kind, rest)) = bytes.split_first() {
            bytes = rest;
            out.push(match *kind {
                NULL if rest.iter().all(|b| *b == NULL) => return Ok(out),
                NEXT_HOP => Self::NextHop { id: take(&mut bytes)?, mac: take(&mut bytes)? },
                RECIPIENT => Self::Recipient(take::<ID_LEN>(&mut bytes)?),
                SURB_REPLY => Self::SurbReply(take::<SURB_ID_LEN>(&mut bytes)?),
                DELAY => Self::Delay(u32::from_be_bytes(take(&mut bytes)?)),
                _ => return Err(Error::Commands),
            });
        }
        Ok(out)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, tail) = bytes.split_first_chunk::<N>().ok_or(Error::Commands)?;
    *bytes = tail;
    Ok(*head)
}

/// A hop's commands, known not to contradict each other.
#[derive(Clone, Copy)]
pub(crate) struct Orders {
    pub(crate) delay_ms: u32,
    pub(crate) to: Destination,
}

#[derive(Clone, Copy)]
pub(crate) enum Destination {
    Next { id: Id, mac: [u8; MAC_LEN] },
    Recipient(Id),
    Reply(Id, SurbId),
}

impl Orders {
    /// Checks a complete list of commands: one next hop, or one recipient and at most one SURB
    /// reply; at most one delay.
    pub(crate) fn read(commands: &[Command]) -> Result<Self, Error> {
        let (mut next, mut recipient, mut surb, mut delay) = (None, None, None, None);
        for command in commands {
            let repeated = match *command {
                Command::NextHop { id, mac } => next.replace((id, mac)).is_some(),
                Command::Recipient(id) => recipient.replace(id).is_some(),
                Command::SurbReply(id) => surb.replace(id).is_some(),
                Command::Delay(ms) => delay.replace(ms).is_some(),
            };
            if repeated {
                return Err(Error::Commands);
            }
        }
        let to = match (next, recipient, surb) {
            (Some((id, mac)), None, None) => Destination::Next { id, mac },
            (None, Some(recipient), None) => Destination::Recipient(recipient),
            (None, Some(recipient), Some(surb)) => Destination::Reply(recipient, surb),
            _ => return Err(Error::Commands),
        };
        Ok(Self { delay_ms: delay.unwrap_or(0), to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            any::<(Id, Id)>().prop_map(|(id, mac)| Command::NextHop { id, mac }),
            any::<Id>().prop_map(Command::Recipient),
            any::<SurbId>().prop_map(Command::SurbReply),
            any::<u32>().prop_map(Command::Delay),
        ]
    }

    proptest! {
        //= SPHINX-002
        #[test]
        fn lists_survive_the_round_trip(list in proptest::collection::vec(command(), 0..6), padding in 0_usize..40) {
            let mut bytes = Vec::new();
            list.iter().for_each(|c| c.encode(&mut bytes));
            bytes.resize(bytes.len() + padding, 0);
            prop_assert_eq!(Command::parse_all(&bytes).unwrap(), list);
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Command::parse_all(&bytes);
        }
    }

    //= SPHINX-002
    #[test]
    fn layouts_are_exact() {
        let mut out = Vec::new();
        Command::Delay(0x0102_0304).encode(&mut out);
        assert_eq!(out, [0x80, 1, 2, 3, 4]);
        for (command, kind, len) in [
            (Command::NextHop { id: [7; 32], mac: [8; 32] }, 1, 65),
            (Command::Recipient([7; 32]), 2, 33),
            (Command::SurbReply([7; 16]), 3, 17),
        ] {
            out.clear();
            command.encode(&mut out);
            assert_eq!((out[0], out[1], out.len()), (kind, 7, len));
            assert_eq!(Command::parse_all(&out[..len - 1]), Err(Error::Commands), "truncated");
        }
    }

    //= SPHINX-002
    #[test]
    fn nothing_follows_a_null_and_nothing_unknown_passes() {
        assert_eq!(Command::parse_all(&[0, 0, 0]), Ok(vec![]));
        assert_eq!(Command::parse_all(&[0, 0, 1]), Err(Error::Commands));
        for kind in (0x04..0x80).chain(0x81..=0xff) {
            assert_eq!(Command::parse_all(&[kind; 82]), Err(Error::Commands));
        }
    }

    //= SPHINX-003
    #[test]
    fn contradictions_are_refused() {
        let next = Command::NextHop { id: [0; 32], mac: [0; 32] };
        let (to, surb, delay) =
            (Command::Recipient([1; 32]), Command::SurbReply([2; 16]), Command::Delay(1));
        for good in [&[next][..], &[delay, next], &[to], &[to, surb], &[delay, surb, to]] {
            assert!(Orders::read(good).is_ok());
        }
        for bad in [
            &[][..],
            &[delay],
            &[surb],
            &[next, to],
            &[next, surb],
            &[next, next],
            &[to, to],
            &[to, delay, delay],
        ] {
            assert!(Orders::read(bad).is_err());
        }
    }

    #[test]
    fn debug_shows_no_id() {
        let shown = format!(
            "{:?}",
            [Command::Recipient([77; 32]), Command::SurbReply([77; 16]), Command::Delay(77)]
        );
        assert!(!shown.contains("77") && !shown.contains("4d"), "{shown}");
    }
}
