//! Tors of a private network, and looks at them from outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use net::tor::{
    EngineKind, OnionIncoming, OnionService, ServiceSettings, Tor, TorDialer, TorSettings,
    Vanguards,
};
use net::{Error, Transport};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tornet::Shared;
use wire::Address;
use zeroize::Zeroizing;

/// How long what needs a descriptor, an introduction and a rendezvous may take. C tor that
/// introduces itself to a service which is just going waits up to a minute for a rendezvous that
/// does not come, and may do so twice.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_millis(200);
pub const PORT: u16 = 7000;

/// Settings of an engine that joins the network. State goes into `dir`.
pub fn settings(net: &Shared, dir: &TempDir, engine: EngineKind) -> TorSettings {
    let mut settings = TorSettings::new(dir.path().to_owned());
    settings.engine = engine;
    match engine {
        EngineKind::Arti => settings.arti_toml = Some(net.arti_toml().to_owned()),
        EngineKind::System => {
            settings.socks = Some(net.socks());
            settings.control = Some(net.control());
        }
        EngineKind::Private => {
            settings.torrc = net.torrc_client().to_vec();
            // C tor picks this layer before it knows any relay, and then waits for the next
            // consensus.
            settings.vanguards = Vanguards::Off;
        }
    }
    settings
}

/// An engine that is ready. Its directory lives as long.
pub async fn start(net: &Shared, engine: EngineKind) -> (Tor, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let tor = Tor::start(settings(net, &dir, engine)).await.unwrap();
    eventually("ready", tor.ready()).await.unwrap();
    (tor, dir)
}

/// What to publish: another service each time, since directories remember old ones.
pub fn service() -> ServiceSettings {
    ServiceSettings { seed: Zeroizing::new(rand::random()), ports: vec![PORT], clients: Vec::new() }
}

/// A service that sends back what it gets.
pub async fn echo(tor: &Tor, settings: ServiceSettings) -> OnionService {
    let mut service = eventually("published", tor.publish(settings)).await.unwrap();
    tokio::spawn(send_back(service.take(PORT).unwrap()));
    service
}

async fn send_back(mut incoming: OnionIncoming) {
    while let Some(stream) = incoming.recv().await {
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(stream);
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = read.read(&mut buffer).await {
                if write.write_all(&buffer[..n]).await.is_err() || write.flush().await.is_err() {
                    break;
                }
            }
        });
    }
}

/// Dials until it works: a descriptor may need some seconds to be where clients look.
pub async fn dial(dialer: &TorDialer, to: Address) -> Box<dyn Transport> {
    until("dialled", async || dialer.dial(to).await).await
}

/// Repeats what fails until it works.
pub async fn until<T>(what: &str, mut tried: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let started = Instant::now();
    loop {
        match tried().await {
            Ok(done) => return done,
            Err(error) if started.elapsed() > PATIENCE => panic!("{what}: {error}"),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Fails loudly instead of hanging.
pub async fn eventually<T>(what: &str, done: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(done) => done,
        Err(_) => panic!("not {what} in time"),
    }
}

/// Whether one byte comes back: a circuit to a service that is gone may still take streams.
pub async fn round_trip(stream: &mut (impl Transport + ?Sized)) -> Result<(), Error> {
    let trip = async {
        stream.write_all(b"?").await?;
        stream.flush().await?;
        stream.read_exact(&mut [0]).await
    };
    match tokio::time::timeout(Duration::from_secs(10), trip).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Error::Broken),
    }
}

/// Bytes go there and come back.
pub async fn goes_both_ways(stream: &mut (impl Transport + ?Sized)) {
    let sent: Vec<u8> = (0..20_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut back = vec![0; sent.len()];
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = async {
        write.write_all(&sent).await.unwrap();
        write.flush().await.unwrap();
    };
    let receiving = async { read.read_exact(&mut back).await.map(|_| ()).unwrap() };
    eventually("echoed", async { tokio::join!(sending, receiving) }).await;
    assert_eq!(sent, back);
}

/// The processes whose command line names `dir`.
pub fn processes(dir: &TempDir) -> Vec<u32> {
    let name = dir.path().to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(name)
    })
    .collect()
}

/// The children of this process whose program has this name.
pub fn children(name: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let of_ours = format!("\nPPid:\t{}\n", std::process::id());
    pids.filter(|pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.starts_with(&format!("Name:\t{name}\n")) && status.contains(&of_ours)
    })
    .collect()
}

/// Where the connections of a process lead, as the kernel has it.
pub fn peers(pid: u32) -> BTreeSet<SocketAddr> {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|fd| std::fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let connections = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // Local, remote, state (1 is established), … inode.
        let &[_, _, remote, "01", _, _, _, _, _, inode, ..] = fields.as_slice() else {
            return None;
        };
        sockets.contains(&format!("socket:[{inode}]")).then(|| address(remote))
    });
    connections.collect()
}

/// `0100007F:1F90` is 127.0.0.1:8080, on a machine that stores the low byte first.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).unwrap().to_ne_bytes());
    SocketAddr::new(IpAddr::V4(ip), u16::from_str_radix(port, 16).unwrap())
}
