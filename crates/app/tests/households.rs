//! Three networks of three households each, on one internet: every home is behind a router with
//! NAT, hubs and some relays are at home on forwarded ports, other relays only dial, and each
//! network rents one server for its directory and a relay. Providers change addresses, laptops
//! sleep, and people talk meanwhile, some of them in two of the networks.
//!
//! ```text
//! cargo xtask chaos --households --minutes 60
//! ```

mod common;

use std::time::{Duration, Instant};

use common::{Machine, Rpc, Table, World, given};
use lanlab::{Internet, Nat};

/// Networks, and homes in each.
const NETWORKS: usize = 3;
const HOMES: usize = 3;
/// Homes of a network whose routers forward ports, the first ones: the relays of the others only
/// dial.
const OPEN: usize = 2;
/// What each home has: something small that always runs, and a laptop.
const NODE: usize = 0;
const LAPTOP: usize = 1;
/// Between two lines of one person.
const PACE: Duration = Duration::from_secs(2);
/// Longest time until everybody hears everybody again.
const RECOVERY: Duration = Duration::from_secs(120);

/// Who lives where, home by home.
const NAMES: [&str; NETWORKS * HOMES] =
    ["ann", "ben", "cat", "dan", "eve", "fay", "gil", "hal", "ida"];

struct Country {
    internet: Internet,
    networks: Vec<World>,
    table: Table,
    files: tempfile::TempDir,
    spoke: Instant,
}

/// The number of a home on the internet.
fn home(network: usize, home: usize) -> usize {
    network * HOMES + home
}

/// A network: directory and first relay at the server, a relay in each home, the hub in the first.
fn network(internet: &Internet, number: usize, epoch: u64) -> World {
    let server = Machine::from(internet.host(number));
    let node = |at: usize| {
        let home = internet.home(home(number, at));
        let machine = Machine::from(home.machine(NODE));
        if at < OPEN { machine.behind(home.router().v4()) } else { machine }
    };
    let named = |name: &str, machine: Machine| (name.to_owned(), machine);
    let places =
        [named("directory", server.clone()), named("hub", node(0)), named("relay-1", server)];
    let at_home = (0..HOMES).map(|at| (format!("relay-{}", at + 2), node(at)));
    let settings = World::new().defaults().relays(1 + HOMES).dials_only(HOMES - OPEN).epoch(epoch);
    let mut world = settings.on(places.into_iter().chain(at_home)).plan();
    internet.home(home(number, 0)).forward(NODE, world.hub().port);
    for at in 0..OPEN {
        internet.home(home(number, at)).forward(NODE, world.relay(at + 2).port);
    }
    world.start_all();
    world.ready();
    world
}

impl Country {
    fn new(epoch: u64) -> Self {
        let internet = Internet::with(NETWORKS as u8, &[(Nat::Masquerade, 2); NETWORKS * HOMES]);
        let networks: Vec<World> =
            (0..NETWORKS).map(|number| network(&internet, number, epoch)).collect();
        let files = tempfile::tempdir().expect("a directory");
        let mut table = Table::default();
        for (at, name) in NAMES.iter().enumerate() {
            let laptop = Machine::from(internet.home(at).machine(LAPTOP));
            let more = ["--network", networks[at / HOMES].link()];
            table.seat(Rpc::create_on(&laptop, files.path(), name, &more));
        }
        for (number, world) in networks.iter().enumerate() {
            let [one, two, three] = [0, 1, 2].map(|at| home(number, at));
            table.befriend(one, two, world.link());
            table.befriend(one, three, world.link());
            table.group(&format!("street {number}"), one, &[two, three]);
            // Somebody of the next network is in this one, too.
            let guest = home((number + 1) % NETWORKS, 2);
            table.befriend(three, guest, world.link());
        }
        Country { internet, networks, table, files, spoke: Instant::now() }
    }

    fn talk_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if self.spoke.elapsed() >= PACE {
                self.spoke = Instant::now();
                self.table.speak();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A home's provider gives it another address. Whoever looks after nodes that others dial
    /// starts them again with it, a while later.
    fn readdress(&mut self, number: usize, at: usize) {
        let address = self.internet.moves(home(number, at));
        self.talk_for(Duration::from_secs(5));
        let world = &mut self.networks[number];
        if at < OPEN {
            world.relay(at + 2).moves_to(address);
            world.relay(at + 2).restart();
        }
        if at == 0 {
            world.hub().moves_to(address);
            world.hub().restart();
        }
    }

    fn recover(&mut self, after: &str) {
        let since = Instant::now();
        loop {
            let missing = self.table.missing();
            if missing.is_empty() {
                break;
            }
            let stories = || {
                let all = self.table.people.iter().map(common::Talker::story);
                all.collect::<Vec<_>>().join("\n")
            };
            assert!(since.elapsed() < RECOVERY, "{after}: {missing:#?}\n{}", stories());
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{:>6.1} s  {after}", since.elapsed().as_secs_f64());
        assert_eq!(self.table.wrong(), [""; 0], "{after}");
    }
}

#[test]
fn three_networks_of_three_households() {
    if !lanlab::available() {
        println!("SKIPPED: needs root and iproute2");
        return;
    }
    let time = Duration::from_secs(given("HOUSEHOLDS_SECONDS", 60));
    // Some epochs pass in a short run as well; a long one has them as they are by default.
    let epoch = if time < Duration::from_secs(1_200) { 20 } else { 1_200 };
    let sleep = (time / 4).min(Duration::from_secs(120));
    let mut country = Country::new(epoch);
    let begun = Instant::now();
    for round in 0.. {
        let (number, at) = (round % NETWORKS, round / NETWORKS % HOMES);
        country.readdress(number, at);
        country.talk_for(Duration::from_secs(2));
        country.recover(&format!("another address for home {at} of network {number}"));

        let laptop = home((number + 1) % NETWORKS, (at + 2) % HOMES);
        country.table.people[laptop].process().signal("STOP");
        country.talk_for(sleep);
        country.table.people[laptop].process().signal("CONT");
        country.talk_for(Duration::from_secs(2));
        country.recover(&format!("{} slept for {sleep:?}", NAMES[laptop]));

        let files = country.files.path().to_owned();
        country.table.send_file(&files, home(number, 0), home(number, 1), 30_000);
        country.recover("a file");
        if begun.elapsed() > time {
            break;
        }
    }
    country.table.check_histories();
    println!("{} lines in {:?}", country.table.lines(), begun.elapsed());
}
