//! How many packets a link carries: `cargo run --release -p net --example throughput [PACKETS]`.
//!
//! One thread does everything: sealing, sending, receiving and opening, so that the figure is what
//! one core does as a relay that takes each packet in and sends it on, mixing excepted.

use std::time::Instant;

use net::{Identity, LinkLimits, Listener, ListenerLimits, connect};
use wire::Frame;

const LEN: usize = 14_500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let packets: u32 = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let me = Identity::generate(&mut rand::rng());
    let listener =
        Listener::bind(([127, 0, 0, 1], 0).into(), &me, ListenerLimits::default()).await?;
    let limits = LinkLimits::default();
    let (link, incoming) = tokio::join!(
        connect(listener.local_addr().into(), me.node_id(), None, &limits),
        listener.accept()
    );
    let (_reader, mut writer) = link?.split();
    let (mut reader, _writer) = incoming?.link.split();
    let started = Instant::now();
    let sending = async {
        for n in 0..packets {
            writer.feed(&Frame::Packet { epoch: n, packet: vec![7; LEN] }).await?;
        }
        writer.flush().await
    };
    let receiving = async {
        for _ in 0..packets {
            reader.read().await?;
        }
        Ok::<_, net::Error>(())
    };
    tokio::try_join!(sending, receiving)?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = f64::from(packets) / seconds;
    println!(
        "{packets} packets of {LEN} B in {seconds:.2} s: {rate:.0}/s, {:.0} MB/s, both ends on one core",
        rate * LEN as f64 / 1e6
    );

    let started = Instant::now();
    let rounds = 200;
    for _ in 0..rounds {
        let (link, incoming) = tokio::join!(
            connect(listener.local_addr().into(), me.node_id(), Some(&me), &limits),
            listener.accept()
        );
        let _ = (link?, incoming?);
    }
    let each = started.elapsed().as_secs_f64() / f64::from(rounds);
    println!("one handshake, both ends and both keys: {:.0} us", each * 1e6);
    Ok(())
}
