//! `tornet DIR`: a private Tor network by hand, until interrupted.

use std::path::Path;
use std::time::Duration;

use tornet::{Options, Tornet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: tornet DIR")?;
    let dir = Path::new(&dir);
    let mut network = Tornet::start(dir, &Options { exits: 2, bridges: 1, ..Options::default() })?;
    std::fs::write(dir.join("arti.toml"), network.arti_toml())?;
    std::fs::write(dir.join("torrc.client"), network.torrc_client().join("\n"))?;
    println!("SOCKS {}, control {}", network.socks(), network.control());
    println!("arti.toml and torrc.client in {}", dir.display());
    for line in network.bridge_lines().iter().chain(network.obfs4_lines()) {
        println!("Bridge {line}");
    }
    println!("onion services move in {} s", network.steady_for().as_secs());
    loop {
        network.check()?;
        std::thread::sleep(Duration::from_secs(1));
    }
}
