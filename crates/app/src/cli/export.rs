//! `hushwing export`: a conversation for other programs, a page of messages at a time.

use std::io::{BufWriter, Write};
use std::path::Path;

use settings::{CreatePolicy, ProfileArgs};
use wire::ErrorKind;

use super::args_profile::{ExportArgs, Format};
use super::profile::show::{date_time, dated, note, said};
use super::profile::{Here, with};
use crate::engine::profile::{Client, Command, MessageView, Reply, RoomLineView};
use crate::exit::Failure;

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

/// Where the messages of a conversation come from.
pub trait Pages {
    /// The messages after a number, oldest first; none when there are no more.
    fn page(
        &mut self,
        after: i64,
    ) -> impl Future<Output = Result<Vec<MessageView>, Failure>> + Send;
}

/// A conversation of a profile that runs here.
pub struct In<'a>(pub &'a mut Here, pub &'a str);

impl Pages for In<'_> {
    async fn page(&mut self, after: i64) -> Result<Vec<MessageView>, Failure> {
        self.0.page(Some(self.1), after).await
    }
}

/// What a face that has a client of the engine exports.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// A contact's or group's talk, by its name.
    Conversation(&'a str),
    /// What was said in an open room.
    Room(&'a str),
}

/// Asked of the engine, a page at a time.
pub struct Asked<'a> {
    /// Whom to ask.
    pub client: &'a Client,
    /// For what.
    pub of: Of<'a>,
}

impl Pages for Asked<'_> {
    async fn page(&mut self, after: i64) -> Result<Vec<MessageView>, Failure> {
        let command = match self.of {
            Of::Conversation(name) => Command::HistoryAfter {
                conversation: Some(name.to_owned()),
                after,
                limit: Some(PAGE),
            },
            Of::Room(name) => {
                let after = Some(u64::try_from(after).unwrap_or(0));
                Command::RoomHistory { room: name.to_owned(), after, limit: Some(PAGE) }
            }
        };
        match (self.client.ask(command).await?, self.of) {
            (Reply::Messages { messages }, _) => Ok(messages),
            (Reply::RoomLines { lines }, Of::Room(name)) => {
                Ok(lines.into_iter().map(|l| of_room(name, l)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// A line of an open room, as a message.
pub fn of_room(room: &str, line: RoomLineView) -> MessageView {
    MessageView {
        conversation: room.to_owned(),
        number: i64::try_from(line.number).unwrap_or(i64::MAX),
        id: format!("{:032x}", line.number),
        kind: line.kind,
        from: line.from,
        you: line.you,
        text: line.text,
        sent_ms: line.at_ms,
        received_ms: line.at_ms,
        state: line.state,
        route: line.route,
        reply_to: None,
        edited: false,
        deleted: false,
        reactions: Vec::new(),
        expires_ms: None,
        file: None,
    }
}

/// Writes a conversation.
///
/// # Errors
/// No such conversation; a file that is there already or cannot be written.
pub async fn run(at: &ProfileArgs, args: ExportArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.conversation(&args.conversation).await?;
        match &args.out {
            Some(file) => {
                let count = to_file(
                    &mut In(here, &args.conversation),
                    &args.conversation,
                    args.format,
                    file,
                    args.force,
                )
                .await?;
                note(&format!("{count} messages written to {}", file.display()));
                Ok(())
            }
            None => {
                // Not locked: the engine is asked between pages.
                let mut stdout = BufWriter::new(std::io::stdout());
                write(
                    &mut In(here, &args.conversation),
                    &args.conversation,
                    args.format,
                    &mut stdout,
                )
                .await?
                .map_err(Failure::stdout)?;
                Ok(())
            }
        }
    })
    .await
}

/// Writes a conversation to a file that only its owner can read. The file is there when it is
/// whole, or not at all.
///
/// # Errors
/// A file that is there already (unless `force`), or cannot be written.
pub async fn to_file(
    pages: &mut impl Pages,
    conversation: &str,
    format: Format,
    file: &Path,
    force: bool,
) -> Result<u64, Failure> {
    let refused = |e: std::io::Error| {
        let name = file.display();
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            return Failure::new(
                ErrorKind::LocalConfig,
                format!("{name} is there already"),
                "choose another file, or say --force",
            );
        }
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot write {name}: {e}"),
            "name a file in a directory that you can write to",
        )
    };
    if !force && file.symlink_metadata().is_ok() {
        return Err(refused(std::io::ErrorKind::AlreadyExists.into()));
    }
    let directory = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(directory).map_err(refused)?;
    let mut writer = BufWriter::new(part.as_file_mut());
    let count = write(pages, conversation, format, &mut writer).await?.map_err(refused)?;
    drop(writer);
    part.as_file().sync_all().map_err(refused)?;
    let kept = if force { part.persist(file) } else { part.persist_noclobber(file) };
    kept.map_err(|e| refused(e.error))?;
    Ok(count)
}

/// Streams all messages, oldest first. The outer error is the engine's, the inner one the writer's.
///
/// # Errors
/// Both.
pub async fn write(
    pages: &mut impl Pages,
    conversation: &str,
    format: Format,
    to: &mut impl Write,
) -> Result<std::io::Result<u64>, Failure> {
    let (mut after, mut count) = (0, 0_u64);
    if let Err(e) = begin(conversation, format, to) {
        return Ok(Err(e));
    }
    loop {
        let page = pages.page(after).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        count += page.len() as u64;
        if let Err(e) = page.iter().try_for_each(|m| one(m, format, to)) {
            return Ok(Err(e));
        }
    }
    Ok(end(format, to).and_then(|()| to.flush()).map(|()| count))
}

/// What comes after them.
fn end(format: Format, to: &mut impl Write) -> std::io::Result<()> {
    if format == Format::Html { to.write_all(b"</body></html>\n") } else { Ok(()) }
}

/// What comes before the messages.
fn begin(conversation: &str, format: Format, to: &mut impl Write) -> std::io::Result<()> {
    if format != Format::Html {
        return Ok(());
    }
    let title = escape(conversation);
    write!(to, "{HEAD}<title>{title}</title></head><body>\n<h1>{title}</h1>\n")
}

/// A message.
///
/// # Errors
/// The writer's.
pub(crate) fn one(
    message: &MessageView,
    format: Format,
    to: &mut impl Write,
) -> std::io::Result<()> {
    match format {
        Format::Txt => writeln!(to, "{}", dated(message)),
        Format::Jsonl => {
            serde_json::to_writer(&mut *to, message)?;
            to.write_all(b"\n")
        }
        Format::Html => html(message, to),
    }
}

fn html(m: &MessageView, to: &mut impl Write) -> std::io::Result<()> {
    let when = date_time(m.sent_ms);
    if m.kind == "notice" {
        return writeln!(to, "<article class=\"notice\">{when} {}</article>", escape(&m.text));
    }
    let class = if m.you { " class=\"you\"" } else { "" };
    let edited = if m.edited { " (edited)" } else { "" };
    let text = if m.deleted || m.file.is_some() { said(m) } else { m.text.clone() };
    writeln!(
        to,
        "<article{class} id=\"m{}\"><header><b>{}</b> {when}{edited}</header>",
        escape(&m.id),
        escape(&m.from)
    )?;
    if let Some(answered) = &m.reply_to {
        let id = escape(answered);
        writeln!(
            to,
            "<header>in answer to <a href=\"#m{id}\">{}</a></header>",
            id.get(..8).unwrap_or(&id)
        )?;
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
    use super::*;
    use crate::engine::profile::ReactionView;

    fn message(text: &str) -> MessageView {
        MessageView {
            conversation: "bob".into(),
            number: 7,
            id: "0123456789abcdef0123456789abcdef".into(),
            kind: "text".into(),
            from: "<b>bob".into(),
            you: false,
            text: text.into(),
            sent_ms: 1_709_251_140_000,
            received_ms: 1_709_251_141_000,
            state: "received".into(),
            route: "onion".into(),
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
        one(&message(text), format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
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
        let line = "2024-02-29 23:59 01234567 <b>bob: one\n    two (edited) [al\"ice: &]\n";
        assert_eq!(exported(Format::Txt, "one\ntwo"), line);
        let json = exported(Format::Jsonl, "one\ntwo");
        assert_eq!(json.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((read["text"].as_str(), read["number"].as_i64()), (Some("one\ntwo"), Some(7)));
    }
}
