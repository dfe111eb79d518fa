//! What the text front ends share: how messages, files, sizes and times look in words.
//!
//! # In this crate
//! - `message`: messages and files as lines of text
//! - `units`: sizes, dates and durations in words, and durations as people type them
//! - `listed`: a typed id, or `last`, among the things of a list
//! - `typed`, `room_line`: what a line typed into a conversation or an open room means
//! - `export`: a conversation or room as text, lines of JSON, or a page of HTML
//! - `hint`: what to do about a refusal, in the command line's words
//! - `terminal`: stdout for data, stderr for notes, colours
//!
//! # Not in this crate
//! Commands and their arguments: `cli`. Screens: `tui`. Pages: `web`. Whatever answers a request.
//!
//! # Invariants
//! - stdout is data; notes go to stderr.
//! - A typed id that could mean two things is refused, and the refusal lists them.
//! - An exported page of HTML holds nothing but text from others, and asks nobody for anything.

mod export;
mod hint;
mod listed;
mod message;
mod room_line;
mod terminal;
mod typed;
mod units;

pub use self::export::{Asked, Entry, ExportError, Format, Pages, Source, one, to_file, write};
pub use self::hint::{OrFail, failure, hint};
pub use self::listed::{LAST, Listed, meant};
pub use self::message::{dated, dated_line, file, indented, said};
pub use self::room_line::{ROOM_COMMANDS, RoomLine, room_line};
pub use self::terminal::{UNREACHABLE, colours, json, note, out, printable};
pub use self::typed::{COMMANDS, Typed, parse, read_stdin};
pub use self::units::{bytes, date_time, duration, timer, timer_seconds};
