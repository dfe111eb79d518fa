//! Nicks, and how people are shown that two of them look alike.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::sanitize::{is_control, is_hidden, is_noncharacter};
use crate::words::WORDS;
use crate::{Error, TalkerKey};

/// Longest nick, characters.
pub(crate) const MAX_CHARS: usize = 32;
/// Most combining marks in a row in a nick.
const MAX_MARKS: usize = 3;
/// Separates a nick from its suffix. No nick may contain it.
const SUFFIX_MARK: char = '~';
/// Nicks that could be mistaken for the program or the room itself.
const RESERVED: &[&str] = &[
    "you",
    "me",
    "server",
    "system",
    "hushwing",
    "owner",
    "admin",
    "room",
    "notice",
    "everyone",
    "anonymous",
];

/// A nick: 1 to 32 visible characters in Unicode form NFC, with single spaces inside only. Nicks
/// are not unique (`ROOM-014`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nick {
    text: String,
    /// See [`Nick::skeleton`]; made once, because a crowd compares each with all.
    skeleton: String,
    reserved: bool,
}

impl Nick {
    /// Takes what a person typed: trims it, normalises it to NFC, and checks it.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::TooLong`] or [`Error::NickCharacter`].
    pub fn new(text: &str) -> Result<Self, Error> {
        // Bounded before normalising, so that a huge text costs little.
        if text.len() > MAX_CHARS.saturating_mul(16) {
            return Err(Error::TooLong("nick"));
        }
        Self::strict(&text.trim().nfc().collect::<String>())
    }

    /// Takes a nick from outside, which must already be in the form that [`Nick::new`] makes.
    fn strict(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty("nick"));
        }
        if text.chars().count() > MAX_CHARS {
            return Err(Error::TooLong("nick"));
        }
        let mut last = ' ';
        let mut marks = 0usize;
        for c in text.chars() {
            let mark = is_combining_mark(c);
            marks = if mark { marks.saturating_add(1) } else { 0 };
            let space_or_mark_first = last == ' ' && (c == ' ' || mark);
            if space_or_mark_first || marks > MAX_MARKS || !is_allowed(c) {
                return Err(Error::NickCharacter);
            }
            last = c;
        }
        let imitates_suffix = unicode_security::skeleton(text).any(|c| c == SUFFIX_MARK);
        if last == ' ' || imitates_suffix || !unicode_normalization::is_nfc(text) {
            return Err(Error::NickCharacter);
        }
        Ok(Self::checked(text.to_owned()))
    }

    fn checked(text: String) -> Self {
        let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        let seen = skeleton(&letters);
        let reserved = seen.is_empty() || RESERVED_SKELETONS.contains(&seen);
        Self { skeleton: skeleton(&text), text, reserved }
    }

    /// Draws a nick for somebody who has not chosen one: a plain word, about every third time with
    /// two digits.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let [word, digits, ..] = rng.next_u32().to_le_bytes();
        let word = WORDS.get(usize::from(word)).copied().unwrap_or("ghost");
        // 90 of the 256 values add digits, so each of 10..=99 is equally likely.
        let nick = match digits {
            0..=89 => format!("{word}{}", digits.saturating_add(10)),
            _ => word.to_owned(),
        };
        Self::checked(nick)
    }

    /// The text. It is safe to show without sanitizing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the nick looks like: nicks with equal skeletons can be mistaken for each other. Folds
    /// case, compatibility forms and confusable characters (UTS 39), spaces, and `i`/`l`. For
    /// comparing, not for showing.
    #[must_use]
    pub fn skeleton(&self) -> &str {
        &self.skeleton
    }

    /// Whether the nick could be mistaken for the program or the owner.
    #[must_use]
    pub const fn is_reserved(&self) -> bool {
        self.reserved
    }
}

static RESERVED_SKELETONS: LazyLock<Vec<String>> =
    LazyLock::new(|| RESERVED.iter().map(|word| skeleton(word)).collect());

fn skeleton(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    unicode_security::skeleton(&folded)
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .map(|c| if c == 'i' { 'l' } else { c })
        .collect()
}

fn is_allowed(c: char) -> bool {
    let private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    let space = c.is_whitespace() && c != ' ';
    !(private || space || is_control(c) || is_hidden(c) || is_noncharacter(c))
}

impl fmt::Debug for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nick")
    }
}

impl FromStr for Nick {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl<C> Encode<C> for Nick {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.text)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Nick {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::strict(d.str()?).map_err(|_| decode::Error::message("nick"))
    }
}

/// The names to show for these talkers, in the same order: the nick alone where no other looks like
/// it, otherwise `nick~suffix` for *all* that look alike, so that nobody gets to be the plain one.
/// A reserved nick always gets its suffix (`ROOM-015`).
///
/// A talker may appear more than once, under one nick or several. It does not collide with itself.
#[must_use]
pub fn display_names(talkers: &[(Nick, TalkerKey)]) -> Vec<String> {
    let mut holders: HashMap<&str, HashSet<&TalkerKey>> = HashMap::new();
    for (nick, key) in talkers {
        holders.entry(nick.skeleton()).or_default().insert(key);
    }
    let name = |(nick, key): &(Nick, TalkerKey)| {
        let shared = holders.get(nick.skeleton()).is_some_and(|h| h.len() > 1);
        if shared || nick.is_reserved() {
            format!("{}{SUFFIX_MARK}{}", nick.as_str(), key.suffix())
        } else {
            nick.as_str().to_owned()
        }
    };
    talkers.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, TalkerSecret};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn key(n: u8) -> TalkerKey {
        TalkerSecret::from_seed(Secret::new([n; 32])).public()
    }

    //= ROOM-014
    #[test]
    fn good_and_bad_nicks() {
        for good in [
            "alice",
            "bob42",
            "ghost",
            "Ana María",
            "李雷",
            "محمد",
            "דוד",
            "สมชาย",
            "🦉",
            "O'Neil",
            "*server*",
        ] {
            assert_eq!(nick(good).as_str(), good);
        }
        assert_eq!(nick("  Jose\u{301} ").as_str(), "José");
        for bad in [
            "a\u{200b}b",
            "a\u{202e}b",
            "a\nb",
            "a\x1b[m",
            "a  b",
            "a\u{a0}b",
            "bob~1a2b3c4d",
            "bob\u{ff5e}x",
            "bob\u{223c}x",
            "\u{301}a",
            "a\u{e000}",
            "a\u{3164}",
            "a\u{fe0f}",
            "👩\u{200d}🚀",
            "a\u{301}\u{316}\u{317}\u{318}\u{319}",
        ] {
            assert_eq!(Nick::new(bad), Err(Error::NickCharacter), "{bad:?}");
        }
        assert_eq!(Nick::new("  "), Err(Error::Empty("nick")));
        assert!(Nick::new(&"é".repeat(32)).is_ok());
        assert_eq!(Nick::new(&"é".repeat(33)), Err(Error::TooLong("nick")));
    }

    //= ROOM-014
    #[test]
    fn from_outside_only_the_normal_form() {
        for (text, good) in
            [("José", true), ("Jose\u{301}", false), (" a", false), ("a ", false), ("", false)]
        {
            let bytes = wire::encode(&text);
            assert_eq!(wire::decode::<Nick>(&bytes, "nick").is_ok(), good, "{text:?}");
        }
    }

    //= ROOM-015
    #[test]
    fn confusable_nicks_all_show_a_suffix() {
        let talkers = [
            (nick("alice"), key(1)),
            (nick("Αlice"), key(2)), // Greek capital alpha
            (nick("ALlCE"), key(3)),
            (nick("аlісе"), key(4)), // Cyrillic
            (nick("bob"), key(5)),
            (nick("bob"), key(5)),
            (nick("carol"), key(6)),
            (nick("you"), key(7)),
            (nick("*Server*"), key(8)),
            (nick("Hush wing"), key(9)),
        ];
        let names = display_names(&talkers);
        let expect = |i: usize| format!("{}~{}", talkers[i].0.as_str(), talkers[i].1.suffix());
        for i in [0, 1, 2, 3, 7, 8, 9] {
            assert_eq!(names[i], expect(i));
        }
        assert_eq!(names[4..7], ["bob", "bob", "carol"]);
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), talkers.len() - 1);
    }

    //= ROOM-015
    #[test]
    fn a_suffix_has_forty_bits() {
        let suffix = key(1).suffix();
        assert_eq!(suffix.len(), 8);
        assert!(suffix.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)));
        assert_ne!(suffix, key(2).suffix());
    }

    #[test]
    fn random_nicks_are_nicks() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut seen = HashSet::new();
        for _ in 0..2_000 {
            let random = Nick::random(&mut rng);
            assert_eq!(Nick::new(random.as_str()).unwrap(), random);
            assert!(!random.is_reserved());
            seen.insert(random);
        }
        assert!(seen.len() > 800);
        assert!(seen.iter().any(|n| n.as_str().ends_with(|c: char| c.is_ascii_digit())));
    }

    #[test]
    fn words_are_distinct_and_do_not_look_alike() {
        let words: Vec<Nick> = WORDS.iter().map(|w| nick(w)).collect();
        let skeletons: HashSet<&str> = words.iter().map(Nick::skeleton).collect();
        assert_eq!(skeletons.len(), 256);
        assert!(WORDS.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[test]
    fn debug_shows_no_nick() {
        assert_eq!(format!("{:?}", nick("alice")), "Nick");
    }

    proptest! {
        #[test]
        fn whatever_passes_is_stable_and_clean(text in "\\PC{0,40}") {
            if let Ok(nick) = Nick::new(&text) {
                prop_assert_eq!(Nick::strict(nick.as_str()), Ok(nick.clone()));
                let shown = crate::sanitize(nick.as_str(), crate::Newlines::Fold);
                prop_assert_eq!(shown, nick.as_str());
            }
        }

        #[test]
        fn case_never_tells_nicks_apart(text in "[a-zA-Z]{1,12}") {
            let (lower, upper) = (nick(&text), nick(&text.to_uppercase()));
            prop_assert_eq!(lower.skeleton(), upper.skeleton());
        }
    }
}
