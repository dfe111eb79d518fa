//! The local network: neighbours in network namespaces of their own, with no route to anywhere.

mod common;
mod person;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::{LONG, SOON, World};
use lanlab::Lab;
use person::Person;
use person::rpc::Rpc;
use serde_json::{Value, json};

/// Whether namespaces can be made here.
fn can() -> bool {
    let can = lanlab::available();
    if !can {
        println!("SKIPPED: needs root and iproute2");
    }
    can
}

/// People in the lab's machines, one each.
fn people(lab: &Lab, home: &std::path::Path, names: &[&'static str]) -> Vec<Person> {
    let person = |(i, name): (usize, &&'static str)| {
        let mut person = Person::new(home, name, None);
        person.namespace = Some(lab.node(i).namespace().to_owned());
        person
    };
    names.iter().enumerate().map(person).collect()
}

/// Two people on one LAN, who have never met.
fn two() -> (Lab, tempfile::TempDir, [Person; 2]) {
    let lab = Lab::bridge(2);
    let home = tempfile::tempdir().expect("a temporary directory");
    let both = people(&lab, home.path(), &["ann", "ben"]).try_into();
    (lab, home, both.unwrap_or_else(|_| unreachable!("as many people as names")))
}

/// One becomes visible and accepts, the other knocks.
fn meet(one: &Person, other: &Person) {
    let showing = one.start(&["lan", "nearby", "--show", "--open", other.name, "--for", "60s"]);
    let met = other.ok(&["lan", "nearby", "--knock", one.name, "--for", "60s"]);
    assert!(met.lines().any(|l| l == one.name), "{met}");
    let mut showing = showing;
    assert_eq!(showing.wait(SOON).code(), Some(0), "{:?}", showing.stderr.all());
}

/// An invite on the local network, handed over by mouth.
fn befriend(one: &Person, other: &Person) {
    let mut inviting = one.start(&["invite", "--wait", "--lan-only"]);
    let link = inviting.stdout.wait_for(SOON, |l| l.first().cloned());
    let link = link.unwrap_or_else(|| panic!("no link: {:?}", inviting.stderr.all()));
    let accepted = other.run_with_input(&["accept", "-", "--lan-only"], &format!("{link}\n"));
    assert_eq!((accepted.code, accepted.stdout.trim()), (0, one.name), "{accepted:?}");
    assert_eq!(inviting.wait(SOON).code(), Some(0), "{:?}", inviting.stderr.all());
}

fn lan(person: &Person) -> Rpc {
    Rpc::start_with(person, &["--lan-only"])
}

/// Counts texts of others in lines of a program.
fn count(lines: &[String], texts: &mut HashMap<String, usize>) {
    for line in lines {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let event = &value["params"];
        if event["event"] == "message"
            && event["message"]["you"] == false
            && event["message"]["kind"] == "text"
        {
            *texts
                .entry(event["message"]["text"].as_str().expect("a text").to_owned())
                .or_default() += 1;
        }
        let notice =
            event["text"].as_str().filter(|_| event["event"] == "notice").unwrap_or_default();
        assert!(!notice.contains("were not shown"), "the test reads too slowly");
    }
}

/// Waits until all of these were shown, and checks that none was shown twice.
fn all_shown(rpc: &Rpc, wanted: impl Iterator<Item = String>, patience: Duration) {
    let wanted: Vec<String> = wanted.collect();
    let (mut texts, mut seen) = (HashMap::new(), 0);
    let done = rpc.process.stdout.wait_for(patience, |lines| {
        count(&lines[seen..], &mut texts);
        seen = lines.len();
        wanted.iter().all(|t| texts.contains_key(t)).then_some(())
    });
    let missing = wanted.iter().filter(|t| !texts.contains_key(*t)).count();
    assert!(
        done.is_some(),
        "{missing} of {} are missing: {:?}",
        wanted.len(),
        rpc.process.stderr.all()
    );
    assert!(texts.values().all(|n| *n == 1), "shown twice: {texts:?}");
}

/// Whether nothing was shown.
fn is_silent(rpc: &Rpc) -> bool {
    let mut texts = HashMap::new();
    count(&rpc.process.stdout.all(), &mut texts);
    texts.is_empty()
}

fn near(rpc: &Rpc, name: &str) {
    rpc.event("neighbour", |e| e["label"] == name && e["here"] == true);
}

/// How many boxes somebody carries for others.
fn carried(rpc: &mut Rpc, id: u64) -> u64 {
    rpc.ask(id, "mesh", &json!({}));
    rpc.answer(id)["result"]["others"]["boxes"].as_u64().expect("a number")
}

fn say(rpc: &mut Rpc, id: u64, to: &Value, text: &str) {
    rpc.ask(id, "send", &json!({ "conversation": to, "text": text }));
}

/// Two meet on a LAN without any route, talk, and nobody who listens learns who they are.
#[test]
fn two_meet_without_any_route_and_talk() {
    if !can() {
        return;
    }
    let (lab, _home, [ann, ben]) = two();
    let (ann, ben) = (&ann, &ben);
    meet(ann, ben);
    assert_eq!(
        ann.ok(&["contact", "verify", "ben"]),
        ben.ok(&["contact", "verify", "ann"]),
        "both see the same words"
    );
    let contacts = ann.json(&["contact", "list", "--json"]);
    assert_eq!(
        (&contacts[0]["label"], &contacts[0]["allowed_routes"]),
        (&json!("ben"), &json!("lan"))
    );

    let capture = lab.node(0).capture();
    let (mut a, mut b) = (lan(ann), lan(ben));
    near(&a, "ben");
    near(&b, "ann");
    let (to_ben, to_ann) = (a.conversation("ben"), b.conversation("ann"));
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let since = Instant::now();
        say(&mut a, n, &to_ben, &format!("marker-of-ann {n}"));
        b.event("message", |e| e["message"]["text"] == format!("marker-of-ann {n}"));
        slowest = slowest.max(since.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let since = Instant::now();
    for n in 0..500 {
        say(&mut a, 1_000 + n, &to_ben, &format!("from ann {n}"));
        say(&mut b, 1_000 + n, &to_ann, &format!("from ben {n}"));
    }
    all_shown(&b, (0..500).map(|n| format!("from ann {n}")), LONG);
    all_shown(&a, (0..500).map(|n| format!("from ben {n}")), LONG);
    println!("1,000 messages both ways in {:?}, slowest of 20 alone {slowest:?}", since.elapsed());
    // The sender learns of it by the acknowledgement that came back the same way.
    a.event("state", |e| e["state"] == "delivered");

    let seen = capture.finish();
    assert!(seen.len() > 100_000, "something was captured: {} B", seen.len());
    // Three letters, as names have here, come by chance.
    for secret in ["marker-of", "from ann", "from ben", "hushwing:"] {
        assert!(!contains(&seen, secret.as_bytes()), "{secret} was seen on the wire");
    }
    a.end();
    b.end();
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// Along a line where only neighbours hear each other, a box travels four hops and no further.
#[test]
fn along_a_line_a_message_travels_its_hops_and_no_further() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let names = ["ann", "ben", "cem", "dora", "eva", "finn"];
    let together = Lab::bridge(6);
    let mut everybody = people(&together, home.path(), &names);
    for i in 0..5 {
        befriend(&everybody[i], &everybody[i + 1]);
    }
    befriend(&everybody[0], &everybody[4]);
    befriend(&everybody[0], &everybody[5]);
    drop(together);

    let line = Lab::line(6);
    for (i, person) in everybody.iter_mut().enumerate() {
        person.namespace = Some(line.node(i).namespace().to_owned());
    }
    let mut running: Vec<Rpc> = everybody.iter().map(lan).collect();
    for i in 0..5 {
        near(&running[i], names[i + 1]);
        near(&running[i + 1], names[i]);
    }
    let (finn, eva) = (running[0].conversation("finn"), running[0].conversation("eva"));
    say(&mut running[0], 1, &finn, "too far");
    say(&mut running[0], 2, &eva, "four hops");
    all_shown(&running[4], std::iter::once("four hops".to_owned()), LONG);
    running[0].event("state", |e| e["conversation"] == eva && e["state"] == "delivered");
    // What went first and further has had all the time that the other had.
    assert!(is_silent(&running[5]));
    running[5].ask(9, "mesh", &json!({}));
    assert_eq!(running[5].answer(9)["result"]["neighbours"][0]["label"], "eva");
    running.into_iter().for_each(|r| drop(r.end()));
}

/// Somebody who was cut off and comes back brings what they said and fetches what they missed,
/// through loss and delay.
#[test]
fn who_was_away_brings_and_fetches_over_a_bad_wifi() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::bridge(3);
    let people = people(&lab, home.path(), &["ann", "ben", "cem"]);
    let [ann, ben, cem] = people.as_slice() else { unreachable!() };
    befriend(ann, ben);
    befriend(ben, cem);
    befriend(ann, cem);
    let (mut a, mut b, mut c) = (lan(ann), lan(ben), lan(cem));
    near(&a, "cem");
    near(&b, "ann");
    near(&b, "cem");
    for i in 0..3 {
        if !lab.node(i).netem("loss 5% delay 200ms") {
            println!("this kernel has no netem: loss by the firewall, and no delay");
            lab.node(i).lose(5);
        }
    }
    lab.cut(2);
    let (to_cem, to_ann) = (a.conversation("cem"), c.conversation("ann"));
    let before = carried(&mut b, 500);
    for n in 0..100 {
        say(&mut a, n, &to_cem, &format!("while you were away {n}"));
        say(&mut c, n, &to_ann, &format!("while I was away {n}"));
    }
    // Ben has all that Ann said: now Ann goes, and Cem comes back.
    let end = Instant::now() + LONG;
    let mut id = 501;
    while carried(&mut b, id) < before + 100 {
        id += 1;
        assert!(Instant::now() < end);
        let lines = b.process.stdout.all().len();
        let _ = b
            .process
            .stdout
            .wait_for(Duration::from_millis(200), |l| (l.len() > lines).then_some(()));
    }
    lab.cut(0);
    lab.join(2);
    all_shown(&c, (0..100).map(|n| format!("while you were away {n}")), LONG);
    lab.join(0);
    all_shown(&a, (0..100).map(|n| format!("while I was away {n}")), LONG);
    a.event("state", |e| e["state"] == "delivered");
    a.end();
    b.end();
    c.end();
}

/// On a stick: no network at all.
#[test]
fn messages_travel_on_a_stick() {
    if !can() {
        return;
    }
    let (_lab, home, [ann, ben]) = two();
    let (ann, ben) = (&ann, &ben);
    befriend(ann, ben);
    let stick = home.path().join("stick");
    let stick = stick.to_str().expect("UTF-8");
    ann.ok(&["send", "ben", "on a stick", "--queue"]);
    ann.ok(&["lan", "bundle", "out", stick, "--for", "ben"]);
    ann.fails(&["lan", "bundle", "out", stick], 3, "cannot be written");
    let read = ben.ok(&["lan", "bundle", "in", stick]);
    assert!(read.contains("on a stick"), "{read}");
    assert!(!ben.ok(&["lan", "bundle", "in", stick]).contains("on a stick"), "once");
    let back = format!("{stick}-back");
    ben.ok(&["lan", "bundle", "out", &back]);
    ann.ok(&["lan", "bundle", "in", &back]);
    let said = ann.json(&["history", "ben", "--json"]);
    assert_eq!(said.last().expect("a message")["state"], "delivered");
    let mut half = std::fs::read(&back).expect("a bundle");
    half.truncate(half.len() - 10);
    std::fs::write(&back, half).expect("written");
    ann.fails(&["lan", "bundle", "in", &back], 3, "ends in the middle");
}

/// The same conversation by the hub and by the LAN: each message is shown once; what only the LAN
/// had reaches the hub.
#[test]
fn mesh_and_hub_at_once_show_everything_once() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let ann = Person::new(home.path(), "ann", Some(&world));
    let ben = Person::new(home.path(), "ben", None);
    ann.befriend(&ben);
    for person in [&ann, &ben] {
        person.ok(&["profile", "config", "set", "lan", "on"]);
        person.ok(&["profile", "config", "set", "lan_interfaces", "lo"]);
    }
    let (mut a, mut b) = (Rpc::start(&ann), Rpc::start(&ben));
    near(&a, "ben");
    near(&b, "ann");
    let (to_ben, to_ann) = (a.conversation("ben"), b.conversation("ann"));
    for n in 0..200 {
        say(&mut a, n, &to_ben, &format!("both ways {n}"));
        say(&mut b, n, &to_ann, &format!("and back {n}"));
    }
    all_shown(&b, (0..200).map(|n| format!("both ways {n}")), LONG);
    all_shown(&a, (0..200).map(|n| format!("and back {n}")), LONG);
    a.event("state", |e| e["state"] == "delivered");
    a.end();
    b.end();
}

/// What was said to a group on the LAN reaches a member elsewhere through the hub: a reader brings
/// it there.
#[test]
fn a_reader_brings_to_the_hub_what_its_author_cannot() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let ann = Person::new(home.path(), "ann", Some(&world));
    let [ben, cem] = ["ben", "cem"].map(|name| Person::new(home.path(), name, None));
    ann.befriend(&ben);
    ann.befriend(&cem);
    // Ann founds a group and lets both in.
    let (mut a, mut b, mut c) = (Rpc::start(&ann), Rpc::start(&ben), Rpc::start(&cem));
    a.ask(1, "create_group", &json!({ "title": "table" }));
    let table = a.answer(1)["result"]["conversation"].clone();
    for (n, (rpc, name)) in [(&mut b, "ben"), (&mut c, "cem")].into_iter().enumerate() {
        let contact = a.conversation(name);
        a.ask(10 + n as u64, "invite_to_group", &json!({ "group": table, "contact": contact }));
        let invited = rpc.event("group_invite", |e| e["invite"]["title"] == "table");
        let invite = &invited["invite"]["id"];
        rpc.ask(1, "answer_group_invite", &json!({ "invite": invite, "accept": true }));
        rpc.event("opened", |e| e["label"] == "table");
    }
    b.event("conversation", |e| e["text"].as_str().is_some_and(|t| t.contains("added cem")));
    [a, b, c].into_iter().for_each(|r| drop(r.end()));
    for person in [&ann, &ben] {
        person.ok(&["profile", "config", "set", "lan_interfaces", "lo"]);
    }
    // Ann has no way to the hub, Cem none to the LAN.
    let mut a = lan(&ann);
    let b = Rpc::start_with(&ben, &["--lan", "on"]);
    let c = Rpc::start(&cem);
    near(&a, "ben");
    say(&mut a, 1, &table, "from the cellar");
    b.event("message", |e| e["message"]["text"] == "from the cellar");
    c.event("message", |e| e["message"]["text"] == "from the cellar");
    all_shown(&c, std::iter::once("from the cellar".to_owned()), SOON);
    [a, b, c].into_iter().for_each(|r| drop(r.end()));
}

/// A file goes over the LAN, and goes on after either side was killed in the middle.
#[test]
fn a_file_goes_over_the_lan_and_survives_a_kill() {
    if !can() {
        return;
    }
    let (_lab, home, [ann, ben]) = two();
    let (ann, ben) = (&ann, &ben);
    befriend(ann, ben);
    let file = home.path().join("film");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&file, &bytes).expect("written");
    let (mut a, mut b) = (lan(ann), lan(ben));
    near(&a, "ben");
    let to_ben = a.conversation("ben");
    a.ask(1, "send_file", &json!({ "conversation": to_ben, "path": file }));
    let offered = b.event("file", |e| e["file"]["state"] == "offered");
    b.ask(1, "accept_file", &json!({ "transfer": offered["file"]["transfer"] }));
    b.event("file", |e| {
        e["file"]["state"] == "moving" && e["file"]["done"].as_u64() > Some(300_000)
    });
    a.process.kill();
    let a = lan(ann);
    b.process.kill();
    let b = lan(ben);
    near(&a, "ben");
    let done = b.event("file", |e| e["file"]["state"] == "done");
    let path = done["file"]["path"].as_str().expect("a path").to_owned();
    assert!(std::fs::read(path).expect("the file") == bytes);
    a.end();
    b.end();
}

/// `doctor` says what a firewall does to the local network.
#[test]
fn doctor_tells_of_a_firewall() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::bridge(1);
    let people = people(&lab, home.path(), &["ann"]);
    let found = people[0].ok(&["doctor", "--lan"]);
    assert!(found.lines().count() == 3 && found.lines().all(|l| l.starts_with("ok")), "{found}");
    lab.node(0).drop_multicast();
    people[0].fails(&["doctor", "--lan"], 5, "a firewall drops UDP port 54545");
    lab.node(0).open_firewall();
    lab.node(0).firewall("input", "tcp dport 45454-45554 drop");
    people[0].fails(&["doctor", "--lan"], 5, "TCP is broken");
}
