//! A hub as curl meets it.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Client, Reply, ask};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use server::config::{HubConfig, MetricsAccess};
use server::http::{HttpService, HttpSettings};
use server::{HubRole, NodeConfig};
use streams::WriteCapability;
use tempfile::TempDir;
use wire::document::Role;
use wire::hub::BoxBytes;
use wire::id::{AccessKey, AdmissionToken};
use wire::{DirectoryPointer, NetworkId, NetworkPointer, NodeId, OnionName};

/// A hub with a service, and no network around it: what HTTP does needs none.
struct World {
    hub: HubRole,
    service: HttpService,
    at: SocketAddr,
    member: String,
    _dir: TempDir,
}

impl World {
    async fn start(change: impl FnOnce(&mut HubConfig)) -> World {
        World::limited(change, |_| ()).await
    }

    async fn limited(
        change: impl FnOnce(&mut HubConfig),
        limit: impl FnOnce(&mut HttpSettings),
    ) -> World {
        let dir = tempfile::tempdir().unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = HubConfig { http_listen: Some(here), ..HubConfig::default() };
        change(&mut config);
        let nowhere = DirectoryPointer {
            id: NodeId::new([1; 32]),
            address: SocketAddr::from(([127, 0, 0, 1], 1)).into(),
        };
        let pointer =
            NetworkPointer { network: NetworkId::new([2; 32]), directories: vec![nowhere] };
        let token = AdmissionToken::new([3; 32]);
        let node = NodeConfig::local(Role::Hub, dir.path().join("hub"), pointer, token);
        let node = NodeConfig { max_connections: 16, ..node };
        let hub = HubRole::start(node, &config).await.unwrap();
        let mut settings = HttpSettings::new(&config).unwrap();
        limit(&mut settings);
        let service = HttpService::start(settings, hub.handle()).await.unwrap();
        let at = service.address.unwrap();
        let member = bearer(&hub.member);
        World { hub, service, at, member, _dir: dir }
    }

    async fn put(&self, body: &Value) -> Reply {
        let headers =
            [("Authorization", self.member.as_str()), ("Content-Type", "application/json")];
        ask(self.at, "POST /boxes", &headers, body.to_string().as_bytes()).await
    }

    async fn get(&self, path: &str) -> Reply {
        ask(self.at, &format!("GET {path}"), &[("Authorization", self.member.as_str())], b"").await
    }

    async fn stop(mut self) {
        self.service.stop().await;
        self.hub.stop().await;
    }
}

fn bearer(key: &AccessKey) -> String {
    format!("Bearer {}", HEXLOWER.encode(key.as_bytes()))
}

/// The `n`-th box of some stream.
fn sealed(n: u32) -> BoxBytes {
    hub::to_wire(WriteCapability::from_seed(&[7; 32]).seal(&n.to_be_bytes(), &[1; 2032]).unwrap())
}

fn as_json(content: &BoxBytes) -> Value {
    json!({
        "id": HEXLOWER.encode(&content.id),
        "ciphertext": BASE64.encode(&content.ciphertext),
        "signature": BASE64.encode(&content.signature),
    })
}

fn path(content: &BoxBytes) -> String {
    format!("/boxes/{}", HEXLOWER.encode(&content.id))
}

//= HUB-017
//= HUB-018
#[tokio::test]
async fn a_box_is_stored_and_fetched() {
    let world = World::start(|_| ()).await;
    let content = sealed(1);
    let missing = world.get(&path(&content)).await;
    assert_eq!(missing.status, 404);
    assert!(missing.json()["hint"].as_str().is_some_and(|h| h.contains("wait")));

    let stored = world.put(&as_json(&content)).await;
    assert_eq!((stored.status, stored.json()), (201, json!({ "outcome": "stored" })));
    let again = world.put(&as_json(&content)).await;
    assert_eq!((again.status, again.json()), (200, json!({ "outcome": "same" })));

    let fetched = world.get(&path(&content)).await;
    assert_eq!(fetched.status, 200);
    assert_eq!(fetched.json()["ciphertext"], BASE64.encode(&content.ciphertext));
    assert_eq!(fetched.json()["signature"], BASE64.encode(&content.signature));
    let same = world.put(&fetched.json()).await;
    assert_eq!(same.status, 200, "what is fetched can be put as it is");
    // An id in the other spellings, percent-encoded too.
    let url = BASE64URL_NOPAD.encode(&content.id);
    let standard =
        BASE64.encode(&content.id).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for id in [url, standard] {
        assert_eq!(world.get(&format!("/boxes/{id}")).await.json(), fetched.json());
    }
    let head = ask(
        world.at,
        &format!("HEAD {}", path(&content)),
        &[("Authorization", &world.member)],
        b"",
    )
    .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    world.stop().await;
}

//= HUB-017
//= HUB-018
#[tokio::test]
async fn cbor_in_and_cbor_out() {
    let world = World::start(|_| ()).await;
    let content = sealed(2);
    let headers = [("Authorization", world.member.as_str()), ("Content-Type", "application/cbor")];
    let stored = ask(world.at, "POST /boxes", &headers, &wire::encode(&content)).await;
    assert_eq!(stored.status, 201);
    let headers = [("Authorization", world.member.as_str()), ("Accept", "application/cbor")];
    let fetched = ask(world.at, &format!("GET {}", path(&content)), &headers, b"").await;
    assert_eq!(fetched.header("content-type"), Some("application/cbor"));
    assert_eq!(fetched.body, wire::encode(&content));
    world.stop().await;
}

//= HUB-017
#[tokio::test]
async fn a_list_is_answered_box_by_box() {
    let world = World::start(|_| ()).await;
    let (first, second, mut forged) = (sealed(1), sealed(2), sealed(3));
    forged.ciphertext[0] ^= 1;
    let reply = world
        .put(&json!([as_json(&first), as_json(&forged), as_json(&second), as_json(&first)]))
        .await;
    assert_eq!(reply.status, 200);
    let reply = reply.json();
    assert_eq!(reply["accepted"], 3);
    let outcomes: Vec<&str> =
        reply["results"].as_array().unwrap().iter().filter_map(|r| r["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["stored", "bad-box", "stored", "same"]);
    // One that is malformed spoils the request, and nothing of it is stored.
    let reply = world.put(&json!([as_json(&sealed(4)), { "id": "zz" }])).await;
    assert_eq!(reply.status, 400);
    assert_eq!(world.get(&path(&sealed(4))).await.status, 404);
    // As many as are allowed, and one more.
    let many: Vec<Value> = (100..164).map(|n| as_json(&sealed(n))).collect();
    assert_eq!(world.put(&many.clone().into()).await.json()["accepted"], 64);
    let more: Vec<Value> = many.into_iter().chain([as_json(&sealed(164))]).collect();
    assert_eq!(world.put(&more.into()).await.status, 400);
    world.stop().await;
}

//= HUB-018
#[tokio::test]
async fn a_get_that_waits_is_answered_when_the_box_arrives() {
    let world = World::start(|_| ()).await;
    let content = sealed(5);
    let asked = format!("{}?wait=60", path(&content));
    let waiting = world.get(&asked);
    let putting = async {
        // Not before the hub has taken the question.
        let mut client = Client::connect(world.at).await;
        while !client
            .ask("GET /metrics", &[], b"")
            .await
            .text()
            .contains("hushwing_hub_open_gets 1\n")
        {
            tokio::task::yield_now().await;
        }
        world.put(&as_json(&content)).await
    };
    let (found, stored) = tokio::join!(waiting, putting);
    assert_eq!((found.status, stored.status), (200, 201));
    for bad in ["x", "-1", "1.5", "99999999999999"] {
        assert_eq!(world.get(&format!("{}?wait={bad}", path(&content))).await.status, 400, "{bad}");
    }
    assert_eq!(world.get(&format!("{}?wait=4294967295", path(&content))).await.status, 200);
    world.stop().await;
}

//= HUB-018
#[tokio::test]
async fn whoever_hangs_up_waits_no_longer() {
    let world = World::start(|_| ()).await;
    let mut client = Client::connect(world.at).await;
    let line = format!(
        "GET {}?wait=120 HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n",
        path(&sealed(6)),
        world.member
    );
    client.write(line.as_bytes()).await;
    let mut metrics = Client::connect(world.at).await;
    let mut until = async |line: &str| {
        while !metrics.ask("GET /metrics", &[], b"").await.text().contains(line) {
            tokio::task::yield_now().await;
        }
    };
    until("hushwing_hub_open_gets 1\n").await;
    drop(client);
    until("hushwing_hub_open_gets 0\n").await;
    world.stop().await;
}

//= HUB-017
#[tokio::test]
async fn what_cannot_be_stored_is_said_with_its_status() {
    let world = World::start(|c| c.guest_storage_mib = 0).await;
    // A tombstone and a box of the same id: whichever comes first stays.
    let capability = WriteCapability::from_seed(&[7; 32]);
    let content = sealed(1);
    let tombstone = hub::to_wire(capability.tombstone(&1_u32.to_be_bytes()));
    assert_eq!(tombstone.id, content.id);
    assert_eq!(world.put(&as_json(&tombstone)).await.status, 201);
    let taken = world.put(&as_json(&content)).await;
    assert_eq!((taken.status, &taken.json()["outcome"]), (409, &json!("taken")));
    assert!(taken.json()["hint"].is_string());

    let mut forged = sealed(2);
    forged.signature[0] ^= 1;
    let forged = world.put(&as_json(&forged)).await;
    assert_eq!((forged.status, &forged.json()["outcome"]), (422, &json!("bad-box")));

    let guest = bearer(&world.hub.guest);
    let headers = [("Authorization", guest.as_str()), ("Content-Type", "application/json")];
    let full =
        ask(world.at, "POST /boxes", &headers, as_json(&sealed(3)).to_string().as_bytes()).await;
    assert_eq!((full.status, &full.json()["outcome"]), (507, &json!("full")));
    world.stop().await;
}

//= HUB-017
#[tokio::test]
async fn who_is_too_fast_is_told_when_to_come_again() {
    let world = World::start(|c| c.member_puts_per_second = 1).await;
    let mut replies = Vec::new();
    for n in 0..20 {
        replies.push(world.put(&as_json(&sealed(n))).await);
    }
    let slow = replies.iter().find(|r| r.status == 429).expect("the rate is far exceeded");
    assert_eq!(
        (slow.header("retry-after"), &slow.json()["outcome"]),
        (Some("1"), &json!("slow-down"))
    );
    world.stop().await;
}

//= HUB-019
#[tokio::test]
async fn without_a_key_nobody_stores_or_fetches() {
    let world = World::start(|_| ()).await;
    let body = as_json(&sealed(1)).to_string();
    let wrong = format!("Bearer {}", "0".repeat(32));
    for key in [None, Some(wrong.as_str()), Some("Bearer x"), Some("Basic YTpi")] {
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(key.map(|k| ("Authorization", k)));
        let put = ask(world.at, "POST /boxes", &headers, body.as_bytes()).await;
        let get = ask(world.at, &format!("GET {}", path(&sealed(1))), &headers, b"").await;
        for reply in [put, get] {
            assert_eq!(
                (reply.status, reply.header("www-authenticate")),
                (401, Some("Bearer")),
                "{key:?}"
            );
            assert!(reply.json()["hint"].is_string());
        }
    }
    world.stop().await;
    // An open hub takes strangers as guests; a wrong key stays wrong.
    let world = World::start(|c| c.http_open_guest = true).await;
    let headers = [("Content-Type", "application/json")];
    assert_eq!(ask(world.at, "POST /boxes", &headers, body.as_bytes()).await.status, 201);
    assert_eq!(ask(world.at, &format!("GET {}", path(&sealed(1))), &[], b"").await.status, 200);
    let headers = [("Content-Type", "application/json"), ("Authorization", wrong.as_str())];
    assert_eq!(ask(world.at, "POST /boxes", &headers, body.as_bytes()).await.status, 401);
    world.stop().await;
}

//= HUB-020
#[tokio::test]
async fn what_is_over_a_bound_is_refused() {
    let world = World::start(|_| ()).await;
    let key = ("Authorization", world.member.as_str());
    let json = ("Content-Type", "application/json");
    let mut client = Client::connect(world.at).await;
    let large = client.ask("POST /boxes", &[key, json], &vec![b' '; 256 * 1024 + 1]).await;
    assert_eq!(large.status, 413);
    assert!(large.json()["hint"].as_str().is_some_and(|h| h.contains("256 KiB")));
    // The same without a length told before.
    let mut client = Client::connect(world.at).await;
    let head = format!(
        "POST /boxes HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n50000\r\n",
        world.member
    );
    client.write(head.as_bytes()).await;
    client.write(&vec![b' '; 0x50000]).await;
    assert_eq!(client.read(false).await.map(|r| r.status), Some(413));

    for (line, headers, status) in [
        ("POST /boxes", vec![key], 415),
        ("POST /boxes", vec![key, ("Content-Type", "text/plain")], 415),
        ("POST /boxes", vec![key, ("Content-Type", "application/cbor")], 400),
        ("POST /boxes", vec![key, ("Content-Type", "application/json; charset=utf-8")], 400),
    ] {
        let reply = ask(world.at, line, &headers, b"not a box, secret words").await;
        assert_eq!(reply.status, status, "{headers:?}");
        assert!(reply.json()["hint"].is_string() && !reply.text().contains("secret"), "{reply:?}");
    }
    let mut client = Client::connect(world.at).await;
    let long = "x".repeat(20_000);
    let reply = client.ask("GET /ping", &[("X-Long", &long)], b"").await;
    assert_eq!(reply.status, 431);
    world.stop().await;
}

//= HUB-020
#[tokio::test]
async fn a_client_that_sends_by_drops_is_cut_off() {
    let soon = Duration::from_millis(100);
    let limit = |s: &mut HttpSettings| {
        s.limits.header = soon;
        s.limits.body = soon;
        s.limits.connections = 2;
    };
    let world = World::limited(|_| (), limit).await;
    // Both places are taken by clients that never end their header.
    let mut slow = Client::connect(world.at).await;
    let mut silent = Client::connect(world.at).await;
    slow.write(b"GET /ping HTTP/1.1\r\nHo").await;
    silent.write(b"").await;
    // A third one waits, and is served when their time is over.
    assert_eq!(ask(world.at, "GET /ping", &[], b"").await.status, 200);
    assert!(slow.read(false).await.is_none_or(|r| r.status == 408));
    assert!(silent.read(false).await.is_none_or(|r| r.status == 408));
    // A body by drops.
    let mut client = Client::connect(world.at).await;
    let head = format!(
        "POST /boxes HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[",
        world.member
    );
    client.write(head.as_bytes()).await;
    assert_eq!(client.read(false).await.map(|r| r.status), Some(408));
    world.stop().await;
}

//= HUB-021
#[tokio::test]
async fn everybody_may_ask_whether_it_is_there() {
    let world = World::start(|_| ()).await;
    let ping = ask(world.at, "GET /ping", &[], b"").await;
    assert_eq!((ping.status, ping.json()), (200, json!({ "ok": true })));
    let head = ask(world.at, "HEAD /ping", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(ping.header(name), Some(value));
    }
    // Neither the program nor the machine's clock is told.
    assert_eq!((ping.header("server"), ping.header("date")), (None, None));

    let none = ask(world.at, "GET /onion", &[], b"").await;
    assert_eq!((none.status, none.json()), (404, json!({ "onion": null })));
    let name = OnionName::from_key([5; 32]);
    world.service.set_onion(Some(name));
    let told = ask(world.at, "GET /onion", &[], b"").await;
    assert_eq!((told.status, told.json()), (200, json!({ "onion": name.to_string() })));

    for (line, status) in [
        ("GET /", 404),
        ("GET /boxes/", 404),
        ("GET /boxes", 405),
        ("POST /ping", 405),
        ("DELETE /boxes/00", 405),
        ("OPTIONS /boxes", 405),
        ("PROPFIND /nothing", 404),
    ] {
        let reply = ask(world.at, line, &[], b"").await;
        assert_eq!(reply.status, status, "{line}");
        assert!(reply.json()["hint"].is_string(), "{line}");
    }
    world.stop().await;
}

//= HUB-022
#[tokio::test]
async fn cors_is_off_until_somebody_turns_it_on() {
    let origin = ("Origin", "https://example.org");
    let preflight = [
        origin,
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let allowed = |r: &Reply| r.header("access-control-allow-origin").map(ToOwned::to_owned);
    let world = World::start(|_| ()).await;
    for reply in [
        ask(world.at, "OPTIONS /boxes", &preflight, b"").await,
        ask(world.at, "GET /ping", &[origin], b"").await,
    ] {
        assert!(reply.headers.keys().all(|name| !name.starts_with("access-control-")), "{reply:?}");
    }
    world.stop().await;

    let world = World::start(|c| c.http_cors_origins = vec!["https://example.org".into()]).await;
    let reply = ask(world.at, "OPTIONS /boxes", &preflight, b"").await;
    assert_eq!((reply.status, allowed(&reply).as_deref()), (200, Some("https://example.org")));
    assert!(reply.header("access-control-allow-methods").is_some_and(|m| m.contains("POST")));
    assert!(
        reply.header("access-control-allow-headers").is_some_and(|h| h.contains("authorization"))
    );
    // Errors can be read too, and others are not let in.
    let refused = ask(world.at, "POST /boxes", &[origin], b"x").await;
    assert_eq!((refused.status, allowed(&refused).as_deref()), (401, Some("https://example.org")));
    let other = ask(world.at, "GET /ping", &[("Origin", "https://example.com")], b"").await;
    assert_eq!(allowed(&other), None);
    world.stop().await;

    let world = World::start(|c| c.http_cors_origins = vec!["*".into()]).await;
    assert_eq!(allowed(&ask(world.at, "GET /ping", &[origin], b"").await).as_deref(), Some("*"));
    world.stop().await;
}

//= HUB-023
#[tokio::test]
async fn counters_are_for_this_machine() {
    let world = World::start(|_| ()).await;
    world.put(&as_json(&sealed(1))).await;
    let shown = ask(world.at, "GET /metrics", &[("Host", "localhost:8080")], b"").await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.header("content-type").is_some_and(|t| t.starts_with("text/plain; version=0.0.4"))
    );
    let text = shown.text();
    for line in [
        "hushwing_hub_boxes{class=\"member\"} 1",
        "hushwing_hub_boxes{class=\"guest\"} 0",
        "hushwing_hub_requests_total 1",
        "hushwing_packet_bytes_in_total 0",
        "hushwing_http_responses_total{status=\"2xx\"} 1",
        "# TYPE hushwing_packet_bytes_out_total counter",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
    }
    assert!(!text.contains("127.0.0.1") && !text.contains(&HEXLOWER.encode(&sealed(1).id)));
    // What a tor or a proxy of this machine passes on does not count as this machine.
    for header in [
        ("Host", "name.onion"),
        ("Host", "192.0.2.1"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Via", "1.1 x"),
    ] {
        assert_eq!(ask(world.at, "GET /metrics", &[header], b"").await.status, 404, "{header:?}");
    }
    world.stop().await;
    for (access, status) in [(MetricsAccess::Off, 404), (MetricsAccess::All, 200)] {
        let world = World::start(|c| c.http_metrics = access).await;
        assert_eq!(
            ask(world.at, "GET /metrics", &[("Host", "hub.example.org")], b"").await.status,
            status
        );
        world.stop().await;
    }
}

//= HUB-023
#[tokio::test]
async fn an_onion_services_streams_are_served_and_see_no_counters() {
    let world = World::start(|_| ()).await;
    let (streams, incoming) = tokio::sync::mpsc::channel(4);
    world.service.serve_onion(incoming);
    let status = async |line: &str| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut ours, theirs) = tokio::io::duplex(4096);
        let theirs: Box<dyn net::Transport> = Box::new(theirs);
        streams.send(theirs).await.map_err(|_| ()).unwrap();
        let request =
            format!("GET {line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        ours.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        ours.read_to_string(&mut reply).await.unwrap();
        reply.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(status("/ping").await, "200");
    assert_eq!(status("/metrics").await, "404");
    world.stop().await;
}

//= HUB-024
#[tokio::test]
async fn fifty_clients_are_all_answered() {
    let world = World::start(|_| ()).await;
    let mut clients = tokio::task::JoinSet::new();
    for c in 0..50_u32 {
        let (at, key) = (world.at, world.member.clone());
        clients.spawn(async move {
            let headers = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
            let mut client = Client::connect(at).await;
            let mut answered = 0;
            for n in 0..20 {
                let content = sealed(1000 + c * 20 + n);
                let stored = client
                    .ask("POST /boxes", &headers, as_json(&content).to_string().as_bytes())
                    .await;
                assert_eq!(stored.status, 201);
                let fetched = client.ask(&format!("GET {}", path(&content)), &headers, b"").await;
                assert_eq!(fetched.status, 200);
                answered += 2;
            }
            answered
        });
    }
    assert_eq!(clients.join_all().await.into_iter().sum::<u32>(), 2000);
    world.stop().await;
}

#[tokio::test]
async fn a_hub_that_stops_under_its_face_is_told_of() {
    let mut world = World::start(|_| ()).await;
    world.hub.stop().await;
    let reply = world.get(&path(&sealed(1))).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    world.service.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let world = World::start(|_| ()).await;
    let config = HubConfig { http_listen: Some(world.at), ..HubConfig::default() };
    let settings = HttpSettings::new(&config).unwrap();
    let error = HttpService::start(settings, world.hub.handle()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("port {} is already in use", world.at.port()));
    world.stop().await;
}
