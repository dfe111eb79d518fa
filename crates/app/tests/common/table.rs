//! People who talk in several conversations, and what each of them must have heard: everything
//! that was said, once, and in its author's order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Chat, LONG, Lines, Process, Rpc};

/// What a front end has told so far: each line is read once.
#[derive(Default)]
struct Heard {
    read: usize,
    /// Texts of others, by conversation and author.
    texts: BTreeMap<(String, String), Vec<String>>,
    /// Whether it says that it is connected, and in which words.
    network: Option<(bool, String)>,
    /// Transfers that somebody offered and that nobody has taken yet.
    offered: Vec<Value>,
    /// Files that have come: their names, and where they are.
    files: BTreeMap<String, PathBuf>,
}

impl Heard {
    fn follow(&mut self, lines: &Lines) {
        for line in lines.since(self.read) {
            self.read += 1;
            // Most lines of a chat tell paths and answers.
            let dull = [r#"{"event":"path""#, r#"{"event":"answered""#];
            if dull.iter().any(|start| line.starts_with(start)) {
                continue;
            }
            let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
            if value["method"] == "event" {
                self.of_profile(&value["params"]);
            } else {
                self.of_chat(&value);
            }
        }
    }

    fn text(&mut self, conversation: &Value, message: &Value) {
        if message["you"] == false {
            let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let key = (word(conversation), word(&message["from"]));
            self.texts.entry(key).or_default().push(word(&message["text"]));
        }
    }

    fn of_chat(&mut self, event: &Value) {
        match event["event"].as_str() {
            Some("message") => self.text(&json!(ROOM), event),
            Some("network") => self.network(&event["up"], event),
            _ => {}
        }
    }

    fn of_profile(&mut self, event: &Value) {
        match event["event"].as_str() {
            Some("message") if event["message"]["kind"] == "text" => {
                self.text(&event["message"]["conversation"], &event["message"]);
            }
            Some("network") => self.network(&event["online"], event),
            Some("file") if event["file"]["ours"] == false => self.file(&event["file"]),
            Some("notice") => assert!(
                !event["text"].as_str().unwrap_or_default().contains("were not shown"),
                "the test reads too slowly"
            ),
            _ => {}
        }
    }

    fn network(&mut self, up: &Value, event: &Value) {
        let text = event["text"].as_str().unwrap_or_default();
        self.network = Some((up == true, text.to_owned()));
    }

    fn file(&mut self, file: &Value) {
        let name = file["name"].as_str().unwrap_or_default().to_owned();
        match file["state"].as_str() {
            Some("offered") => self.offered.push(file["transfer"].clone()),
            Some("done") => {
                let path = file["path"].as_str().expect("a path");
                let again = self.files.insert(name.clone(), path.into());
                assert!(again.is_none(), "{name} came twice");
            }
            Some("failed" | "cancelled") => panic!("a file came to nothing: {file}"),
            _ => {}
        }
    }
}

enum Front {
    Chat(Chat),
    Profile(Rpc),
}

/// Somebody who talks and listens.
pub struct Talker {
    /// The name that others see.
    pub name: String,
    front: Front,
    heard: Heard,
}

impl Talker {
    /// The process.
    pub fn process(&self) -> &Process {
        match &self.front {
            Front::Chat(chat) => &chat.process,
            Front::Profile(rpc) => &rpc.process,
        }
    }

    fn rpc(&mut self) -> &mut Rpc {
        match &mut self.front {
            Front::Profile(rpc) => rpc,
            Front::Chat(_) => panic!("{} has no profile", self.name),
        }
    }

    fn say(&mut self, conversation: &str, text: &str) {
        match &mut self.front {
            Front::Chat(chat) => chat.say(text),
            // Nobody waits for the answer: the process may be stopped.
            Front::Profile(rpc) => {
                rpc.request("send", json!({ "conversation": conversation, "text": text }));
            }
        }
    }

    /// Whether it says that messages can travel, and in which words.
    pub fn network(&mut self) -> (bool, String) {
        self.listen();
        self.heard.network.clone().unwrap_or_default()
    }

    fn listen(&mut self) {
        let lines = match &self.front {
            Front::Chat(chat) => &chat.process.stdout,
            Front::Profile(rpc) => &rpc.process.stdout,
        };
        self.heard.follow(lines);
        for transfer in std::mem::take(&mut self.heard.offered) {
            self.rpc().request("accept_file", json!({ "transfer": transfer }));
        }
    }

    /// What happened, for the message of a failed test.
    pub fn story(&self) -> String {
        match &self.front {
            Front::Chat(chat) => chat.story(),
            Front::Profile(rpc) => format!("{}: {}", self.name, rpc.story()),
        }
    }
}

/// What all chats call their room here.
const ROOM: &str = "room";

/// Some of them, and what they said to each other.
struct Conversation {
    title: String,
    /// Numbers of people, the conversation's id with each, and how much each has said.
    members: Vec<(usize, String, usize)>,
}

/// People, and all that they say.
#[derive(Default)]
pub struct Table {
    /// The people.
    pub people: Vec<Talker>,
    conversations: Vec<Conversation>,
    /// Files that were sent: to whom, the name, the content.
    files: Vec<(usize, String, Vec<u8>)>,
    /// How many lines [`Table::wrong`] has looked at, by conversation, reader and author.
    checked: BTreeMap<[String; 3], usize>,
}

impl Table {
    /// These chats, all in one room.
    pub fn room(&mut self, chats: Vec<Chat>) {
        let first = self.people.len();
        let members = (first..first + chats.len()).map(|who| (who, ROOM.to_owned(), 0)).collect();
        self.conversations.push(Conversation { title: ROOM.to_owned(), members });
        for chat in chats {
            let (name, front) = (chat.nick.clone(), Front::Chat(chat));
            self.people.push(Talker { name, front, heard: Heard::default() });
        }
    }

    /// Somebody with a profile joins; their number.
    pub fn seat(&mut self, rpc: Rpc) -> usize {
        let (name, front) = (rpc.profile.clone(), Front::Profile(rpc));
        self.people.push(Talker { name, front, heard: Heard::default() });
        self.people.len() - 1
    }

    /// Two become contacts, who meet in this network, and talk from now on.
    pub fn befriend(&mut self, one: usize, other: usize, network: &str) {
        let names = [one, other].map(|who| self.people[who].name.clone());
        let invite = self.people[one].rpc().ask("invite", json!({ "network": network }));
        self.people[other].rpc().ask("accept", json!({ "link": invite["link"] }));
        let rpc = self.people[one].rpc();
        rpc.wait_event(|e| e["event"] == "opened" && e["label"] == names[1]);
        let ids = [rpc.conversation(&names[1]), self.people[other].rpc().conversation(&names[0])];
        let [a, b] = ids;
        let members = vec![(one, a, 0), (other, b, 0)];
        self.conversations.push(Conversation { title: names.join(" and "), members });
    }

    /// One creates a group, and contacts join it.
    pub fn group(&mut self, title: &str, founder: usize, others: &[usize]) {
        let made = self.people[founder].rpc().ask("create_group", json!({ "title": title }));
        let group = made["conversation"].as_str().expect("an id").to_owned();
        let mut members = vec![(founder, group.clone(), 0)];
        for &other in others {
            let name = self.people[other].name.clone();
            let rpc = self.people[founder].rpc();
            let contact = rpc.conversation(&name);
            rpc.ask("invite_to_group", json!({ "group": group, "contact": contact }));
            let rpc = self.people[other].rpc();
            let mine = |e: &Value| e["event"] == "group_invite" && e["invite"]["title"] == title;
            let invite = rpc.wait_event(mine)["invite"]["id"].clone();
            rpc.ask("answer_group_invite", json!({ "invite": invite, "accept": true }));
            rpc.wait_event(|e| e["event"] == "opened" && e["label"] == title);
            members.push((other, rpc.conversation(title), 0));
        }
        // All know all before anybody speaks.
        for &(who, ref id, _) in &members {
            self.people[who].rpc().wait_members(id, members.len());
        }
        self.conversations.push(Conversation { title: title.to_owned(), members });
    }

    /// Everybody says a line in each of their conversations.
    pub fn speak(&mut self) {
        for conversation in &mut self.conversations {
            for (who, id, said) in &mut conversation.members {
                let talker = &mut self.people[*who];
                *said += 1;
                let text = format!("{} {said}", talker.name);
                talker.say(id, &text);
            }
        }
    }

    /// Sends a file of so many bytes, read from `dir`, in the first conversation of these two.
    pub fn send_file(&mut self, dir: &Path, from: usize, to: usize, bytes: usize) {
        let of = |c: &Conversation| {
            let id = |who| c.members.iter().find(|m| m.0 == who).map(|m| m.1.clone());
            id(from).zip(id(to)).map(|(id, _)| id)
        };
        let id = self.conversations.iter().find_map(of).expect("a conversation");
        let number = self.files.len() + 1;
        let content: Vec<u8> = (0..bytes).map(|n| (n * n / 251 + n * number) as u8).collect();
        let name = format!("file-{number}.bin");
        let path = dir.join(&name);
        std::fs::write(&path, &content).expect("a file");
        self.people[from].rpc().request("send_file", json!({ "conversation": id, "path": path }));
        self.files.push((to, name, content));
    }

    /// What is still missing, in words; empty when everybody has heard everything.
    pub fn missing(&mut self) -> Vec<String> {
        self.people.iter_mut().for_each(Talker::listen);
        let mut missing = Vec::new();
        self.for_each_lane(|lane| {
            if lane.heard.len() < lane.said {
                let from = self.checked.get(&lane.key()).copied().unwrap_or_default();
                let (title, reader, heard) = (lane.title, lane.reader, &lane.heard[from..]);
                let lines = (from + 1..=lane.said).map(|n| format!("{} {n}", lane.author));
                let lost: Vec<String> = lines.filter(|line| !heard.contains(line)).collect();
                missing.push(format!("{title}: {reader} has not heard {lost:?}"));
            }
        });
        for (to, name, _) in &self.files {
            let talker = &self.people[*to];
            if !talker.heard.files.contains_key(name) {
                missing.push(format!("{} has not got {name}", talker.name));
            }
        }
        missing
    }

    /// What was heard since the last time and should not have been so: everything comes once and
    /// in order, and files are whole. To be asked when nothing is missing.
    pub fn wrong(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let checked = std::mem::take(&mut self.checked);
        let mut now_checked = BTreeMap::new();
        self.for_each_lane(|lane| {
            let key = lane.key();
            let from = checked.get(&key).copied().unwrap_or_default();
            let heard = &lane.heard[from..];
            if (from + 1..).zip(heard).any(|(n, line)| *line != format!("{} {n}", lane.author)) {
                let [title, reader, author] = &key;
                wrong.push(format!(
                    "{title}: {reader} heard from {author}, after {from}: {heard:?}"
                ));
            }
            now_checked.insert(key, lane.heard.len());
        });
        self.checked = now_checked;
        for (to, name, content) in &self.files {
            if let Some(path) = self.people[*to].heard.files.get(name)
                && std::fs::read(path).expect("the file") != *content
            {
                wrong.push(format!("{name} is damaged"));
            }
        }
        wrong
    }

    /// The same by the histories that profiles keep; authors know that all was delivered.
    pub fn check_histories(&mut self) {
        for conversation in &self.conversations {
            for (reader, id, _) in conversation.members.iter().filter(|m| m.1 != ROOM) {
                let rpc = self.people[*reader].rpc();
                let told = |m: &Value| m["you"] == false || m["state"] == "delivered";
                let kept = rpc.wait_history(id, LONG, |all| {
                    all.iter().filter(|m| m["kind"] == "text").all(told)
                });
                for (author, _, said) in &conversation.members {
                    let name = &self.people[*author].name;
                    let is = |m: &&Value| {
                        m["kind"] == "text"
                            && if author == reader { m["you"] == true } else { m["from"] == **name }
                    };
                    let texts: Vec<_> = kept.iter().filter(is).map(|m| m["text"].clone()).collect();
                    let expected: Vec<_> =
                        (1..=*said).map(|n| json!(format!("{name} {n}"))).collect();
                    let whose = &self.people[*reader].name;
                    assert_eq!(texts, expected, "{}: kept by {whose}", conversation.title);
                }
            }
        }
    }

    /// How many lines were said in all.
    pub fn lines(&self) -> usize {
        self.conversations.iter().flat_map(|c| &c.members).map(|m| m.2).sum()
    }

    fn for_each_lane(&self, mut look: impl FnMut(Lane<'_>)) {
        for conversation in &self.conversations {
            for (reader, id, _) in &conversation.members {
                for (author, _, said) in conversation.members.iter().filter(|m| m.0 != *reader) {
                    let (reader, author) = (&self.people[*reader], &self.people[*author].name);
                    let heard = reader.heard.texts.get(&(id.clone(), author.clone()));
                    look(Lane {
                        title: &conversation.title,
                        reader: &reader.name,
                        author,
                        said: *said,
                        heard: heard.map_or(&[], Vec::as_slice),
                    });
                }
            }
        }
    }
}

/// What one hears from another in a conversation.
struct Lane<'a> {
    title: &'a str,
    reader: &'a str,
    author: &'a str,
    said: usize,
    heard: &'a [String],
}

impl Lane<'_> {
    fn key(&self) -> [String; 3] {
        [self.title, self.reader, self.author].map(str::to_owned)
    }
}
