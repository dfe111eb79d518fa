//! Stories: what typed names reach, with an engine that is a few lines of this test.

mod fake;

use clap::{CommandFactory, Parser};

pub(crate) use self::fake::{Fake, FakeConversation};
use crate::{Commands, HEADINGS};

#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    command: Commands,
}

fn parse(words: &[&str]) -> Result<Commands, clap::Error> {
    let words = std::iter::once(&"hushwing").chain(words);
    Program::try_parse_from(words).map(|program| program.command)
}

/// Runs a command line; the text of the failure, and its exit code, if it fails.
async fn run(fake: &Fake, words: &[&str]) -> Result<(), (u8, String)> {
    let done = crate::run(parse(words).unwrap(), fake.profiles()).await;
    done.map_err(|failure| (failure.code(), failure.to_string()))
}

/// alice has `family` (with mallory) and calls `work` (with mallory and eve) `office`. Then mallory
/// renames `family` to `kin` and `work` to `family`.
fn after_the_swap() -> (Fake, FakeConversation, FakeConversation) {
    let family = FakeConversation::group(1, "kin").formerly("family");
    let work = FakeConversation::group(2, "family").formerly("work").own("office");
    (Fake::new([family.clone(), work.clone()]), family, work)
}

#[tokio::test]
async fn a_name_that_others_moved_to_another_group_reaches_nobody() {
    let (fake, family, _) = after_the_swap();
    let (code, text) = run(&fake, &["send", "family", "hi", "--queue"]).await.unwrap_err();
    assert_eq!(code, 3);
    assert!(text.contains("kin") && text.contains(&family.id.short()), "{text}");
    assert!(text.contains("hint: type the name as it is now, or the id"), "{text}");
    assert_eq!(fake.asked("send"), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn the_own_name_reaches_what_it_was_given_to() {
    let (fake, family, work) = after_the_swap();
    run(&fake, &["send", "office", "one", "--queue"]).await.unwrap();
    run(&fake, &["send", "kin", "two", "--queue"]).await.unwrap();
    run(&fake, &["send", &family.id.short(), "three", "--queue"]).await.unwrap();
    let reached: Vec<String> =
        fake.asked("send").iter().map(|r| r["conversation"].as_str().unwrap().to_owned()).collect();
    assert_eq!(reached, [work.id, family.id, family.id].map(|id| id.to_string()));
    assert_eq!(fake.asked("resolve").len(), 3, "one request for each typed name");
}

#[tokio::test]
async fn an_exact_own_name_comes_before_titles_of_others() {
    let mine = FakeConversation::contact(1, "robert").own("family");
    let fake = Fake::new([mine.clone(), FakeConversation::group(2, "family")]);
    run(&fake, &["send", "family", "hi", "--queue"]).await.unwrap();
    assert_eq!(fake.asked("send")[0]["conversation"], mine.id.to_string());
}

#[tokio::test]
async fn an_ambiguous_name_is_refused_with_the_candidates_and_their_ids() {
    let (one, two) = (FakeConversation::group(1, "family"), FakeConversation::group(2, "family"));
    let fake = Fake::new([one.clone(), two.clone()]);
    let commands: [&[&str]; 6] = [
        &["send", "family", "hi", "--queue"],
        &["history", "family"],
        &["group", "leave", "family"],
        &["group", "forget", "family", "--yes"],
        &["message", "export", "family"],
        &["group", "remove", "family", "eve"],
    ];
    for words in commands {
        let (code, text) = run(&fake, words).await.unwrap_err();
        assert_eq!(code, 3, "{words:?}");
        for candidate in [&one, &two] {
            let line = format!("\n  {}  family", candidate.id.short());
            assert!(text.contains(&line), "{words:?}: {text}");
        }
        assert!(text.ends_with("hint: type the id of the one that you mean"), "{text}");
    }
    for method in ["send", "history", "leave", "forget", "history_after", "remove_member"] {
        assert!(fake.asked(method).is_empty(), "{method}");
    }
}

#[tokio::test]
async fn a_rename_while_a_command_runs_changes_nothing() {
    // Between the look-up and the sending the titles are swapped.
    let (one, two) = (FakeConversation::group(1, "family"), FakeConversation::group(2, "work"));
    let fake = Fake::new([one.clone(), two]);
    fake.after_resolve(|talks| {
        let (left, right) = talks.split_at_mut(1);
        std::mem::swap(&mut left[0].given, &mut right[0].given);
    });
    run(&fake, &["send", "family", "hi", "--queue"]).await.unwrap();
    assert_eq!(fake.asked("send")[0]["conversation"], one.id.to_string());
}

#[tokio::test]
async fn a_noun_finds_only_its_kind() {
    let (bob, choir) = (FakeConversation::contact(1, "bob"), FakeConversation::group(2, "choir"));
    let fake = Fake::new([bob.clone(), choir.clone()]);
    let (_, text) = run(&fake, &["contact", "leave", "choir"]).await.unwrap_err();
    assert!(text.contains("conversation not found"), "{text}");
    run(&fake, &["group", "leave", "choir"]).await.unwrap();
    run(&fake, &["contact", "leave", "bob"]).await.unwrap();
    // The old spelling knew no kinds.
    run(&fake, &["leave", "choir"]).await.unwrap();
    let left: Vec<_> = fake.asked("leave").iter().map(|r| r["conversation"].clone()).collect();
    assert_eq!(left, [choir.id, bob.id, choir.id].map(|id| id.to_string()));
}

#[tokio::test]
async fn an_own_name_is_set_and_cleared() {
    let bob = FakeConversation::contact(1, "bob");
    let fake = Fake::new([bob]);
    run(&fake, &["contact", "name", "bob", "robert"]).await.unwrap();
    run(&fake, &["contact", "name", "robert", "--clear"]).await.unwrap();
    let names: Vec<_> = fake.asked("set_own_name").iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, [serde_json::json!("robert"), serde_json::Value::Null]);
    assert!(parse(&["contact", "name", "bob"]).is_err());
    assert!(parse(&["contact", "name", "bob", "x", "--clear"]).is_err());
}

/// Every earlier spelling with arguments, and what is typed now.
const SPELLINGS: &[(&str, &str)] = &[
    ("init --name alice", "profile init --name alice"),
    ("invites --json", "invite list --json"),
    ("revoke 12ab", "invite revoke 12ab"),
    ("contacts", "contact list"),
    ("groups --json", "group list --json"),
    ("members choir", "group members choir"),
    ("verify bob --yes", "contact verify bob --yes"),
    ("name bob robert", "contact name bob robert"),
    ("floor bob onion", "contact routes bob onion"),
    ("timer bob 1d", "contact timer bob 1d"),
    ("leave bob --timeout 5s", "contact leave bob --timeout 5s"),
    ("forget bob --yes", "contact forget bob --yes"),
    ("edit 12ab text", "message edit 12ab text"),
    ("delete 12ab", "message delete 12ab"),
    ("react 12ab + --remove", "message react 12ab + --remove"),
    ("cancel 12ab", "message cancel 12ab"),
    ("why 12ab", "message why 12ab"),
    ("export bob --format html", "message export bob --format html"),
    ("files", "file list"),
    ("fetch 12ab --to here", "file fetch 12ab --to here"),
    ("refuse 12ab", "file refuse 12ab"),
    ("backup file", "profile backup file"),
    ("restore file --no-passphrase", "profile restore file --no-passphrase"),
    ("mesh --stay", "lan mesh --stay"),
    ("nearby --show", "lan nearby --show"),
    ("bundle out file", "lan bundle out file"),
    ("config set lan on", "profile config set lan on"),
    ("wipe --yes", "profile wipe --yes"),
    ("daemon --stop", "profile daemon --stop"),
    ("rpc --schema", "profile rpc --schema"),
];

#[test]
fn old_spellings_still_work_and_name_the_new_one() {
    let help = Program::command().render_long_help().to_string();
    for (old, new) in SPELLINGS {
        let words: Vec<&str> = old.split(' ').collect();
        let Commands::Old(command) = parse(&words).unwrap() else { panic!("{old} is not old") };
        let (spelling, now) = command.spelling();
        assert_eq!(spelling, words[0]);
        let noun = now.replace("contact/group", "contact");
        assert!(new.starts_with(&noun), "{now}: {new}");
        let words: Vec<&str> = new.split(' ').collect();
        let parsed = parse(&words).unwrap_or_else(|e| panic!("{new}: {e}"));
        assert!(!matches!(parsed, Commands::Old(_)), "{new}");
        let listed = help.lines().any(|l| l.trim_start().starts_with(&format!("{spelling} ")));
        assert!(!listed, "{spelling} is listed: {help}");
    }
    // No old spelling is missing above.
    let hidden = Program::command().get_subcommands().filter(|c| c.is_hide_set()).count();
    assert_eq!(hidden, SPELLINGS.len());
}

#[test]
fn every_command_stands_under_one_heading() {
    let listed: Vec<&str> = HEADINGS.iter().flat_map(|(_, names)| *names).copied().collect();
    for command in Program::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let times = listed.iter().filter(|name| **name == command.get_name()).count();
        assert_eq!(times, 1, "{}", command.get_name());
    }
}

#[test]
fn the_command_line_is_sound() {
    Program::command().debug_assert();
    // `invite` has both arguments and commands of its own.
    assert!(parse(&["invite", "--as", "bob", "--wait"]).is_ok());
    assert!(parse(&["invite", "list"]).is_ok());
    assert!(parse(&["invite", "--wait", "list"]).is_err());
}
