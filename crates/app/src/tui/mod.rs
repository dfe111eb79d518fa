//! The full-screen face. A state, a function from inputs to effects, a function from the state to a
//! frame; `run` alone holds a terminal and an engine.

mod dialog;
mod keys;
mod log;
mod message;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod update;
mod view;

pub use self::log::Log;
pub use self::run::run;

/// What is opened at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// An open room.
    Room {
        /// Its link.
        link: String,
        /// Our name there.
        nick: Option<String>,
        /// How messages travel.
        route: Option<String>,
    },
    /// A conversation that begins with this invite.
    Invite(String),
}
