//! Faults drawn at random, one after the other, while people talk: kills, hangs, new addresses,
//! wrong clocks, sleep, a directory that is gone. Everything that was said arrives, once and in
//! order.
//!
//! ```text
//! cargo xtask chaos --minutes 60 --seed 7
//! ```

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use common::{Chat, Process, Role, World};

const RELAYS: usize = 4;
/// Seconds of an epoch: some pass in each fault.
const EPOCH: u64 = 15;
/// Between two lines of one talker.
const PACE: Duration = Duration::from_millis(700);
/// Longest time from the end of a fault until everybody hears everybody.
const RECOVERY: Duration = Duration::from_secs(150);

/// Numbers from a seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("below n")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Directory,
    Relay(usize),
    Hub,
    Client(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Directory => f.write_str("directory"),
            Who::Relay(n) => write!(f, "relay {n}"),
            Who::Hub => f.write_str("hub"),
            Who::Client(n) => write!(f, "{}", NAMES[*n].0),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// SIGKILL, and a new start after so many seconds.
    Kill(Who, u64),
    /// SIGSTOP for so many seconds.
    Hang(Who, u64),
    /// SIGKILL, and a new start at another address.
    Move(Who),
    /// The clock is wrong for so many seconds.
    Clock(Who, &'static str, u64),
    /// All nodes but the directory are killed and start again.
    Blackout,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(who, s) => write!(f, "{who} killed, back after {s} s"),
            Fault::Hang(who, s) => write!(f, "{who} stopped for {s} s"),
            Fault::Move(who) => write!(f, "{who} moved"),
            Fault::Clock(who, by, s) => write!(f, "clock of {who} {by} for {s} s"),
            Fault::Blackout => f.write_str("all relays and the hub killed"),
        }
    }
}

fn fault(draw: &mut Draw) -> Fault {
    let relay = Who::Relay(draw.below(RELAYS) + 1);
    let node = [relay, Who::Hub][draw.below(2)];
    let seconds = |draw: &mut Draw, most: usize| draw.below(most) as u64 + 1;
    match draw.below(9) {
        0 => Fault::Kill(node, seconds(draw, 10)),
        1 => Fault::Hang(node, seconds(draw, 40)),
        2 => Fault::Hang(Who::Client(draw.below(NAMES.len())), seconds(draw, 40)),
        3 => Fault::Move(node),
        4 | 5 => {
            let by = ["+2d", "-2d", "+1h", "-1h"][draw.below(4)];
            let who = [relay, Who::Hub, Who::Client(draw.below(NAMES.len()))][draw.below(3)];
            Fault::Clock(who, by, seconds(draw, 20))
        }
        6 => Fault::Kill(Who::Directory, 2 * EPOCH),
        7 => Fault::Hang(Who::Directory, seconds(draw, 40)),
        _ => Fault::Blackout,
    }
}

/// Who talks, and by which route.
const NAMES: [(&str, &str); 3] = [("ann", "onion"), ("ben", "onion"), ("cat", "direct")];

struct Chaos {
    world: World,
    chats: Vec<Chat>,
    /// How many lines each has said.
    said: Vec<usize>,
    spoke: Instant,
}

impl Chaos {
    fn start() -> Self {
        let world =
            World::new().relays(RELAYS).epoch(EPOCH).mean_delay(5).turnable_clocks().start();
        let chats: Vec<Chat> =
            NAMES.iter().map(|(name, route)| world.chat_with(name, &["--route", route])).collect();
        chats.iter().for_each(Chat::expect_up);
        let said = vec![0; chats.len()];
        Chaos { world, chats, said, spoke: Instant::now() }
    }

    /// Everybody says a line, when it is time.
    fn speak(&mut self) {
        if self.spoke.elapsed() >= PACE {
            self.spoke = Instant::now();
            for (chat, said) in self.chats.iter_mut().zip(&mut self.said) {
                *said += 1;
                chat.say(&format!("{} {said}", chat.nick.clone()));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    fn talk_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.speak();
        }
    }

    fn role(&mut self, who: Who) -> &mut Role {
        match who {
            Who::Directory => self.world.directory(),
            Who::Relay(n) => self.world.relay(n),
            Who::Hub => self.world.hub(),
            Who::Client(_) => unreachable!("a client is no role"),
        }
    }

    fn process(&mut self, who: Who) -> &Process {
        match who {
            Who::Client(n) => &self.chats[n].process,
            node => self.role(node).process(),
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(who, seconds) => {
                self.role(who).kill();
                self.talk_for(Duration::from_secs(seconds));
                self.is_told(who, seconds > 2);
                self.role(who).start();
            }
            Fault::Hang(who, seconds) => {
                self.process(who).signal("STOP");
                self.talk_for(Duration::from_secs(seconds));
                // Silence counts as an end after 30 s.
                self.is_told(who, seconds > 35);
                self.process(who).signal("CONT");
            }
            Fault::Move(who) => {
                self.role(who).kill();
                self.role(who).moves();
                self.role(who).start();
            }
            Fault::Clock(who, by, seconds) => {
                let name = match who {
                    Who::Client(n) => NAMES[n].0.to_owned(),
                    node => self.role(node).name.clone(),
                };
                self.world.set_clock(&name, by);
                self.talk_for(Duration::from_secs(seconds));
                self.world.set_clock(&name, "+0");
            }
            Fault::Blackout => {
                let all = (1..=RELAYS).map(Who::Relay).chain([Who::Hub]);
                for who in all.clone() {
                    self.role(who).kill();
                }
                self.talk_for(Duration::from_secs(3));
                for who in all {
                    self.role(who).start();
                }
            }
        }
    }

    /// Who cannot reach the hub any more does not say "connected".
    fn is_told(&self, who: Who, long_enough: bool) {
        if who != Who::Hub || !long_enough {
            return;
        }
        for (chat, _) in self.chats.iter().zip(NAMES).filter(|(_, (_, route))| *route == "direct") {
            let events = chat.events();
            let last = events.iter().rev().find(|e| e["event"] == "network");
            assert!(last.is_some_and(|e| e["up"] == false), "{}: {}", chat.nick, chat.story());
        }
    }

    /// Lines of others that a chat has shown, by who said them.
    fn heard(chat: &Chat) -> BTreeMap<String, Vec<String>> {
        let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (from, text) in chat.messages() {
            heard.entry(from).or_default().push(text);
        }
        heard
    }

    /// What each has said so far has arrived at all others.
    fn has_arrived(&self) -> bool {
        self.chats.iter().all(|reader| {
            let heard = Self::heard(reader);
            let all = self.chats.iter().zip(&self.said);
            all.filter(|(talker, _)| talker.nick != reader.nick).all(|(talker, said)| {
                heard.get(&talker.nick).is_some_and(|lines| lines.len() >= *said)
            })
        })
    }

    /// Time until everything that was said has arrived. Nobody says more meanwhile.
    fn recover(&mut self, since: Instant) -> Result<Duration, String> {
        let count = |chaos: &Chaos| -> String {
            let of = |chat: &Chat| {
                let heard = Self::heard(chat);
                let counts: Vec<String> =
                    heard.iter().map(|(n, l)| format!("{n} {}", l.len())).collect();
                format!("{} heard {}", chat.nick, counts.join(", "))
            };
            let all: Vec<String> = chaos.chats.iter().map(of).collect();
            format!("said {:?}; {}", chaos.said, all.join("; "))
        };
        while !self.has_arrived() {
            if since.elapsed() > RECOVERY {
                let stories: Vec<String> = self.chats.iter().map(Chat::story).collect();
                return Err(format!("{}\n{}", count(self), stories.join("\n")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(since.elapsed())
    }

    /// Once each, and in order.
    fn check(&self) {
        for reader in &self.chats {
            for (talker, lines) in Self::heard(reader) {
                let expected: Vec<String> =
                    (1..=lines.len()).map(|n| format!("{talker} {n}")).collect();
                assert_eq!(lines, expected, "{} heard {talker}", reader.nick);
            }
        }
    }
}

/// A number from the environment.
#[allow(clippy::disallowed_methods, reason = "a test takes its length and seed from outside")]
fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn whatever_happens_to_a_network_everything_arrives_once_and_in_order() {
    let time = Duration::from_secs(given("CHAOS_SECONDS", 120));
    let seed = given("CHAOS_SEED", 1);
    let mut draw = Draw(seed);
    let mut chaos = Chaos::start();
    let begun = Instant::now();
    let mut table = Vec::new();
    chaos.talk_for(Duration::from_secs(3));
    while begun.elapsed() < time {
        let fault = fault(&mut draw);
        println!("{:>5} s  {fault}", begun.elapsed().as_secs());
        chaos.strike(fault);
        let since = Instant::now();
        chaos.talk_for(Duration::from_secs(2));
        match chaos.recover(since) {
            Ok(after) => table.push((fault, after)),
            Err(state) => panic!("seed {seed}: {fault}: not recovered after {RECOVERY:?}: {state}"),
        }
        chaos.check();
    }
    println!("seed {seed}, {} faults, {} lines", table.len(), chaos.said.iter().sum::<usize>());
    for (fault, after) in &table {
        println!("{:>6.1} s  {fault}", after.as_secs_f64());
    }
}
