//! The command line and the line mode.

pub mod args;
pub mod ask;
pub mod chat;
pub mod line;
