//! What all roles and clients log at their most talkative: nothing that could hurt anybody.

mod common;

use std::io::Write;

use common::{Chat, SOON, World, run};

const MARKER: &str = "teapot-elephant";
const NICKS: [&str; 2] = ["quetzalcoatl", "bartholomew"];

/// What must not be in any log.
struct Forbidden {
    what: &'static str,
    text: String,
}

/// The room's secrets as somebody would print them: parts of the text and of its bytes, in
/// hexadecimal and as lists.
fn of_link(link: &str) -> Vec<Forbidden> {
    let data = link.split('#').nth(1).expect("a link has a fragment");
    let bytes = data_encoding::BASE64URL_NOPAD.decode(data.as_bytes()).expect("base64url");
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let mut all: Vec<Forbidden> = data
        .as_bytes()
        .windows(16)
        .map(|w| Forbidden { what: "link", text: String::from_utf8_lossy(w).into_owned() })
        .collect();
    // A node's short name is 8 digits of its id, which is public; anything longer is not said.
    all.extend(hex.as_bytes().windows(20).map(|w| Forbidden {
        what: "link in hexadecimal",
        text: String::from_utf8_lossy(w).into_owned(),
    }));
    all.extend(bytes.windows(6).map(|w| {
        let list: Vec<String> = w.iter().map(ToString::to_string).collect();
        Forbidden { what: "link as a list", text: list.join(", ") }
    }));
    all
}

fn leak<'a>(lines: &'a [String], forbidden: &'a [Forbidden]) -> Option<(&'a str, &'a str)> {
    lines.iter().find_map(|line| {
        let lower = line.to_lowercase();
        let found = forbidden.iter().find(|f| line.contains(&f.text) || lower.contains(&f.text))?;
        Some((found.what, line.as_str()))
    })
}

/// The addresses that a line tells, the one that it says to listen on left out.
fn tells_address(line: &str) -> bool {
    let told = line.contains("listens on 127.0.0.1:");
    line.matches("127.0.0.1").count() > usize::from(told)
}

#[test]
fn the_searching_finds_what_is_there() {
    let link = "hushwing:room#AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let forbidden = of_link(link);
    for bad in ["x AAECAwQFBgcICQoLDA0O", "key 000102030405060708090a0b0c", "[0, 1, 2, 3, 4, 5, 6]"]
    {
        assert!(leak(&[bad.to_owned()], &forbidden).is_some(), "{bad}");
    }
    assert!(leak(&["relay 00010203 is up".to_owned()], &forbidden).is_none());
    assert!(!tells_address("relay 1 listens on 127.0.0.1:7"));
    assert!(tells_address("relay 1 listens on 127.0.0.1:7, 127.0.0.1:9 came"));
}

#[test]
fn no_log_of_any_role_tells_anything() {
    let mut world = World::new().relays(4).epoch(20).verbose().start();
    let mut chats: Vec<Chat> = NICKS.iter().map(|nick| world.chat(nick)).collect();
    chats.push(world.chat_with("direct-reader", &["--route", "direct"]));
    let rounds = |chats: &mut Vec<Chat>, from: usize| {
        for n in from..from + 5 {
            for (speaker, nick) in NICKS.iter().enumerate() {
                let text = format!("{MARKER} {speaker} {n}");
                chats[speaker].say(&text);
                for (reader, chat) in
                    chats.iter().enumerate().filter(|(reader, _)| *reader != speaker)
                {
                    let _ = reader;
                    chat.expect_message(nick, &text, SOON);
                }
            }
        }
    };
    rounds(&mut chats, 0);
    // Whatever goes wrong is logged as well: strangers, deaths, a wrong token, a full restart.
    for port in [world.hub().port, world.relay(1).port, world.directory().port] {
        let mut stranger = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let _ = stranger.write_all(format!("GET /{MARKER} HTTP/1.1\r\n\r\n").as_bytes());
    }
    chats[0].say("/nick Bartholomeus");
    chats[0].say("/who");
    chats[0].say("/link");
    chats[0].expect("link", SOON, |e| e["event"] == "link");
    chats[0].say("/nick quetzalcoatl");
    world.relay(1).kill();
    rounds(&mut chats, 5);
    world.relay(1).restart();
    world.hub().kill();
    world.hub().restart();
    rounds(&mut chats, 10);
    world.directory().kill();
    world.directory().restart();
    world.ready();
    rounds(&mut chats, 15);
    let doctor = run(["doctor", world.link(), "-vv"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");

    let mut forbidden = of_link(world.link());
    for text in [MARKER, NICKS[0], NICKS[1], "artholomeus", "direct-reader", "hushwing:room"] {
        forbidden.push(Forbidden { what: "nick or message", text: text.to_owned() });
    }
    world.stop();
    let mut logs: Vec<(String, Vec<String>)> =
        world.roles().map(|r| (r.name.clone(), r.log.all())).collect();
    logs.push(("doctor".to_owned(), doctor.stderr.lines().map(str::to_owned).collect()));
    for chat in chats {
        logs.push((chat.nick.clone(), chat.process.stderr.all()));
    }
    let lines: usize = logs.iter().map(|(_, lines)| lines.len()).sum();
    println!("{lines} lines of logs looked at");
    // Silence would prove nothing.
    assert!(lines > 40, "{lines}");
    for (role, lines) in &logs {
        if let Some((what, line)) = leak(lines, &forbidden) {
            panic!("{role} tells a {what}: {line}");
        }
        if let Some(line) = lines.iter().find(|l| tells_address(l)) {
            panic!("{role} tells an address: {line}");
        }
    }
}
