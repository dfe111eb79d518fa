//! Names that people see and type, and which conversation a typed text means.
//!
//! A conversation (or a member of one) has up to two names. Its *own* name is the user's: nobody
//! else can set or change it. Its *given* name is chosen by others: the title of a group, the nick
//! of a contact. Programs use ids; a name becomes an id once, here, where a person typed it.
//!
//! # The attack
//! Others rename what they share with us, at any time, so that a text that meant one conversation
//! yesterday means another today. [`resolve`] holds against it by this argument:
//!
//! - A conversation *claims* a text when the text looks like its own name, its given name, or a
//!   given name that it had before, or its tag. Others can add claims. Only the user can take one
//!   away.
//! - A text resolves by looks to a conversation only if no other claims it. So once it has meant
//!   X, it never means Y: X still claims it.
//! - The list of former names is bounded. Once it is full the given name can no longer be followed
//!   safely, so it stops resolving by itself, and only the own name or the tag reach the
//!   conversation. See [`rename`].
//!
//! `docs/spec/names.md` states the rules.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

/// Former given names that are kept of one conversation.
pub const MAX_FORMER: usize = 8;
/// What stands between a name and its tag.
const TAG_MARK: char = '~';
/// How an empty given name is shown.
const UNNAMED: &str = "unnamed";

/// Everything that one conversation, or one member, is and was called.
#[derive(Clone, PartialEq, Eq)]
pub struct Named<K> {
    /// What the names are for.
    pub key: K,
    /// The user's own name for it.
    pub own: Option<String>,
    /// The title or nick that others chose.
    pub given: String,
    /// Given names that it had before, newest last; see [`rename`].
    pub formerly: Vec<String>,
    /// A short form of the id that a person can read out, made by the caller: without `~`, and
    /// different for each key. Where two tags are equal, neither resolves.
    pub tag: String,
}

impl<K> std::fmt::Debug for Named<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Named")
    }
}

/// What a typed text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<K> {
    /// This one, and no other.
    One(K),
    /// Nobody has or had a name like that.
    None,
    /// It could mean any of these, by their present and former names. To be refused.
    Many(Vec<K>),
    /// Nobody goes by that name now, but these did: before a rename by others, before the user gave
    /// them a name of their own, or so often renamed that their title alone is not trusted. To be
    /// refused.
    Formerly(Vec<K>),
}

/// How strongly a conversation is tied to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// It was called so, or its own name or its full list of former names stands before the given
    /// name. Enough to keep others from the text, not enough to be found by it.
    Past,
    /// It is called so.
    Present,
}

/// What a name looks like: equal for two texts that a person could take for one another.
///
/// NFKC and case folding, then the skeleton of UTS 39, which maps confusable letters of all scripts
/// to one; without spaces, and with `i` as `l`, as for nicks (`ROOM-015`).
#[must_use]
pub fn skeleton(name: &str) -> String {
    let folded: String =
        name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    unicode_security::skeleton(&folded)
        .flat_map(char::to_lowercase)
        .filter(|c| !c.is_whitespace())
        .map(|c| if c == 'i' { 'l' } else { c })
        .collect()
}

/// A given name as it is shown.
fn shown(given: &str) -> &str {
    if skeleton(given).is_empty() { UNNAMED } else { given }
}

/// Takes a new given name, and keeps the one before among the former ones.
///
/// Once [`MAX_FORMER`] names are kept no further one is: if the oldest were dropped, somebody could
/// rename often enough to free a name for another conversation. From then on the given name is not
/// resolved by itself ([`resolve`]), so nothing needs to remember it.
pub fn rename(given: &mut String, formerly: &mut Vec<String>, new: &str) {
    let old = shown(given).to_owned();
    new.clone_into(given);
    let looks = skeleton(&old);
    let known = looks == skeleton(shown(new)) || formerly.iter().any(|f| skeleton(f) == looks);
    if !known && formerly.len() < MAX_FORMER {
        formerly.push(old);
    }
}

/// Eight hexadecimal digits of an id: a tag where the caller has no better one.
#[must_use]
pub fn short(id: &[u8; 16]) -> String {
    id.iter().take(4).map(|b| format!("{b:02x}")).collect()
}

impl<K> Named<K> {
    /// The name without a tag: the user's own, else the given one.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.own.as_deref().unwrap_or_else(|| shown(&self.given))
    }

    /// All that this conversation claims, as skeletons. Its tag is one of these: people type the
    /// short ids that they are shown, and nobody else may take such a text as a title.
    fn claims(&self) -> BTreeMap<String, Claim> {
        let trusted = self.own.is_none() && self.formerly.len() < MAX_FORMER;
        let mut all: BTreeMap<String, Claim> =
            self.formerly.iter().map(|f| (skeleton(f), Claim::Past)).collect();
        let given = if trusted { Claim::Present } else { Claim::Past };
        all.insert(skeleton(shown(&self.given)), given);
        if let Some(own) = &self.own {
            all.insert(skeleton(own), Claim::Present);
        }
        all.insert(skeleton(&self.tag), Claim::Present);
        all
    }
}

/// All names of a list, ready to be looked up in.
struct Index<'a, K> {
    all: &'a [Named<K>],
    /// Who claims a skeleton, by position in `all`.
    claims: BTreeMap<String, BTreeMap<usize, Claim>>,
    /// Skeletons of `~tag`, with their holders.
    tags: BTreeMap<String, Vec<usize>>,
}

impl<'a, K: Ord + Copy> Index<'a, K> {
    fn new(all: &'a [Named<K>]) -> Self {
        let mut index = Index { all, claims: BTreeMap::new(), tags: BTreeMap::new() };
        for (n, named) in all.iter().enumerate() {
            for (looks, claim) in named.claims() {
                index.claims.entry(looks).or_default().insert(n, claim);
            }
            let tag = skeleton(&format!("{TAG_MARK}{}", named.tag));
            index.tags.entry(tag).or_default().push(n);
        }
        index
    }

    /// Who holds the tag that a skeleton ends in, and what stands before it.
    fn tagged<'s>(&self, looks: &'s str) -> Option<(&[usize], &'s str, &str)> {
        self.tags.iter().find_map(|(tag, holders)| {
            looks.strip_suffix(tag.as_str()).map(|base| (holders.as_slice(), base, tag.as_str()))
        })
    }

    /// Whether the bare name of `n` means it and nothing else.
    fn is_clear(&self, n: usize, named: &Named<K>) -> bool {
        let looks = skeleton(named.bare());
        match &named.own {
            // An own name is shown as it is, unless an old profile has two that look alike.
            Some(_) => !self
                .all
                .iter()
                .enumerate()
                .any(|(m, o)| m != n && o.own.as_ref().is_some_and(|o| skeleton(o) == looks)),
            None => {
                let alone = self
                    .claims
                    .get(&looks)
                    .is_some_and(|c| c.len() == 1 && c.get(&n) == Some(&Claim::Present));
                alone && self.tagged(&looks).is_none()
            }
        }
    }

    fn keys(&self, of: impl Iterator<Item = usize>) -> Vec<K> {
        of.filter_map(|n| self.all.get(n)).map(|named| named.key).collect()
    }

    /// A text that ends in a tag means the holder of that tag, or nothing (`NAME-006`).
    fn by_tag(&self, holders: &[usize], mut base: &str, tag: &str) -> Found<K> {
        let [n] = holders else { return Found::Many(self.keys(holders.iter().copied())) };
        loop {
            if base.is_empty() || self.claims.get(base).is_some_and(|c| c.contains_key(n)) {
                let mut key = self.keys(std::iter::once(*n)).into_iter();
                return key.next().map_or(Found::None, Found::One);
            }
            // A label may bear its tag twice, where somebody else's name ends in it.
            match base.strip_suffix(tag) {
                Some(shorter) => base = shorter,
                None => return Found::None,
            }
        }
    }

    /// A text without a tag means the one that looks like it, if nothing else does or did
    /// (`NAME-007`, `NAME-008`).
    fn by_looks(&self, looks: &str) -> Found<K> {
        let Some(claims) = self.claims.get(looks) else { return Found::None };
        let keys = self.keys(claims.keys().copied());
        let present = claims.values().any(|c| *c == Claim::Present);
        match keys.as_slice() {
            [key] if present => Found::One(*key),
            _ if present => Found::Many(keys),
            _ => Found::Formerly(keys),
        }
    }
}

/// The name to show for each: unique, and typed as it stands it resolves to what it is shown for.
///
/// Own names are shown as they are (`NAME-002`). A given name that looks like any present or former
/// name of another gets `~tag` (`NAME-004`).
#[must_use]
pub fn labels<K: Ord + Copy>(all: &[Named<K>]) -> BTreeMap<K, String> {
    let index = Index::new(all);
    let mut labels = BTreeMap::new();
    let mut used = BTreeSet::new();
    let (clear, unclear): (Vec<_>, Vec<_>) =
        all.iter().enumerate().partition(|(n, named)| index.is_clear(*n, named));
    for (_, named) in clear {
        used.insert(skeleton(named.bare()));
        labels.insert(named.key, named.bare().to_owned());
    }
    for (_, named) in unclear {
        let mut label = named.bare().to_owned();
        loop {
            label = format!("{label}{TAG_MARK}{}", named.tag);
            // Each round makes it longer, so it is unlike all others at last.
            if used.insert(skeleton(&label)) {
                break;
            }
        }
        labels.insert(named.key, label);
    }
    labels
}

/// What a person means who typed this.
///
/// Whatever others choose as titles and nicks, before or after: a text that resolved to one
/// conversation never resolves to another until the user renames something.
#[must_use]
pub fn resolve<K: Ord + Copy>(all: &[Named<K>], typed: &str) -> Found<K> {
    let typed = typed.trim();
    let mut exact = all.iter().filter(|n| n.own.as_deref() == Some(typed)).map(|n| n.key);
    match (exact.next(), exact.next()) {
        (Some(key), None) => return Found::One(key),
        (Some(key), Some(other)) => {
            return Found::Many([key, other].into_iter().chain(exact).collect());
        }
        (None, _) => {}
    }
    let looks = skeleton(typed);
    if looks.is_empty() {
        return Found::None;
    }
    let index = Index::new(all);
    match index.tagged(&looks) {
        Some((holders, base, tag)) => index.by_tag(holders, base, tag),
        None => index.by_looks(&looks),
    }
}

#[cfg(test)]
mod tests;
