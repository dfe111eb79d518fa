//! The tables, how they change from version to version, and the words of a text.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::Error;

/// `application_id` of a vault: "Hush".
pub(crate) const APPLICATION_ID: i32 = 0x4875_7368;

/// Step *n* (from 0) brings a vault of version *n* to version *n* + 1. Steps are never changed,
/// only added.
pub(crate) const MIGRATIONS: &[&str] =
    &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// What a connection needs before the tables work: the function that the search index calls.
pub(crate) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function("words", 1, flags, |context| {
        let text = context.get_raw(0).as_bytes_or_null()?.unwrap_or_default();
        Ok(words(&String::from_utf8_lossy(text)))
    })
}

/// The version of the tables: 0 for an empty file.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Runs what is missing of `steps`, each in a transaction. Nothing to do is no write.
pub(crate) fn migrate(conn: &Connection, steps: &[&str], what: &'static str) -> Result<(), Error> {
    let fail = Error::database(what);
    let known = u32::try_from(steps.len()).map_err(|_| Error::Bug("too many versions"))?;
    let found = version(conn).map_err(&fail)?;
    if found > known {
        return Err(Error::Newer { what, found, known });
    }
    for (step, to) in steps.iter().zip(1u32..).skip(found as usize) {
        let sql = format!(
            "BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {to}; COMMIT"
        );
        if let Err(e) = conn.execute_batch(&sql) {
            let _ = conn.execute_batch("ROLLBACK");
            return Err(fail(e));
        }
    }
    Ok(())
}

/// The text with each sign of a script without spaces (and each symbol) standing alone, so that the
/// index finds it within a longer run: a phrase of signs is then a phrase of words.
pub(crate) fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if stands_alone(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(if c == '\0' { ' ' } else { c });
        }
    }
    out
}

/// Thai to Khmer, kana, Han, and symbols and pictures.
fn stands_alone(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF
        | 0x2600..=0x27BF | 0x3040..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF
        | 0x1F000..=0x1FAFF | 0x20000..=0x323AF)
}

/// Most words of a query that count; later ones are ignored.
const MAX_QUERY_WORDS: usize = 32;
/// Most characters of a query that count; later ones are ignored.
const MAX_QUERY_CHARS: usize = 1024;

/// A query of the index for all words of `query`, each as a prefix; `None` when there is no word in
/// it.
pub(crate) fn match_all(query: &str) -> Option<String> {
    let query: String = query.chars().take(MAX_QUERY_CHARS).collect();
    let terms: Vec<String> = query
        .split_whitespace()
        .filter(|word| word.chars().any(|c| c.is_alphanumeric() || stands_alone(c)))
        .take(MAX_QUERY_WORDS)
        .map(|word| format!("\"{}\"*", words(word).trim().replace('"', "\"\"")))
        .collect();
    if terms.is_empty() { None } else { Some(terms.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_quoted() {
        assert_eq!(
            match_all("a \"b\" AND*").as_deref(),
            Some("\"a\"* AND \"\"\"b\"\"\"* AND \"AND*\"*")
        );
        assert_eq!(match_all(" \t\n\"*():^-+ "), None);
        assert_eq!(match_all("会议").as_deref(), Some("\"会  议\"*"));
    }
}
