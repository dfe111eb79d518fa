//! Who is near: beacons to send, beacons received, whom to dial, and people who are visible to
//! everybody.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use rand_core::CryptoRng;
use wire::mesh::Proof;
use wire::{NodeId, Timestamp};

use crate::beacon::{self, Beacon, TOKENS};
use crate::pair::{Account, Pair, Spot, Standing};

/// Least time between two beacons, ms. A random time of up to a fifth is added.
pub(crate) const BEACON_MS: u64 = 4_500;
const BEACON_SPAN_MS: u64 = 1_000;
/// After how long a silence a visible person is considered gone, ms.
pub const NEARBY_MS: u64 = 30_000;
/// Most visible people that are remembered. The one silent for longest gives way.
const MAX_NEARBY: usize = 256;
/// Least time between two attempts to dial a contact, ms.
const REDIAL_MS: u64 = 4_000;
/// How long the second of two contacts waits to be dialled by the first, before it dials itself,
/// ms.
const PATIENCE_MS: u64 = 2_000;
/// Most beacons that are processed in a second, since each costs a hash for every contact.
const BEACONS_PER_SECOND: u32 = 200;

/// A contact to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Who should be there.
    pub account: Account,
    /// Where to dial.
    pub spot: Spot,
}

/// A person who is visible to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// The name as received, not sanitized yet.
    pub name: wire::Sensitive<String>,
    /// Where to knock.
    pub spot: Spot,
    /// When they were last heard.
    pub heard: Timestamp,
}

/// The contact who has proved to be at the other end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The contact.
    pub account: Account,
    /// What they are to us.
    pub standing: Standing,
    /// Whether this node has the first of the pair's two roles.
    pub first: bool,
}

impl From<&Pair> for Known {
    fn from(pair: &Pair) -> Self {
        Known { account: pair.account, standing: pair.standing, first: pair.first }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Met {
    /// When it was first heard since the last link.
    since: Timestamp,
    dialled: Option<Timestamp>,
    links: u32,
}

/// What to do after a beacon.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whom to dial now.
    pub dial: Vec<Dial>,
    /// Whether to send a beacon soon, since a contact is there who may not have heard this node
    /// yet.
    pub answer: bool,
    /// Where a visible person is, and whether they are new; `None` for a beacon without a name.
    pub shown: Option<(Spot, bool)>,
}

/// Finds contacts and visible people on the LAN.
pub struct Discovery {
    me: NodeId,
    pairs: Vec<Pair>,
    cursor: usize,
    met: HashMap<Account, Met>,
    shown: Option<(String, Timestamp)>,
    nearby: VecDeque<Nearby>,
    second: u64,
    looked: u32,
    answered: HashSet<Account>,
}

impl Discovery {
    /// `me` is the key that this node's links prove. It must be drawn at each start: a lasting key
    /// would let everybody on the LAN recognise the device.
    #[must_use]
    pub fn new(me: NodeId) -> Self {
        Discovery {
            me,
            pairs: Vec::new(),
            cursor: 0,
            met: HashMap::new(),
            shown: None,
            nearby: VecDeque::new(),
            second: 0,
            looked: 0,
            answered: HashSet::new(),
        }
    }

    /// Sets the pairs to look for.
    pub fn set_pairs(&mut self, pairs: Vec<Pair>) {
        let known: HashSet<Account> = pairs.iter().map(|p| p.account).collect();
        self.met.retain(|account, met| known.contains(account) || met.links > 0);
        self.answered.retain(|account| known.contains(account));
        self.pairs = pairs;
    }

    /// Whether there is a reason to send beacons: contacts, or being visible.
    #[must_use]
    pub fn has_business(&self, now: Timestamp) -> bool {
        !self.pairs.is_empty() || self.is_shown(now)
    }

    /// Makes this node visible to everybody under `name`, until `until`.
    pub fn show(&mut self, name: &str, until: Timestamp) {
        self.shown = Some((name.to_owned(), until));
    }

    /// Ends being visible.
    pub fn hide(&mut self) {
        self.shown = None;
    }

    /// Whether this node is visible to everybody.
    #[must_use]
    pub fn is_shown(&self, now: Timestamp) -> bool {
        self.shown.as_ref().is_some_and(|(_, until)| *until > now)
    }

    /// Starts the next round of beacons and returns when the one after it is due. If there are more
    /// contacts than fit into a beacon, they take turns.
    pub fn next_round(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Timestamp {
        let step = if self.pairs.len() > TOKENS { TOKENS } else { 0 };
        self.cursor =
            self.cursor.saturating_add(step).checked_rem(self.pairs.len().max(1)).unwrap_or(0);
        self.answered.clear();
        now.plus_millis(
            BEACON_MS.saturating_add(rng.next_u64().checked_rem(BEACON_SPAN_MS).unwrap_or(0)),
        )
    }

    /// This round's beacon for a datagram from `ip`, where this node listens at `port`.
    #[must_use]
    pub fn beacon(
        &self,
        now: Timestamp,
        ip: IpAddr,
        port: u16,
        rng: &mut dyn CryptoRng,
    ) -> Vec<u8> {
        let turn: Vec<&Pair> = self
            .pairs
            .iter()
            .cycle()
            .skip(self.cursor)
            .take(TOKENS.min(self.pairs.len()))
            .collect();
        let name =
            self.shown.as_ref().filter(|(_, until)| *until > now).map(|(name, _)| name.as_str());
        beacon::write(now, &Spot { ip, port, key: self.me }, &turn, name, rng)
    }

    /// Takes a datagram that came from `ip`.
    pub fn on_datagram(&mut self, now: Timestamp, ip: IpAddr, bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        if !self.has_time(now) {
            return heard;
        }
        let Some(beacon) =
            Beacon::parse(bytes).filter(|b| b.key != self.me && b.port != 0 && b.is_timely(now))
        else {
            return heard;
        };
        let spot = beacon.spot(ip);
        let known: Vec<(Account, bool)> = self
            .pairs
            .iter()
            .filter(|pair| beacon.tokens.contains(&pair.token(false, beacon.slot, &spot)))
            .map(|pair| (pair.account, pair.first))
            .collect();
        for (account, first) in known {
            if let Some(dial) = self.met(now, account, first, spot) {
                heard.dial.push(dial);
            }
            heard.answer |= self.met.get(&account).is_some_and(|m| m.links == 0)
                && self.answered.insert(account);
        }
        if let Some(name) = beacon.name {
            heard.shown = Some((spot, self.note_nearby(now, name, spot)));
        }
        heard
    }

    fn has_time(&mut self, now: Timestamp) -> bool {
        let second = now.period(1_000);
        if self.second != second {
            (self.second, self.looked) = (second, 0);
        }
        self.looked = self.looked.saturating_add(1);
        self.looked <= BEACONS_PER_SECOND
    }

    /// Decides whether to dial a contact that was heard. The first of the two dials at once; the
    /// second dials if it is not dialled, so a one-way firewall does not keep the two apart.
    fn met(&mut self, now: Timestamp, account: Account, first: bool, spot: Spot) -> Option<Dial> {
        let met = self.met.entry(account).or_insert(Met { since: now, dialled: None, links: 0 });
        if met.links > 0 || met.dialled.is_some_and(|at| now.millis_since(at) < REDIAL_MS) {
            return None;
        }
        if !first && now.millis_since(met.since) < PATIENCE_MS {
            return None;
        }
        met.dialled = Some(now);
        Some(Dial { account, spot })
    }

    fn note_nearby(&mut self, now: Timestamp, name: String, spot: Spot) -> bool {
        let before = self.nearby.len();
        self.nearby.retain(|n| n.spot.key != spot.key);
        let new = self.nearby.len() == before;
        if self.nearby.len() >= MAX_NEARBY {
            self.nearby.pop_front();
        }
        self.nearby.push_back(Nearby { name: wire::Sensitive(name), spot, heard: now });
        new
    }

    /// Visible people, the one heard last at the end.
    pub fn nearby(&mut self, now: Timestamp) -> impl Iterator<Item = &Nearby> {
        self.nearby.retain(|n| now.millis_since(n.heard) < NEARBY_MS);
        self.nearby.iter()
    }

    /// Notes that there is a link with this account.
    pub fn linked(&mut self, account: Account) {
        let met = self.met.entry(account).or_default();
        met.links = met.links.saturating_add(1);
    }

    /// Notes that the link with this account is gone.
    pub fn unlinked(&mut self, now: Timestamp, account: Account) {
        if let Some(met) = self.met.get_mut(&account) {
            met.links = met.links.saturating_sub(1);
            (met.since, met.dialled) = (now, None);
        }
    }

    /// The proof to send first on a link that this node dialled.
    #[must_use]
    pub fn greeting(&self, account: Account, listener: &NodeId) -> Option<Proof> {
        let pair = self.pairs.iter().find(|p| p.account == account)?;
        Some(pair.proof(true, &self.me, listener))
    }

    /// Recognises who dialled, by the proof that came first. Returns the proof to answer with, or
    /// `None` for a stranger.
    #[must_use]
    pub fn recognise(&self, shown: &Proof, dialler: &NodeId) -> Option<(Known, Proof)> {
        let pair = self.pairs.iter().find(|p| p.proves(shown, dialler, &self.me))?;
        Some((pair.into(), pair.proof(true, dialler, &self.me)))
    }

    /// Checks the answer on a link that this node dialled.
    #[must_use]
    pub fn confirms(&self, account: Account, shown: &Proof, listener: &NodeId) -> Option<Known> {
        let pair = self.pairs.iter().find(|p| p.account == account)?;
        pair.proves(shown, &self.me, listener).then_some(pair.into())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::pair::tests::pair_of;

    struct World {
        now: Timestamp,
        rng: ChaCha20Rng,
        ann: Discovery,
        ben: Discovery,
    }

    const ANN: &str = "10.0.0.1";
    const BEN: &str = "10.0.0.2";

    fn key(n: u8) -> NodeId {
        NodeId::new([n; 32])
    }

    fn world() -> World {
        let (first, second) = pair_of(5);
        let (mut ann, mut ben) = (Discovery::new(key(1)), Discovery::new(key(2)));
        ann.set_pairs(vec![first]);
        ben.set_pairs(vec![pair_of(8).0, second]);
        let now = Timestamp::from_millis(1_800_000_000_000);
        World { now, rng: ChaCha20Rng::seed_from_u64(3), ann, ben }
    }

    impl World {
        fn ann_calls(&mut self) -> Vec<u8> {
            self.ann.beacon(self.now, ANN.parse().unwrap(), 45_454, &mut self.rng)
        }
        fn ben_hears(&mut self, from: &str, bytes: &[u8]) -> Heard {
            self.ben.on_datagram(self.now, from.parse().unwrap(), bytes)
        }
    }

    //= MESH-003
    #[test]
    fn the_first_of_two_dials_at_once_and_the_second_when_no_link_comes() {
        let mut w = world();
        let call = w.ann_calls();
        let heard =
            w.ben_hears(BEN, &w.ben.beacon(w.now, BEN.parse().unwrap(), 1, &mut w.rng.clone()));
        assert_eq!(heard, Heard::default(), "our own voice");
        let heard = w.ben_hears(ANN, &call);
        assert!(heard.dial.is_empty() && heard.answer, "the second waits, and makes itself heard");
        assert!(!w.ben_hears(ANN, &call).answer, "once in a round");
        let back = w.ben.beacon(w.now, BEN.parse().unwrap(), 45_454, &mut w.rng);
        let dial = w.ann.on_datagram(w.now, BEN.parse().unwrap(), &back).dial;
        assert_eq!(dial.len(), 1);
        assert_eq!((dial[0].account, dial[0].spot.key), (Account([5; 16]), key(2)));
        assert!(
            w.ann.on_datagram(w.now, BEN.parse().unwrap(), &back).dial.is_empty(),
            "one attempt at a time"
        );
        w.now = w.now.plus_millis(PATIENCE_MS);
        assert_eq!(w.ben_hears(ANN, &call).dial.len(), 1, "no link came");
        w.now = w.now.plus_millis(REDIAL_MS);
        w.ben.linked(Account([5; 16]));
        assert!(w.ben_hears(ANN, &call).dial.is_empty(), "linked already");
        w.ben.unlinked(w.now, Account([5; 16]));
        w.now = w.now.plus_millis(PATIENCE_MS);
        assert_eq!(w.ben_hears(ANN, &call).dial.len(), 1);
    }

    //= MESH-003
    #[test]
    fn a_beacon_of_a_stranger_or_from_elsewhere_or_of_another_week_is_nobodys() {
        let mut w = world();
        let call = w.ann_calls();
        assert!(!w.ben_hears("10.0.0.66", &call).answer, "replayed from another address");
        let mut other_port = call.clone();
        other_port[4] ^= 1;
        assert!(!w.ben_hears(ANN, &other_port).answer, "another port");
        w.ben.set_pairs(vec![pair_of(9).1]);
        assert!(!w.ben_hears(ANN, &call).answer, "a stranger");
        w.ben.set_pairs(vec![pair_of(5).1]);
        w.now = w.now.plus_millis(7 * 86_400_000);
        assert!(!w.ben_hears(ANN, &call).answer, "a week later");
    }

    //= MESH-004
    #[test]
    fn both_ends_of_a_link_know_who_the_other_is_and_a_stranger_is_nobody() {
        let w = world();
        let account = Account([5; 16]);
        let greeting = w.ann.greeting(account, &key(2)).unwrap();
        let (known, answer) = w.ben.recognise(&greeting, &key(1)).unwrap();
        assert_eq!(known, Known { account, standing: Standing::Contact, first: false });
        let confirmed = w.ann.confirms(account, &answer, &key(2));
        assert_eq!(confirmed, Some(Known { account, standing: Standing::Contact, first: true }));
        assert_eq!(w.ann.confirms(account, &greeting, &key(2)), None, "thrown back");
        assert!(
            w.ben.recognise(&greeting, &key(6)).is_none(),
            "in the middle, with a key of its own"
        );
    }

    //= MESH-005
    #[test]
    fn who_shows_themselves_is_seen_by_strangers_for_half_a_minute() {
        let mut w = world();
        w.ben.set_pairs(Vec::new());
        w.ann.show("Ann", w.now.plus_millis(60_000));
        let call = w.ann_calls();
        let spot = Spot { ip: ANN.parse().unwrap(), port: 45_454, key: key(1) };
        assert_eq!(w.ben_hears(ANN, &call).shown, Some((spot, true)));
        assert_eq!(w.ben_hears(ANN, &call).shown, Some((spot, false)), "known already");
        assert_eq!(w.ben.nearby(w.now).count(), 1);
        assert_eq!(w.ben.nearby(w.now.plus_millis(NEARBY_MS)).count(), 0);
        w.now = w.now.plus_millis(60_000);
        let call = w.ann_calls();
        assert_eq!(call.len(), beacon::PRIVATE_LEN, "the time is over");
    }

    //= MESH-009
    #[test]
    fn a_flood_of_beacons_fills_nothing_without_bound() {
        let mut w = world();
        for n in 0..5_000_u32 {
            let mut liar =
                Discovery::new(NodeId::new([n.to_be_bytes(); 8].concat().try_into().unwrap()));
            liar.show("liar", Timestamp::MAX);
            let call = liar.beacon(w.now, "10.0.0.9".parse().unwrap(), 9, &mut w.rng);
            w.now = w.now.plus_millis(1);
            w.ben_hears("10.0.0.9", &call);
        }
        assert!(w.ben.nearby(w.now).count() <= MAX_NEARBY);
        assert!(w.ben.met.len() <= 2);
    }

    #[test]
    fn more_contacts_than_a_beacon_holds_take_turns() {
        let mut w = world();
        w.ann.set_pairs((0..70).map(|n| pair_of(n).0).collect());
        let mut heard = HashSet::new();
        for _ in 0..3 {
            let call = Beacon::parse(&w.ann_calls()).unwrap();
            let spot = call.spot(ANN.parse().unwrap());
            heard.extend(
                (0..70).filter(|n| {
                    call.tokens.contains(&pair_of(*n).1.token(false, call.slot, &spot))
                }),
            );
            let next = w.ann.next_round(w.now, &mut w.rng);
            assert!((BEACON_MS..BEACON_MS + BEACON_SPAN_MS).contains(&next.millis_since(w.now)));
        }
        assert_eq!(heard.len(), 70);
    }
}
