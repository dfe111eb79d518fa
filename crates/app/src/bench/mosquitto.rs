//! The peer of the hub's fan-out: mosquitto over TLS, one message of a box's length to as many
//! subscribers, in the same run.
//!
//! Only where `mosquitto` and `openssl` are installed. MQTT 3.1.1, QoS 0: as much of it as one
//! publication needs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{broken, per_second};
use api::Failure;

/// Id, ciphertext and signature of a standard box, bytes.
const PAYLOAD: usize = 32 + 2048 + 64;
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const SUBACK_LEN: usize = 5;

/// A broker that ends with its handle.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Deliveries per second and the time to the last; `None` where the peer is not installed.
pub(super) async fn fan_out(
    scratch: &Path,
    watchers: usize,
) -> Result<Option<(f64, Duration)>, Failure> {
    let port = free_port()?;
    let Some(_broker) = start(scratch, port)? else { return Ok(None) };
    let connector = connector(scratch)?;
    let mut waiting = JoinSet::new();
    for n in 0..watchers {
        let mut stream = dial(&connector, port, n).await?;
        stream.write_all(&[0x82, 6, 0, 1, 0, 1, b'b', 0]).await.map_err(broken)?;
        let mut suback = [0; SUBACK_LEN];
        stream.read_exact(&mut suback).await.map_err(broken)?;
        waiting.spawn(async move {
            let mut message = vec![0; publication().len()];
            let got = stream.read_exact(&mut message).await.is_ok();
            (got, Instant::now())
        });
    }
    let mut writer = dial(&connector, port, watchers).await?;
    let begun = Instant::now();
    writer.write_all(&publication()).await.map_err(broken)?;
    writer.flush().await.map_err(broken)?;
    let (mut delivered, mut last) = (0, begun);
    while let Some(done) = waiting.join_next().await {
        let (got, at) = done.map_err(broken)?;
        delivered += usize::from(got);
        last = last.max(at);
    }
    if delivered < watchers {
        return Err(broken(format!(
            "mosquitto: {delivered} of {watchers} subscribers got the message"
        )));
    }
    Ok(Some((per_second(watchers, last - begun), last - begun)))
}

/// PUBLISH, topic `b`, QoS 0.
fn publication() -> Vec<u8> {
    let len = 3 + PAYLOAD;
    let low = u8::try_from(len % 128).unwrap_or(0) | 0x80;
    let mut out = vec![0x30, low, u8::try_from(len / 128).unwrap_or(0), 0, 1, b'b'];
    out.resize(out.len() + PAYLOAD, 7);
    out
}

fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(broken)?;
    Ok(listener.local_addr().map_err(broken)?.port())
}

/// Makes a certificate and starts the broker.
fn start(scratch: &Path, port: u16) -> Result<Option<Broker>, Failure> {
    let file = |name: &str| scratch.join(name).display().to_string();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &file("mqtt.key"), "-out", &file("mqtt.pem")])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|s| s.success()) {
        return Ok(None);
    }
    let settings = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmax_connections -1\ncertfile {}\nkeyfile {}\nuser root\n",
        file("mqtt.pem"),
        file("mqtt.key")
    );
    std::fs::write(scratch.join("mqtt.conf"), settings).map_err(broken)?;
    let broker = Command::new("mosquitto")
        .args(["-c", &file("mqtt.conf")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Ok(broker.ok().map(Broker))
}

fn connector(scratch: &Path) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(scratch.join("mqtt.pem")).map_err(broken)?;
    roots.add(certificate).map_err(broken)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(broken)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn dial(
    connector: &TlsConnector,
    port: u16,
    client: usize,
) -> Result<TlsStream<TcpStream>, Failure> {
    let patience = Instant::now() + Duration::from_secs(5);
    let tcp = loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(tcp) => break tcp,
            // The broker is still starting.
            Err(e) if Instant::now() > patience => return Err(broken(e)),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let name = ServerName::try_from("127.0.0.1").map_err(broken)?;
    let mut stream = connector.connect(name, tcp).await.map_err(broken)?;
    let id = format!("c{client}");
    let mut connect = vec![0x10, u8::try_from(12 + id.len()).unwrap_or(0), 0, 4];
    connect.extend_from_slice(b"MQTT");
    connect.extend_from_slice(&[4, 2, 0, 60, 0, u8::try_from(id.len()).unwrap_or(0)]);
    connect.extend_from_slice(id.as_bytes());
    stream.write_all(&connect).await.map_err(broken)?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await.map_err(broken)?;
    if connack == CONNACK { Ok(stream) } else { Err(broken("mosquitto refuses a client")) }
}
