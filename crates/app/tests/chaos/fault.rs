//! Faults, and how they are drawn.

use std::fmt;

use super::{EPOCH, NAMES, RELAYS};

/// Numbers from a seed (SplitMix64).
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("below n")
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Directory,
    Relay(usize),
    Hub,
    Client(usize),
}

impl Who {
    pub(super) fn all() -> impl Iterator<Item = Who> {
        let relays = (1..=RELAYS).map(Who::Relay);
        [Who::Directory, Who::Hub].into_iter().chain(relays).chain(Who::clients())
    }

    pub(super) fn clients() -> impl Iterator<Item = Who> {
        (0..NAMES.len()).map(Who::Client)
    }

    /// The name of its role or client, and of its machine.
    pub(super) fn name(self) -> String {
        match self {
            Who::Directory => "directory".to_owned(),
            Who::Relay(n) => format!("relay-{n}"),
            Who::Hub => "hub".to_owned(),
            Who::Client(n) => NAMES[n].0.to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL, and a new start after so many seconds.
    Kill(Who, u64),
    /// SIGSTOP for so many seconds. Clocks go on: for a client it is a sleeping laptop.
    Hang(Who, u64),
    /// SIGKILL, and a new start on another port.
    Move(Who),
    /// The clock is wrong for so many seconds.
    Clock(Who, &'static str, u64),
    /// All nodes but the directory are killed and start again.
    Blackout,
    /// A machine's cable is pulled for so many seconds.
    Cable(Who, u64),
    /// These are apart from all others for so many seconds.
    Halves(Vec<Who>, u64),
    /// One machine, or all, lose so many percent of what comes in, for so many seconds.
    Loss(Option<Who>, u8, u64),
    /// A machine gets another address; a node is started again on it.
    Address(Who),
    /// No room on a node's disk for so many seconds.
    Full(Who, u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &Who| who.name();
        match self {
            Fault::Kill(who, s) => write!(f, "{} killed, back after {s} s", name(who)),
            Fault::Hang(who, s) => write!(f, "{} stopped for {s} s", name(who)),
            Fault::Move(who) => write!(f, "{} moved", name(who)),
            Fault::Clock(who, by, s) => write!(f, "clock of {} {by} for {s} s", name(who)),
            Fault::Blackout => f.write_str("all relays and the hub killed"),
            Fault::Cable(who, s) => write!(f, "{} without its cable for {s} s", name(who)),
            Fault::Halves(apart, s) => {
                let names: Vec<String> = apart.iter().map(name).collect();
                write!(f, "{} apart for {s} s", names.join(", "))
            }
            Fault::Loss(who, percent, s) => {
                let who = who.map_or_else(|| "all".to_owned(), Who::name);
                write!(f, "{who} lose {percent} % for {s} s")
            }
            Fault::Address(who) => write!(f, "{} has another address", name(who)),
            Fault::Full(who, s) => write!(f, "disk of {} full for {s} s", name(who)),
        }
    }
}

/// Draws a fault that lasts `longest` seconds at most. Those of wires and disks need machines of
/// their own.
pub(super) fn fault(draw: &mut Draw, longest: usize, machines: bool) -> Fault {
    let relay = Who::Relay(draw.below(RELAYS) + 1);
    let node = draw.one(&[relay, Who::Hub]);
    let client = Who::Client(draw.below(NAMES.len()));
    let seconds = |draw: &mut Draw, most: usize| draw.below(most.min(longest)) as u64 + 1;
    match draw.below(if machines { 16 } else { 9 }) {
        0 => Fault::Kill(node, seconds(draw, 10)),
        1 => Fault::Hang(node, seconds(draw, 60)),
        2 => Fault::Hang(client, seconds(draw, 60)),
        3 => Fault::Move(node),
        4 => {
            let by = draw.one(&["+2d", "-2d", "+1h", "-1h"]);
            Fault::Clock(draw.one(&[relay, Who::Hub, client]), by, seconds(draw, 20))
        }
        5 => Fault::Hang(Who::Directory, seconds(draw, 40)),
        6 => Fault::Kill(Who::Directory, 2 * EPOCH),
        7 => Fault::Blackout,
        8 => Fault::Kill(relay, seconds(draw, 60)),
        9 => Fault::Cable(node, seconds(draw, 60)),
        10 => Fault::Cable(draw.one(&[client, Who::Directory]), seconds(draw, 60)),
        11 => {
            let apart = Who::all().filter(|_| draw.below(2) == 0).collect();
            Fault::Halves(apart, seconds(draw, 60))
        }
        12 => {
            let who = [None, Some(node), Some(client)][draw.below(3)];
            let percent = draw.one(&[5, 10, 20]);
            Fault::Loss(who, percent, seconds(draw, 40))
        }
        13 => Fault::Address(node),
        14 => Fault::Address(client),
        _ => Fault::Full(node, seconds(draw, 90)),
    }
}
