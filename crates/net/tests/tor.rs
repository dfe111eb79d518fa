//! Both engines of Tor on a private network: real authorities, relays and directories, all on
//! loopback.

mod common;

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use common::identity;
use common::tor::*;
use net::tor::{ClientKey, EngineKind, PluggableTransport, Tor, TorError, TorSettings, onion_name};
use net::{
    Dialer, Error, LinkLimits, Listener, ListenerLimits, Outbound, OutboundConfig, Proxy, Status,
    connect_with,
};
use wire::{Address, Frame, Sensitive};
use zeroize::Zeroizing;

tornet::supervisor!();

const BOTH: [EngineKind; 2] = [EngineKind::Arti, EngineKind::System];

/// The network, or the end of the test where there is no tor.
macro_rules! network {
    () => {
        match tokio::task::spawn_blocking(tornet::shared).await.unwrap() {
            Some(network) => network,
            None => return,
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn arti_hosts_and_every_engine_dials() {
    let network = network!();
    let dir = tempfile::tempdir().unwrap();
    let host = Tor::start(settings(&network, &dir, EngineKind::Arti)).await.unwrap();
    let mut status = host.status();
    let mut seen = Vec::new();
    eventually("ready", async {
        while !status.borrow_and_update().ready {
            seen.push(status.borrow().percent);
            status.changed().await.unwrap();
        }
    })
    .await;
    assert!(seen.is_sorted() && seen.first() < Some(&100), "{seen:?}");
    assert!(!host.status().borrow().blocked);

    let settings = service();
    let name = onion_name(&settings.seed);
    let service = echo(&host, settings.clone()).await;
    assert_eq!(service.name(), name);
    for engine in BOTH {
        let (tor, _dir) = start(&network, engine).await;
        let mut stream = dial(&tor.dialer(), service.address(PORT)).await;
        goes_both_ways(&mut *stream).await;
    }
    // A port that is none of the service's is no way in.
    let (tor, _dir) = start(&network, EngineKind::System).await;
    assert!(tor.dialer().dial(service.address(PORT + 1)).await.is_err());
    // The same key can be published again.
    drop(service);
    let service = echo(&host, settings).await;
    assert_eq!(service.name(), name);
    until("dialled again", async || {
        tor.renew();
        round_trip(&mut *tor.dialer().dial(service.address(PORT)).await?).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_runs_over_an_onion_service() {
    let network = network!();
    let (host, _dir) = start(&network, EngineKind::Arti).await;
    let mut service = host.publish(service()).await.unwrap();
    let incoming = service.take(PORT).unwrap();
    let listener =
        Listener::onion(incoming, &identity(1), ListenerLimits::default()).await.unwrap();
    let accepting = tokio::spawn(async move {
        let incoming = listener.accept().await.unwrap();
        assert_eq!(incoming.peer, Some(identity(2).node_id()));
        let (mut reader, mut writer) = incoming.link.split();
        while let Ok(Some(frame)) = reader.read().await {
            writer.send(&frame).await.unwrap();
        }
    });
    let dialer = Dialer::Tor(host.dialer());
    let limits = LinkLimits { handshake_timeout: Duration::from_secs(30), ..LinkLimits::default() };
    let (expect, me) = (identity(1).node_id(), identity(2));
    let to = service.address(PORT);
    let link =
        until("linked", async || connect_with(&dialer, to, expect, Some(&me), &limits).await).await;
    assert_eq!(link.peer(), Some(expect));
    let (mut reader, mut writer) = link.split();
    let frame = Frame::Packet { epoch: 7, packet: vec![9; 9000] };
    writer.send(&frame).await.unwrap();
    assert_eq!(eventually("answered", reader.read()).await, Ok(Some(frame)));
    writer.close().await.unwrap();
    eventually("closed", accepting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_tor_hosts_and_arti_dials() {
    let network = network!();
    let (host, _host) = start(&network, EngineKind::System).await;
    let settings = service();
    let name = onion_name(&settings.seed);
    let service = echo(&host, settings.clone()).await;
    assert_eq!(service.name(), name);
    let (arti, _arti) = start(&network, EngineKind::Arti).await;
    let mut stream = dial(&arti.dialer(), service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;
    // Gone when it is dropped: tor publishes no key twice.
    drop(service);
    let service = echo(&host, settings).await;
    assert_eq!(service.name(), name);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_running_tor_is_said() {
    let network = network!();
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = settings(&network, &dir, EngineKind::System);
    wrong.password = Some(Sensitive("not the password".to_owned()));
    let tor = Tor::start(wrong).await.unwrap();
    assert_eq!(tor.publish(service()).await.err(), Some(Error::Tor(TorError::ControlAuth)));

    // A port that was free a moment ago.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut none = settings(&network, &dir, EngineKind::System);
    none.socks = Some(nobody);
    assert_eq!(Tor::start(none).await.err(), Some(Error::Tor(TorError::NoSocks)));

    // Without its control port a running tor still dials, but cannot host.
    let mut uncontrolled = settings(&network, &dir, EngineKind::System);
    uncontrolled.control = Some(nobody);
    let tor = Tor::start(uncontrolled).await.unwrap();
    eventually("ready", tor.ready()).await.unwrap();
    assert_eq!(tor.publish(service()).await.err(), Some(Error::Tor(TorError::NoControl)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_tor_that_is_killed_comes_back_with_its_service() {
    let network = network!();
    let (private, dir) = start(&network, EngineKind::Private).await;
    let service = echo(&private, service()).await;
    let (arti, _arti) = start(&network, EngineKind::Arti).await;
    let dialer = arti.dialer();
    let mut stream = dial(&dialer, service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;

    let [pid] = processes(&dir)[..] else { panic!("one tor of this test runs") };
    let mut status = private.status();
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
    eventually("noticed", status.wait_for(|s| !s.ready)).await.unwrap();
    eventually("ready again", private.ready()).await.unwrap();
    assert!(processes(&dir).iter().all(|p| *p != pid));
    // The same name, on new introduction points.
    let mut stream = until("published again", async || {
        arti.renew();
        let mut stream = dialer.dial(service.address(PORT)).await?;
        round_trip(&mut *stream).await?;
        Ok(stream)
    })
    .await;
    goes_both_ways(&mut *stream).await;
    // And it dials what itself hosts.
    let mut stream = dial(&private.dialer(), service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;
    drop((stream, service, private));
    eventually("ended with us", async {
        while !processes(&dir).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_does_not_find_a_restricted_service() {
    let network = network!();
    let (arti, _arti) = start(&network, EngineKind::Arti).await;
    let (system, _system) = start(&network, EngineKind::System).await;
    for (host, guest) in [(&arti, &system), (&system, &arti)] {
        let mut settings = service();
        let key = ClientKey::new(onion_name(&settings.seed), Zeroizing::new(rand::random()));
        settings.clients = vec![key.public().unwrap()];
        let service = echo(host, settings).await;
        let refused = guest.dialer().dial(service.address(PORT)).await.err();
        let expected =
            [TorError::OnionKey, TorError::OnionUnreachable].map(|e| Some(Error::Tor(e)));
        assert!(expected.contains(&refused), "{refused:?}");
        // Another key does not help.
        guest.add_client_key(key).await.unwrap();
        let mut stream = dial(&guest.dialer(), service.address(PORT)).await;
        goes_both_ways(&mut *stream).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dialers_share_no_circuit() {
    let network = network!();
    let (host, _host) = start(&network, EngineKind::Arti).await;
    let service = echo(&host, service()).await;
    let (tor, _tor) = start(&network, EngineKind::System).await;
    let (one, other) = (tor.dialer(), tor.dialer());
    let mut streams = vec![dial(&one, service.address(PORT)).await];
    streams.push(dial(&one.clone(), service.address(PORT)).await);
    streams.push(dial(&other, service.address(PORT)).await);
    tor.renew();
    streams.push(dial(&one, service.address(PORT)).await);
    // "7 SUCCEEDED 12 NAME.onion:7000 …": stream, state, circuit, target, in the order of opening.
    let name = service.name().to_string();
    let mut control = network.ask_client().unwrap();
    let status = control.ask("GETINFO stream-status").unwrap();
    let mut circuits: Vec<(u64, u64)> = status
        .iter()
        .filter(|line| line.contains(name.trim_end_matches(".onion")))
        .filter_map(|line| {
            let line = line.strip_prefix("stream-status=").unwrap_or(line);
            let [stream, "SUCCEEDED", circuit, ..] = line.split(' ').collect::<Vec<_>>()[..] else {
                return None;
            };
            Some((stream.parse().unwrap(), circuit.parse().unwrap()))
        })
        .collect();
    circuits.sort_unstable();
    let [a, b, c, d] = circuits[..] else { panic!("four streams: {status:?}") };
    assert_eq!(a.1, b.1, "one dialer's streams share a circuit");
    assert!(a.1 != c.1 && a.1 != d.1 && c.1 != d.1, "{circuits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_failed_is_tried_again_on_other_circuits() {
    let network = network!();
    let (host, _host) = start(&network, EngineKind::Arti).await;
    let mut service = host.publish(service()).await.unwrap();
    let mut incoming = service.take(PORT).unwrap();
    let (tor, _tor) = start(&network, EngineKind::System).await;
    let config = OutboundConfig {
        dialer: Dialer::Tor(tor.dialer()),
        backoff_max: Duration::from_secs(1),
        ..OutboundConfig::new([service.address(PORT)], identity(1).node_id(), Some(identity(2)))
    };
    let outbound = Outbound::spawn(config);
    // The first stream comes to nothing, the second is looked at.
    drop(eventually("dialled", incoming.recv()).await.unwrap());
    let _second = eventually("dialled again", incoming.recv()).await.unwrap();
    let name = service.name().to_string();
    let name = name.trim_end_matches(".onion");
    let circuits = network.ask_client().unwrap().ask("GETINFO circuit-status").unwrap();
    let to_it = circuits.iter().filter(|line| line.contains(name) && line.contains("HSCR_JOINED"));
    assert_eq!(to_it.count(), 2, "{circuits:?}");
    eventually("ended", outbound.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_move_to_new_circuits_without_being_down() {
    let network = network!();
    let (host, _host) = start(&network, EngineKind::Arti).await;
    let mut service = host.publish(service()).await.unwrap();
    let listener =
        Listener::onion(service.take(PORT).unwrap(), &identity(1), ListenerLimits::default())
            .await
            .unwrap();
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = incoming.link.split();
                while let Ok(Some(frame)) = reader.read().await {
                    writer.send(&frame).await.unwrap();
                }
            });
        }
    });
    for engine in BOTH {
        let (tor, _tor) = start(&network, engine).await;
        let config = OutboundConfig {
            dialer: Dialer::Tor(tor.dialer()),
            backoff_max: Duration::from_secs(1),
            ..OutboundConfig::new([service.address(PORT)], identity(1).node_id(), Some(identity(2)))
        };
        let mut outbound = Outbound::spawn(config);
        let mut status = outbound.status();
        eventually("up", status.wait_for(|s| s.is_up())).await.unwrap();
        for n in 1..=3 {
            outbound.try_send(Frame::Registered(n)).unwrap();
            assert_eq!(eventually("answered", outbound.recv()).await, Some(Frame::Registered(n)));
            let Status::Up(before) = *status.borrow_and_update() else { panic!("{outbound:?}") };
            tor.renew();
            eventually("moved", status.changed()).await.unwrap();
            assert_eq!(
                *status.borrow_and_update(),
                Status::Up(before + 1),
                "straight from one link to the next"
            );
        }
        eventually("ended", outbound.shutdown()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_bridge_nothing_else_is_touched() {
    let network = network!();
    let (host, _host) = start(&network, EngineKind::System).await;
    let service = echo(&host, service()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(&network, &dir, EngineKind::Arti);
    settings.bridges = network.bridge_lines().to_vec();
    let tor = Tor::start(settings).await.unwrap();
    eventually("ready", tor.ready()).await.unwrap();
    let mut stream = dial(&tor.dialer(), service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;
    // Besides the bridge, this process talks to the running tor, by its control port and its
    // streams to us.
    let peers = peers(std::process::id());
    assert!(peers.contains(&network.bridges()[0].or), "{peers:?}");
    assert!(network.guards().all(|guard| !peers.contains(&guard)), "{peers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn obfs4_carries_arti_to_a_bridge() {
    let network = network!();
    let Some(bridge) = network.bridges()[0].obfs4 else {
        assert!(std::env::var_os("CI").is_none(), "obfs4proxy is not installed");
        println!("SKIPPED: obfs4proxy is not installed");
        return;
    };
    let (host, _host) = start(&network, EngineKind::System).await;
    let service = echo(&host, service()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(&network, &dir, EngineKind::Arti);
    settings.bridges = network.obfs4_lines().to_vec();
    settings.transports =
        vec![PluggableTransport { name: "obfs4".into(), path: "/usr/bin/obfs4proxy".into() }];
    let tor = Tor::start(settings).await.unwrap();
    eventually("ready", tor.ready()).await.unwrap();
    let mut stream = dial(&tor.dialer(), service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;
    let [proxy] = children("obfs4proxy")[..] else { panic!("one obfs4proxy runs") };
    assert!(peers(proxy).contains(&bridge), "{:?}", peers(proxy));
    let peers = peers(std::process::id());
    assert!(network.guards().all(|guard| !peers.contains(&guard)), "{peers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_lead_to_addresses_unless_forbidden() {
    let network = network!();
    let listener = common::listener(ListenerLimits::default()).await;
    let to = Address::Ip(listener.local_addr());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(&network, &dir, engine);
        if let Some(toml) = &mut settings.arti_toml {
            // Which it does not do for anybody on the real network.
            toml.push_str("[address_filter]\nallow_local_addrs = true\n");
        }
        let tor = Tor::start(settings).await.unwrap();
        let dialer = Dialer::Tor(tor.dialer());
        let (expect, limits) = (identity(1).node_id(), LinkLimits::default());
        until("linked", async || connect_with(&dialer, to, expect, None, &limits).await).await;
    }
}

/// A network of which nothing answers.
const DEAD: &str = r#"
[tor_network]
fallback_caches = [
  { rsa_identity = "4523611E80ABFAD541EB9731247C62BBCDBC0F80", ed_identity = "GCQLdMA2y4Z/DgcD9TwuUPXcyPK4JT/luPKzWzBxFEE", orports = ["127.0.0.1:1"] },
]
[tor_network.authorities]
v3idents = ["31FAF8091530CA6E8C1BBDD16D731A3EAD54032B"]
uploads = [["127.0.0.1:1"]]
downloads = [["127.0.0.1:1"]]
votes = [["127.0.0.1:1"]]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_does_not_answer_is_said_to_be_blocked() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = TorSettings::new(dir.path().to_owned());
    settings.arti_toml = Some(DEAD.into());
    settings.exits = false;
    settings.blocked_after = Duration::from_millis(300);
    let tor = Tor::start(settings).await.unwrap();
    let mut status = tor.status();
    assert!(!status.borrow_and_update().blocked, "not at once");
    let blocked = eventually("blocked", status.wait_for(|s| s.blocked)).await.unwrap().clone();
    assert!(!blocked.ready && blocked.line().contains("Bridges may help"), "{}", blocked.line());
    // What is forbidden is refused at once, whether Tor is connected or not.
    let to = Address::Ip(([127, 0, 0, 1], 9).into());
    assert!(!tor.dialer().reaches(&to));
    assert_eq!(tor.dialer().dial(to).await.err(), Some(Error::Tor(TorError::NoExits)));
    let limits = LinkLimits::default();
    assert_eq!(
        Dialer::Tor(tor.dialer()).dial(to, &limits).await.err(),
        Some(Error::Tor(TorError::NoExits))
    );
}

#[tokio::test]
async fn without_tor_an_onion_address_is_out_of_reach() {
    let to = Address::Onion(onion_name(&[1; 32]), PORT);
    let refused = Dialer::Direct.dial(to, &LinkLimits::default()).await.err();
    assert_eq!(refused, Some(Error::Tor(TorError::NeedsTor)));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_proxy_in_use_tor_goes_through_it_or_does_not_start() {
    let network = network!();
    let mut proxy = std::process::Command::new("python3");
    proxy.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../app/tests/common/socks5.py"));
    let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    proxy.args(["127.0.0.1", &at.port().to_string(), "anna", "pass \"word\""]);
    let mut proxy = proxy.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(proxy.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "ready");
    let url = format!("socks5://anna:pass%20%22word%22@{at}");
    url.parse::<Proxy>().unwrap().use_for_everything().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let running = Tor::start(settings(&network, &dir, EngineKind::System)).await;
    assert_eq!(running.err(), Some(Error::Tor(TorError::NoProxy)));
    let mut bridged = settings(&network, &dir, EngineKind::Arti);
    bridged.transports =
        vec![PluggableTransport { name: "obfs4".into(), path: "/bin/true".into() }];
    let refused = Tor::start(bridged).await.err();
    assert!(matches!(refused, Some(Error::Tor(TorError::Unsupported(_)))), "{refused:?}");

    let guards: Vec<_> = network.guards().collect();
    let (arti, _arti) = start(&network, EngineKind::Arti).await;
    let service = echo(&arti, service()).await;
    let (private, _private) = start(&network, EngineKind::Private).await;
    let mut stream = dial(&private.dialer(), service.address(PORT)).await;
    goes_both_ways(&mut *stream).await;
    let [tor] = children("tor")[..] else { panic!("one tor of ours runs") };
    for process in [std::process::id(), tor] {
        let peers = peers(process);
        assert!(peers.contains(&at), "{peers:?}");
        assert!(guards.iter().all(|guard| !peers.contains(guard)), "{peers:?}");
    }
    proxy.kill().unwrap();
    let _ = proxy.wait();
}
