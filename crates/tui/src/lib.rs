//! The full screen: all conversations of a profile in a terminal.
//!
//! A state, a function from inputs to effects, a function from the state to a frame.
//!
//! # In this crate
//! - `state`, `log`, `dialog`: what the screen shows, as plain data
//! - `keys`: the one table of keys, by which the screen dispatches and which the help shows
//! - `ask`: questions for the engine, each with what its answer does to the state
//! - `update`: what each input does to the state, and which effects follow
//! - `view`: the frame of a state; `cells`, `theme`: texts and colours in it
//! - `hint`: what to do about a refusal, in the words of this screen
//! - `run`: the terminal and the client; `stderr`: what was logged meanwhile
//!
//! # Not in this crate
//! Opening a profile: passphrases are asked for before the screen is taken. What is shared with the
//! command line, such as typed commands and export formats, is in `text`.
//!
//! # Invariants
//! - Drafts, logs, unread marks, selections and dialogs belong to ids. Names are drawn, and nothing
//!   is ever looked up by one.
//! - `update` and `view` know no clock, terminal or engine: the same inputs give the same frames.
//! - What a person types goes to the conversation that was open when they began: events open no
//!   other one under their hands.
//! - Enter alone confirms nothing that cannot be undone.
//! - Nothing that others wrote acts on the terminal.

mod ask;
mod cells;
mod dialog;
mod hint;
mod keys;
mod log;
mod run;
mod state;
mod stderr;
#[cfg(test)]
mod tests;
mod theme;
mod update;
mod view;

pub use self::run::run;
pub use self::stderr::Stderr;

/// What is opened at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// An open room.
    Room {
        /// Its link.
        link: String,
        /// This profile's name there; default: a random one.
        nick: Option<String>,
        /// The route; default: what the profile's settings allow.
        route: Option<api::Route>,
    },
    /// The conversation that this invite leads to: its link.
    Invite(String),
}
