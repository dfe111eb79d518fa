//! Links over real sockets: who is let in, what is carried, what strangers can do.

mod common;

use common::*;
use net::{Error, Identity, LinkLimits, ListenerLimits, connect};
use rustls::crypto::aws_lc_rs::kx_group;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::{ErrorKind, Frame};

fn packet(epoch: u32, len: usize) -> Frame {
    Frame::Packet { epoch, packet: (0..=255).cycle().take(len).collect() }
}

//= LINK-002
//= LINK-004
#[tokio::test]
async fn frames_go_both_ways_and_both_keys_are_known() {
    let listener = listener(ListenerLimits::default()).await;
    let me = identity(2);
    let to = listener.local_addr().into();
    let (link, incoming) = tokio::join!(
        connect(to, identity(1).node_id(), Some(&me), &LinkLimits::DEFAULT),
        accept(&listener)
    );
    let link = link.unwrap();
    assert_eq!(link.peer(), Some(identity(1).node_id()));
    assert_eq!(incoming.peer, Some(me.node_id()));
    let (mut reader, mut writer) = link.split();
    let (mut far_reader, mut far_writer) = incoming.link.split();
    let frames: Vec<_> =
        (0..100).map(|n| packet(n, 14_500)).chain([Frame::Document(vec![7; 3_000_000])]).collect();
    let sending = async {
        for frame in &frames {
            writer.feed(frame).await.unwrap();
        }
        writer.flush().await.unwrap();
    };
    let receiving = async {
        for frame in &frames {
            let got = far_reader.read().await.unwrap().unwrap();
            assert!(got == *frame);
            far_writer.send(&Frame::Registered(1)).await.unwrap();
        }
    };
    let answers = async {
        for _ in &frames {
            assert_eq!(reader.read().await.unwrap(), Some(Frame::Registered(1)));
        }
    };
    soon(async { tokio::join!(sending, receiving, answers) }).await;
}

//= LINK-002
#[tokio::test]
async fn another_key_than_the_expected_is_refused() {
    let listener = listener(ListenerLimits::default()).await;
    let error = soon(connect(
        listener.local_addr().into(),
        identity(9).node_id(),
        None,
        &LinkLimits::DEFAULT,
    ))
    .await
    .unwrap_err();
    assert_eq!(error, Error::WrongKey);
    assert_eq!(error.kind(), ErrorKind::PeerMisbehaved);
}

//= LINK-004
#[tokio::test]
async fn a_client_without_a_key_is_welcome_and_nameless() {
    let listener = listener(ListenerLimits::default()).await;
    let (link, incoming) = tokio::join!(
        connect(listener.local_addr().into(), identity(1).node_id(), None, &LinkLimits::DEFAULT),
        accept(&listener)
    );
    assert!(link.is_ok());
    assert_eq!(incoming.peer, None);
}

//= LINK-002
/// A server that shows one key and holds perhaps another.
fn server_config(shows: &Identity, holds: &Identity, alpn: &[u8]) -> rustls::ServerConfig {
    use rustls::server::AlwaysResolvesServerRawPublicKeys;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = impostor(shows, holds);
    let mut config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(std::sync::Arc::new(TakesAny))
        .with_cert_resolver(std::sync::Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

#[tokio::test]
async fn a_server_that_shows_the_key_and_does_not_hold_it_is_refused() {
    for (holds, good) in [(1, true), (2, false)] {
        let config = server_config(&identity(1), &identity(holds), net::ALPN);
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = tcp.local_addr().unwrap().into();
        let serving = async {
            let (stream, _) = tcp.accept().await.unwrap();
            tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(stream).await
        };
        let connecting = connect(to, identity(1).node_id(), None, &LinkLimits::DEFAULT);
        let (link, _stream) = soon(async { tokio::join!(connecting, serving) }).await;
        assert_eq!(link.is_ok(), good, "{link:?}");
        if !good {
            assert_eq!(link.unwrap_err(), Error::WrongKey);
        }
    }
}

//= LINK-004
#[tokio::test]
async fn a_client_that_shows_a_key_and_does_not_hold_it_gets_no_link() {
    use rustls::client::AlwaysResolvesClientRawPublicKeys;
    let listener = listener(ListenerLimits::default()).await;
    let mut config = good_config();
    let key = impostor(&identity(2), &identity(3));
    config.client_auth_cert_resolver =
        std::sync::Arc::new(AlwaysResolvesClientRawPublicKeys::new(key));
    // TLS 1.3: the client is done before the server has judged; what it writes goes nowhere.
    let mut raw = raw_connect(listener.local_addr(), config).await.unwrap();
    let mut end = Vec::new();
    let error = soon(raw.read_to_end(&mut end)).await.unwrap_err();
    assert!(
        error.to_string().contains("DecryptError") || error.to_string().contains("alert"),
        "{error}"
    );
    assert_eq!(listener.connections(), 0);
    let mut config = good_config();
    let key = impostor(&identity(2), &identity(2));
    config.client_auth_cert_resolver =
        std::sync::Arc::new(AlwaysResolvesClientRawPublicKeys::new(key));
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), config), accept(&listener));
    assert!(raw.is_ok());
    assert_eq!(incoming.peer, Some(identity(2).node_id()));
}

//= LINK-001
#[tokio::test]
async fn only_the_post_quantum_group_gets_in() {
    let listener = listener(ListenerLimits::default()).await;
    let to = listener.local_addr();
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::MLKEM768] {
        let error = raw_connect(to, raw_config(&[group], &[net::ALPN])).await.unwrap_err();
        assert!(error.to_string().contains("HandshakeFailure"), "{error}");
    }
    let both = raw_config(&[kx_group::X25519, kx_group::X25519MLKEM768], &[net::ALPN]);
    let stream = raw_connect(to, both).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    accept(&listener).await;
}

//= LINK-001
#[tokio::test]
async fn other_protocol_names_are_refused() {
    let listener = listener(ListenerLimits::default()).await;
    let to = listener.local_addr();
    assert!(raw_connect(to, raw_config(&[kx_group::X25519MLKEM768], &[b"h2"])).await.is_err());
    // Without a name `rustls` lets the handshake pass; the link is closed without a frame.
    let mut nameless = raw_connect(to, raw_config(&[kx_group::X25519MLKEM768], &[])).await.unwrap();
    let _ = nameless.write_all(&Frame::Ping.to_bytes().unwrap()).await;
    let mut end = Vec::new();
    let _ = soon(nameless.read_to_end(&mut end)).await;
    assert!(end.is_empty());
    let first_let_in = raw_connect(to, good_config());
    let (good, _incoming) = tokio::join!(first_let_in, accept(&listener));
    assert!(good.is_ok());
}

//= LINK-001
#[tokio::test]
async fn tls_1_2_is_refused() {
    let listener = listener(ListenerLimits::default()).await;
    // A ClientHello of TLS 1.2: two cipher suites, X25519, Ed25519 signatures, no
    // supported_versions.
    let mut hello = vec![0x03, 0x03];
    hello.extend([5; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    let extensions =
        [0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 8, 7, 0, 23, 0, 0, 0, 11, 0, 2, 1, 0];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    let mut tcp = TcpStream::connect(listener.local_addr()).await.unwrap();
    tcp.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(tcp.read_to_end(&mut answer)).await;
    // An alert record: fatal, protocol_version.
    assert_eq!(answer.get(..1), Some([21].as_slice()));
    assert_eq!(answer.get(5..7), Some([2, 70].as_slice()));
}

//= LINK-003
#[tokio::test]
async fn no_ticket_is_issued() {
    let listener = listener(ListenerLimits::default()).await;
    let mut config = good_config();
    let store = std::sync::Arc::new(rustls::client::ClientSessionMemoryCache::new(8));
    config.resumption = rustls::client::Resumption::store(store);
    for _ in 0..2 {
        let (raw, incoming) =
            tokio::join!(raw_connect(listener.local_addr(), config.clone()), accept(&listener));
        let mut raw = raw.unwrap();
        let (_, mut writer) = incoming.link.split();
        writer.send(&Frame::Pong).await.unwrap();
        let mut got = [0; 4];
        raw.read_exact(&mut got).await.unwrap();
        let kind = raw.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    }
}

//= LINK-005
#[tokio::test]
async fn an_oversize_header_ends_the_link() {
    let listener = listener(ListenerLimits::default()).await;
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let mut raw = raw.unwrap();
    raw.write_all(&[1, 0xff, 0xff, 0xff]).await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    let error = soon(reader.read()).await.unwrap_err();
    assert!(matches!(error, Error::Frame(wire::Error::TooLong { .. })));
    assert_eq!(error.kind(), ErrorKind::PeerMisbehaved);
    assert_eq!(reader.read().await.unwrap_err(), error, "an ended link stays ended");
}

#[tokio::test]
async fn garbage_inside_tls_and_instead_of_tls_ends_the_link() {
    let listener = listener(ListenerLimits::default()).await;
    let mut tcp = TcpStream::connect(listener.local_addr()).await.unwrap();
    tcp.write_all(&[0x5a; 3000]).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(tcp.read_to_end(&mut answer)).await;
    assert!(answer.len() < 20, "an alert at most");

    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let mut raw = raw.unwrap();
    raw.write_all(&[0xee; 3000]).await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    assert_eq!(
        soon(reader.read()).await.unwrap_err(),
        Error::Frame(wire::Error::UnknownKind(0xee))
    );

    // A record that no key of this link made.
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let (tcp, _session) = raw.unwrap().into_inner();
    let mut tcp = tcp;
    tcp.write_all(&[23, 3, 3, 0, 32]).await.unwrap();
    tcp.write_all(&[7; 32]).await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    assert_eq!(soon(reader.read()).await.unwrap_err(), Error::Protocol);
}

//= LINK-005
#[tokio::test]
async fn frames_byte_by_byte_and_five_hundred_in_one_write() {
    let listener = listener(ListenerLimits::default()).await;
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let mut raw = raw.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    let sending = async {
        for byte in packet(3, 600).to_bytes().unwrap() {
            raw.write_all(&[byte]).await.unwrap();
            raw.flush().await.unwrap();
        }
        let mut all = Vec::new();
        for n in 0..500 {
            packet(n, 700).write_to(&mut all).unwrap();
        }
        raw.write_all(&all).await.unwrap();
        raw.flush().await.unwrap();
    };
    let receiving = async {
        assert_eq!(reader.read().await.unwrap(), Some(packet(3, 600)));
        for n in 0..500 {
            assert_eq!(reader.read().await.unwrap(), Some(packet(n, 700)));
        }
    };
    soon(async { tokio::join!(sending, receiving) }).await;
}

//= LINK-006
#[tokio::test]
async fn a_frame_that_stalls_or_drips_is_cut_off() {
    let limits = ListenerLimits { link: short(), ..Default::default() };
    let listener = listener(limits).await;
    // Stalls within the header, and within the body.
    for part in [2, 100] {
        let (raw, incoming) =
            tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
        let mut raw = raw.unwrap();
        raw.write_all(&packet(1, 500).to_bytes().unwrap()[..part]).await.unwrap();
        let (mut reader, writer) = incoming.link.split();
        assert_eq!(soon(reader.read()).await.unwrap_err(), Error::FrameTimeout);
        drop((reader, writer));
        let mut end = Vec::new();
        let _ = soon(raw.read_to_end(&mut end)).await;
        assert_eq!(listener.connections(), 0);
    }
    // Drips: each byte is progress, and none of it extends the time.
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let mut raw = raw.unwrap();
    let drip = async {
        for byte in packet(1, 500).to_bytes().unwrap() {
            if raw.write_all(&[byte]).await.is_err() || raw.flush().await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("all was accepted");
    };
    let (mut reader, _writer) = incoming.link.split();
    tokio::select! {
        () = drip => {}
        end = soon(reader.read()) => assert_eq!(end.unwrap_err(), Error::FrameTimeout),
    }
}

//= LINK-007
#[tokio::test]
async fn a_silent_link_is_closed_though_reads_are_dropped_meanwhile() {
    let limits = ListenerLimits { link: short(), ..Default::default() };
    let listener = listener(limits).await;
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let mut raw = raw.unwrap();
    raw.write_all(&Frame::Ping.to_bytes().unwrap()).await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    assert_eq!(soon(reader.read()).await.unwrap(), Some(Frame::Ping));
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
    let error = soon(async {
        loop {
            tokio::select! {
                end = reader.read() => break end.unwrap_err(),
                _ = tick.tick() => {}
            }
        }
    })
    .await;
    assert_eq!(error, Error::IdleTimeout);
}

//= LINK-008
#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let limits = ListenerLimits { link: short(), ..Default::default() };
    let listener = listener(limits).await;
    let (raw, incoming) =
        tokio::join!(raw_connect(listener.local_addr(), good_config()), accept(&listener));
    let _raw = raw.unwrap();
    let (_reader, mut writer) = incoming.link.split();
    let frame = packet(1, 60_000);
    let error = soon(async {
        loop {
            if let Err(error) = writer.send(&frame).await {
                break error;
            }
        }
    })
    .await;
    assert_eq!(error, Error::WriteTimeout);
    assert_eq!(writer.send(&frame).await, Err(Error::WriteTimeout));
}

//= LINK-013
#[tokio::test]
async fn a_goodbye_differs_from_a_cut() {
    let listener = listener(ListenerLimits::default()).await;
    let to = listener.local_addr();
    let ends = |raw: bool, bytes: Vec<u8>, goodbye: bool| {
        let listener = &listener;
        async move {
            assert!(raw);
            let (stream, incoming) = tokio::join!(raw_connect(to, good_config()), accept(listener));
            let mut stream = stream.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.flush().await.unwrap();
            if goodbye {
                stream.shutdown().await.unwrap();
            }
            drop(stream);
            let (mut reader, _writer) = incoming.link.split();
            loop {
                match soon(reader.read()).await {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            }
        }
    };
    let ping = Frame::Ping.to_bytes().unwrap();
    assert_eq!(ends(true, ping.clone(), true).await, Ok(None));
    assert_eq!(ends(true, ping.clone(), false).await, Err(Error::Broken));
    assert_eq!(ends(true, ping[..2].to_vec(), true).await, Err(Error::Truncated));

    // Our own writer says goodbye after what it had queued.
    let me = LinkLimits::default();
    let (link, incoming) =
        tokio::join!(connect(to.into(), identity(1).node_id(), None, &me), accept(&listener));
    let (_, mut writer) = link.unwrap().split();
    writer.feed(&Frame::Ping).await.unwrap();
    writer.close().await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Ping)));
    assert_eq!(soon(reader.read()).await, Ok(None));
    assert_eq!(reader.read().await, Ok(None));
}

#[tokio::test]
async fn a_frame_over_its_limit_is_refused_and_the_link_goes_on() {
    let listener = listener(ListenerLimits::default()).await;
    let me = LinkLimits::default();
    let to = listener.local_addr().into();
    let (link, incoming) =
        tokio::join!(connect(to, identity(1).node_id(), None, &me), accept(&listener));
    let (_reader, mut writer) = link.unwrap().split();
    assert!(matches!(writer.send(&packet(0, 70_000)).await, Err(Error::Frame(_))));
    writer.send(&Frame::Ping).await.unwrap();
    let (mut reader, _writer) = incoming.link.split();
    assert_eq!(soon(reader.read()).await, Ok(Some(Frame::Ping)));
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    let limits = short();
    // A port that was just free: nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody =
        soon(connect(free.into(), identity(1).node_id(), None, &limits)).await.unwrap_err();
    assert_eq!(nobody, Error::Refused);
    // Somebody who accepts and says nothing.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = mute.local_addr().unwrap();
    let silent = soon(connect(to.into(), identity(1).node_id(), None, &limits)).await.unwrap_err();
    assert_eq!(silent, Error::HandshakeTimeout);
    // Somebody who speaks something else.
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = other.local_addr().unwrap();
    let answering = async {
        let (mut stream, _) = other.accept().await.unwrap();
        let mut some = [0; 100];
        stream.read_exact(&mut some).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    };
    let expect = identity(1).node_id();
    let (error, _stream) =
        soon(async { tokio::join!(connect(to.into(), expect, None, &limits), answering) }).await;
    assert_eq!(error.unwrap_err(), Error::Protocol);
    // Somebody of a later version.
    let later = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = later.local_addr().unwrap();
    let speaking = async {
        let (stream, _) = later.accept().await.unwrap();
        let config = server_config(&identity(1), &identity(1), b"hushwing/9");
        tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(stream).await
    };
    let (error, _stream) =
        soon(async { tokio::join!(connect(to.into(), expect, None, &limits), speaking) }).await;
    assert_eq!(error.unwrap_err(), Error::OtherVersion);
    // Somebody who closes.
    let full = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = full.local_addr().unwrap();
    let closing = async { drop(full.accept().await.unwrap()) };
    let (error, ()) =
        soon(async { tokio::join!(connect(to.into(), expect, None, &limits), closing) }).await;
    assert_eq!(error.unwrap_err(), Error::HandshakeClosed);
}

#[tokio::test]
async fn debug_of_everything_says_nothing() {
    let listener = listener(ListenerLimits::default()).await;
    let me = LinkLimits::default();
    let to = listener.local_addr().into();
    let (link, incoming) =
        tokio::join!(connect(to, identity(1).node_id(), None, &me), accept(&listener));
    assert_eq!(
        format!("{listener:?} {incoming:?}"),
        "Listener Incoming { link: Link(Server), peer: None }"
    );
    let (reader, writer) = link.unwrap().split();
    assert_eq!(format!("{reader:?} {writer:?}"), "LinkReader LinkWriter");
}
