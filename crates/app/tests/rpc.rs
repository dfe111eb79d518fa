//! `hushwing profile rpc`, and the bot that is made with it.

mod common;
mod person;

use std::path::Path;
use std::process::Command;

use common::{Lines, Process, SOON, World, run};
use person::Person;
use person::rpc::Rpc;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_documented_schema_is_the_programs() {
    let printed = run(["profile", "rpc", "--schema"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    let documented =
        std::fs::read_to_string(root().join("docs/rpc.schema.json")).expect("docs/rpc.schema.json");
    assert!(
        printed.stdout == documented,
        "docs/rpc.schema.json is out of date: hushwing profile rpc --schema > docs/rpc.schema.json"
    );
}

#[test]
fn a_conversation_by_rpc() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let (mut a, mut b) = (Rpc::start(&alice), Rpc::start(&bob));
    a.ask(1, "invite", &json!({}));
    let link = a.answer(1)["result"]["link"].clone();
    // A slow answer holds no other up: this invite's other side never comes.
    b.ask(1, "accept", &json!({ "link": link }));
    b.ask(2, "status", &json!({}));
    assert_eq!(b.answer(2)["result"]["profile"], "bob");
    let alices = b.answer(1)["result"].clone();
    let used = a.event("invite_used", |e| e["label"] == "bob");
    let (to_alice, to_bob) = (&alices["conversation"], &used["conversation"]);
    assert_eq!(alices, json!({ "conversation": b.conversation("alice"), "label": "alice" }));
    assert_eq!(*to_bob, a.conversation("bob"));
    for n in 10..20 {
        a.ask(n, "send", &json!({ "conversation": to_bob, "text": format!("number {n}") }));
    }
    for n in 10..20 {
        b.event("message", |e| {
            e["message"]["text"] == format!("number {n}") && e["message"]["you"] == false
        });
    }
    // In the order of the lines.
    b.ask(3, "history", &json!({ "conversation": to_alice }));
    let history = b.answer(3);
    let all = history["result"].as_array().expect("messages").iter();
    let texts: Vec<_> =
        all.filter(|m| m["kind"] == "text").filter_map(|m| m["text"].as_str()).collect();
    assert_eq!(texts, (10..20).map(|n| format!("number {n}")).collect::<Vec<_>>());
    // A batch, a notification in it, and all that can be wrong.
    let nobody = "0".repeat(32);
    b.write(
        &json!([
            { "jsonrpc": "2.0", "id": 30, "method": "status" },
            {
                "jsonrpc": "2.0",
                "method": "send",
                "params": { "conversation": to_alice, "text": "last words" },
            },
            {
                "jsonrpc": "2.0",
                "id": 31,
                "method": "send",
                "params": { "conversation": nobody, "text": "x" },
            },
        ])
        .to_string(),
    );
    let batch = b.wait("batch", Value::is_array);
    assert_eq!(batch.as_array().map(Vec::len), Some(2));
    let error = &batch[1]["error"];
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(1), &json!("local_config")));
    assert_eq!(
        (&error["data"]["reason"], &error["data"]["what"]),
        (&json!("no_such"), &json!("conversation"))
    );
    assert_eq!(error["message"], error["data"]["text"]);
    b.write("no JSON");
    b.wait("parse error", |v| v["error"]["code"] == -32_700);
    b.ask(40, "fly", &json!({}));
    assert_eq!(b.answer(40)["error"]["code"], -32_601);
    b.ask(41, "send", &json!({ "conversation": to_alice }));
    assert_eq!(b.answer(41)["error"]["code"], -32_602);
    // A name never stands for a conversation.
    b.ask(42, "send", &json!({ "conversation": "alice", "text": "x" }));
    assert_eq!(b.answer(42)["error"]["code"], -32_602);
    assert_eq!(b.resolve("zoe")["error"]["data"]["reason"], "no_such");
    b.write(&format!("\"{}\"", "x".repeat(1 << 20)));
    b.wait("long line", |v| v["error"]["code"] == -32_600);
    // The end of input sends what is queued.
    b.ask(50, "send", &json!({ "conversation": to_alice, "text": "bye" }));
    let said = b.end();
    assert!(said.iter().any(|l| l.contains("\"id\":50") && l.contains("result")), "{said:?}");
    a.event("message", |e| e["message"]["text"] == "last words");
    a.event("message", |e| e["message"]["text"] == "bye");
    a.end();
}

#[test]
fn the_echo_bot_answers() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not installed");
        return;
    }
    let source = std::fs::read_to_string(root().join("examples/echo_bot.py")).expect("the example");
    assert!(source.lines().count() <= 20, "an example is short");
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bot = Person::new(home.path(), "bot", None);
    alice.befriend(&bot);
    let mut command = Command::new("python3");
    command.arg(root().join("examples/echo_bot.py")).arg(env!("CARGO_BIN_EXE_hushwing"));
    command.env("HUSHWING_HOME", home.path()).env("HUSHWING_PROFILE", "bot");
    let echo = Process::spawn("echo bot", command, Lines::default());
    let mut talking = alice.start(&["talk", "bot"]);
    talking.write("is anybody there?\n\"quoted\" und ünïcödé\n");
    for text in ["bot: is anybody there?", "bot: \"quoted\" und ünïcödé"] {
        assert!(
            talking.stdout.wait_line(0, text, SOON).is_some(),
            "{:?}\n{:?}",
            talking.stderr.all(),
            echo.stderr.all()
        );
    }
    talking.close_stdin();
    assert_eq!(talking.wait(SOON).code(), Some(0), "{:?}", talking.stderr.all());
    assert_eq!(talking.stdout.all().len(), 2, "{:?}", talking.stdout.all());
}
