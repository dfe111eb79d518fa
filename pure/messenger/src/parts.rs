//! Messages over boxes: a message that is longer than a box spans consecutive ones (`DIRECT-004`).
//!
//! Content of each box: one byte, 1 in the last box of a message and 0 before, then bytes of the
//! message.

use streams::{STANDARD_CONTENT_LEN, Sizes};
use zeroize::Zeroizing;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Joined {
        More,
        Whole,
        Broken,
    }
);

/// Bytes of a message that one standard box carries.
pub const PART_LEN: usize = STANDARD_CONTENT_LEN - 1;
/// Longest message, bytes: what a welcome into the largest group needs.
pub const MAX_MESSAGE: usize = 1 << 20;

const MORE: u8 = 0;
const LAST: u8 = 1;

/// Cuts a message into contents of standard boxes. An empty message is one box.
#[must_use]
pub fn split(message: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    split_for(message, Sizes::Uniform)
}

/// Cuts a message into contents of as few boxes as such sizes allow. An empty message is one box.
#[must_use]
pub fn split_for(message: &[u8], sizes: Sizes) -> Vec<Zeroizing<Vec<u8>>> {
    let part = sizes.content_len().saturating_sub(1);
    let chunks: Vec<&[u8]> =
        if message.is_empty() { vec![&[]] } else { message.chunks(part).collect() };
    let last = chunks.len().saturating_sub(1);
    let content = |(n, chunk): (usize, &&[u8])| {
        let mut out = Zeroizing::new(Vec::with_capacity(chunk.len().saturating_add(1)));
        out.push(if n == last { LAST } else { MORE });
        out.extend_from_slice(chunk);
        out
    };
    chunks.iter().enumerate().map(content).collect()
}

/// How many boxes a message takes.
#[must_use]
pub fn count(len: usize) -> usize {
    len.div_ceil(PART_LEN).max(1)
}

/// Puts messages together again.
#[derive(Default)]
pub struct Joiner {
    bytes: Zeroizing<Vec<u8>>,
    /// After a gap, until the next message begins.
    broken: bool,
}

/// What the content of a box gave.
#[derive(PartialEq, Eq)]
pub enum Joined {
    /// The message goes on in the next box.
    More,
    /// A whole message.
    Whole(Zeroizing<Vec<u8>>),
    /// The end of a message of which a part is missing, or not our framing.
    Broken,
}

impl Joiner {
    /// Takes the content of the next box.
    pub fn push(&mut self, content: &[u8]) -> Joined {
        let Some((flag, chunk)) = content.split_first() else { return Joined::Broken };
        if self.bytes.len().saturating_add(chunk.len()) > MAX_MESSAGE {
            self.lose();
        }
        if !self.broken {
            self.bytes.extend_from_slice(chunk);
        }
        match *flag {
            MORE => Joined::More,
            LAST if self.broken => {
                self.broken = false;
                Joined::Broken
            }
            LAST => Joined::Whole(std::mem::take(&mut self.bytes)),
            _ => {
                self.lose();
                Joined::Broken
            }
        }
    }

    /// Boxes are missing: the message that they belong to is lost.
    pub fn lose(&mut self) {
        self.bytes = Zeroizing::default();
        self.broken = true;
    }

    /// Whether the next box begins a message.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.bytes.is_empty() && !self.broken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(parts: &[Zeroizing<Vec<u8>>]) -> Vec<Joined> {
        let mut joiner = Joiner::default();
        parts.iter().map(|p| joiner.push(p)).filter(|j| *j != Joined::More).collect()
    }

    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..most)
    }

    proptest! {
        //= DIRECT-004
        #[test]
        fn what_was_split_is_joined(a in bytes(9_000), b in bytes(5_000)) {
            let mut parts = split(&a);
            prop_assert_eq!(parts.len(), count(a.len()));
            prop_assert!(parts.iter().all(|p| p.len() <= STANDARD_CONTENT_LEN));
            parts.extend(split(&b));
            let whole = |bytes| Joined::Whole(Zeroizing::new(bytes));
            prop_assert_eq!(join(&parts), vec![whole(a), whole(b)]);
        }

        //= DIRECT-004, BOX-011
        #[test]
        fn what_was_split_for_the_ladder_is_joined_and_fits(a in bytes(9_000)) {
            let parts = split_for(&a, Sizes::Ladder);
            prop_assert!(parts.iter().all(|p| Sizes::Ladder.pad(p).is_ok()));
            prop_assert_eq!(parts.len(), a.len().div_ceil(4_077).max(1));
            prop_assert_eq!(join(&parts), vec![Joined::Whole(Zeroizing::new(a))]);
        }

        #[test]
        fn any_boxes_are_survived(parts in proptest::collection::vec(bytes(40), 0..20)) {
            let mut joiner = Joiner::default();
            for part in parts {
                joiner.push(&part);
            }
        }
    }

    //= DIRECT-004
    #[test]
    fn a_gap_costs_one_message() {
        let mut joiner = Joiner::default();
        joiner.push(&[MORE, 1]);
        joiner.lose();
        assert_eq!(joiner.push(&[MORE, 3]), Joined::More);
        assert_eq!(joiner.push(&[LAST, 4]), Joined::Broken);
        assert_eq!(joiner.push(&[LAST, 5]), Joined::Whole(Zeroizing::new(vec![5])));
    }

    #[test]
    fn a_message_without_end_is_bounded() {
        let mut joiner = Joiner::default();
        let chunk = vec![MORE; PART_LEN + 1];
        for _ in 0..2 * MAX_MESSAGE / PART_LEN {
            joiner.push(&chunk);
            assert!(joiner.bytes.len() <= MAX_MESSAGE);
        }
        assert_eq!(joiner.push(&[LAST]), Joined::Broken);
    }
}
