//! A conversation or room for other programs, a page of messages at a time.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use api::{
    Client, ConversationId, GetHistoryAfter, GetRoomHistory, MessageKind, MessageView, Refusal,
    RoomId, RoomLineView,
};
use serde::Serialize;

use crate::message::{dated, dated_line, said};
use crate::units::date_time;

/// Without scripts, and nothing from elsewhere: a page that asks nobody for anything when it is
/// opened.
const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<style>
body { font: 1rem/1.4 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
article { margin: .6rem 0; padding: .4rem .8rem; border-radius: .6rem; background: #eee; color: #111; }
article.you { background: #d7e8ff; margin-left: 15%; }
article.notice { background: none; color: #777; text-align: center; }
header { font-size: .8rem; color: #555; }
p { margin: .2rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { font-size: .8rem; color: #555; }
</style>
";

/// Messages of a page.
const PAGE: usize = 500;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: a line a message.
    Txt,
    /// For programs: a JSON object a line, with everything that is known.
    Jsonl,
    /// One page for a browser, without scripts.
    Html,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 3] = [Format::Txt, Format::Jsonl, Format::Html];

    /// Its word, which is also the ending of its files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Format::Txt => "txt",
            Format::Jsonl => "jsonl",
            Format::Html => "html",
        }
    }

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.word() == word)
    }
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The engine refuses to show the messages.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The file exists.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// The file or stream cannot be written.
    #[error("cannot write the export: {0}")]
    Write(#[from] std::io::Error),
}

/// What is exported: a message of a conversation, or a line of an open room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// Of a contact or group.
    Message(Box<MessageView>),
    /// Of an open room.
    Line(RoomLineView),
}

impl Entry {
    /// Its number, which the next page begins after.
    fn number(&self) -> i64 {
        match self {
            Entry::Message(message) => message.number,
            Entry::Line(line) => i64::try_from(line.number).unwrap_or(i64::MAX),
        }
    }
}

/// Where the messages come from.
pub trait Pages {
    /// The entries after a number, oldest first; none when there are no more.
    fn page(&mut self, after: i64) -> impl Future<Output = Result<Vec<Entry>, Refusal>> + Send;
}

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A contact's or group's history.
    Conversation(ConversationId),
    /// What was said in an open room since the profile runs.
    Room(RoomId),
}

/// Pages that the engine is asked for. The events are to be read meanwhile.
pub struct Asked<'a> {
    /// Whom to ask.
    pub client: &'a Client,
    /// For what.
    pub source: Source,
}

impl Pages for Asked<'_> {
    async fn page(&mut self, after: i64) -> Result<Vec<Entry>, Refusal> {
        let limit = Some(PAGE);
        match self.source {
            Source::Conversation(id) => {
                let request = GetHistoryAfter { conversation: Some(id), after, limit };
                let page = self.client.ask(request).await?;
                Ok(page.into_iter().map(|m| Entry::Message(Box::new(m))).collect())
            }
            Source::Room(room) => {
                let after = Some(u64::try_from(after).unwrap_or(0));
                let page = self.client.ask(GetRoomHistory { room, after, limit }).await?;
                Ok(page.into_iter().map(Entry::Line).collect())
            }
        }
    }
}

/// Writes an export to a file that only its owner can read, and says how many entries it has. The
/// file is there when it is whole, or not at all. The title is shown in HTML.
///
/// # Errors
/// A file that exists already (unless `force`), or cannot be written; what the engine refuses.
pub async fn to_file(
    pages: &mut impl Pages,
    title: &str,
    format: Format,
    file: &Path,
    force: bool,
) -> Result<u64, ExportError> {
    let exists = || ExportError::Exists(file.to_owned());
    if !force && file.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let directory = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(directory)?;
    let mut writer = BufWriter::new(part.as_file_mut());
    let count = write(pages, title, format, &mut writer).await?;
    drop(writer);
    part.as_file().sync_all()?;
    let kept = if force { part.persist(file) } else { part.persist_noclobber(file) };
    match kept {
        Ok(_) => Ok(count),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists()),
        Err(e) => Err(e.error.into()),
    }
}

/// Streams all entries, oldest first, and says how many there were.
///
/// # Errors
/// What the engine refuses; the writer's.
pub async fn write(
    pages: &mut impl Pages,
    title: &str,
    format: Format,
    to: &mut impl Write,
) -> Result<u64, ExportError> {
    let (mut after, mut count) = (0, 0_u64);
    begin(title, format, to)?;
    loop {
        let page = pages.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.number();
        count += page.len() as u64;
        page.iter().try_for_each(|entry| one(entry, format, to))?;
    }
    end(format, to)?;
    to.flush()?;
    Ok(count)
}

/// What comes before the entries.
fn begin(title: &str, format: Format, to: &mut impl Write) -> std::io::Result<()> {
    if format != Format::Html {
        return Ok(());
    }
    let title = escape(title);
    write!(to, "{HEAD}<title>{title}</title></head><body>\n<h1>{title}</h1>\n")
}

/// What comes after them.
fn end(format: Format, to: &mut impl Write) -> std::io::Result<()> {
    if format == Format::Html { to.write_all(b"</body></html>\n") } else { Ok(()) }
}

/// Writes one entry.
///
/// # Errors
/// The writer's.
pub fn one(entry: &Entry, format: Format, to: &mut impl Write) -> std::io::Result<()> {
    match (format, entry) {
        (Format::Txt, Entry::Message(message)) => writeln!(to, "{}", dated(message)),
        (Format::Txt, Entry::Line(line)) => writeln!(to, "{}", dated_line(line)),
        (Format::Jsonl, entry) => {
            serde_json::to_writer(&mut *to, entry)?;
            to.write_all(b"\n")
        }
        (Format::Html, Entry::Message(message)) => html_message(message, to),
        (Format::Html, Entry::Line(line)) => html_line(line, to),
    }
}

fn html_notice(at_ms: u64, text: &str, to: &mut impl Write) -> std::io::Result<()> {
    writeln!(to, "<article class=\"notice\">{} {}</article>", date_time(at_ms), escape(text))
}

fn html_line(line: &RoomLineView, to: &mut impl Write) -> std::io::Result<()> {
    if line.kind == MessageKind::Notice {
        return html_notice(line.at_ms, &line.text, to);
    }
    let class = if line.you { " class=\"you\"" } else { "" };
    let (from, when) = (escape(&line.from), date_time(line.at_ms));
    writeln!(to, "<article{class}><header><b>{from}</b> {when}</header>")?;
    writeln!(to, "<p>{}</p>\n</article>", escape(&line.text))
}

fn html_message(m: &MessageView, to: &mut impl Write) -> std::io::Result<()> {
    if m.kind == MessageKind::Notice {
        return html_notice(m.sent_ms, &m.text, to);
    }
    let class = if m.you { " class=\"you\"" } else { "" };
    let edited = if m.edited { " (edited)" } else { "" };
    let text = if m.deleted || m.file.is_some() { said(m) } else { m.text.clone() };
    let (from, when) = (escape(&m.from), date_time(m.sent_ms));
    writeln!(to, "<article{class} id=\"m{}\"><header><b>{from}</b> {when}{edited}</header>", m.id)?;
    if let Some(id) = m.reply_to {
        let short = id.short();
        writeln!(to, "<header>in reply to <a href=\"#m{id}\">{short}</a></header>")?;
    }
    writeln!(to, "<p>{}</p>", escape(&text))?;
    if !m.reactions.is_empty() {
        let all: Vec<String> = m
            .reactions
            .iter()
            .map(|r| format!("{} {}", escape(&r.emoji), escape(&r.from)))
            .collect();
        writeln!(to, "<footer>{}</footer>", all.join(", "))?;
    }
    writeln!(to, "</article>")
}

/// A text that is nothing but text in HTML, in attributes too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use api::{MessageId, MessageState, ReactionView, Route};

    use super::*;

    fn message(number: i64, text: &str) -> MessageView {
        MessageView {
            conversation: ConversationId::new([1; 16]),
            label: "bob".into(),
            number,
            id: MessageId::new([2; 16]),
            kind: MessageKind::Text,
            member: None,
            from: "<b>bob".into(),
            you: false,
            text: text.into(),
            sent_ms: 1_709_251_140_000,
            received_ms: 1_709_251_141_000,
            state: MessageState::Received,
            route: Some(Route::Onion),
            reply_to: None,
            edited: true,
            deleted: false,
            reactions: vec![ReactionView { from: "al\"ice".into(), you: false, emoji: "&".into() }],
            expires_ms: None,
            file: None,
        }
    }

    fn exported(format: Format, text: &str) -> String {
        let mut bytes = Vec::new();
        begin("a & b", format, &mut bytes).unwrap();
        one(&Entry::Message(Box::new(message(7, text))), format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Pages of two messages each.
    struct Book(Vec<MessageView>);

    impl Pages for Book {
        async fn page(&mut self, after: i64) -> Result<Vec<Entry>, Refusal> {
            let next = self.0.iter().filter(|m| m.number > after).take(2);
            Ok(next.map(|m| Entry::Message(Box::new(m.clone()))).collect())
        }
    }

    #[test]
    fn html_holds_text_only() {
        let page = exported(Format::Html, "</p><script>alert('1')</script>\n\"&");
        assert!(
            page.contains("&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\n&quot;&amp;"),
            "{page}"
        );
        assert!(page.contains("<b>&lt;b&gt;bob</b> 2024-02-29 23:59 (edited)"), "{page}");
        assert!(page.contains("<footer>&amp; al&quot;ice</footer>"), "{page}");
        assert!(page.contains("<title>a &amp; b</title>"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn text_and_lines_of_json() {
        let id = MessageId::new([2; 16]).short();
        let line = format!("2024-02-29 23:59 {id} <b>bob: one\n    two (edited) [al\"ice: &]\n");
        assert_eq!(exported(Format::Txt, "one\ntwo"), line);
        let json = exported(Format::Jsonl, "one\ntwo");
        assert_eq!(json.lines().count(), 1);
        let read: MessageView = serde_json::from_str(&json).unwrap();
        assert_eq!(read, message(7, "one\ntwo"));
    }

    #[tokio::test]
    async fn an_export_is_whole_and_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bob.txt");
        let mut book = Book((1..=5).map(|n| message(n, "x")).collect());
        assert_eq!(to_file(&mut book, "bob", Format::Txt, &file, false).await.unwrap(), 5);
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 5);
        let again = to_file(&mut Book(Vec::new()), "bob", Format::Txt, &file, false).await;
        assert!(matches!(again, Err(ExportError::Exists(_))), "{again:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 5);
        assert_eq!(
            to_file(&mut Book(Vec::new()), "bob", Format::Txt, &file, true).await.unwrap(),
            0
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"");
    }
}
