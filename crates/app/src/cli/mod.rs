//! The command line, the line mode, and the faces of a profile for terminals and scripts.

pub mod args;
pub mod args_profile;
pub mod ask;
pub mod chat;
pub mod export;
pub mod line;
pub mod profile;
pub mod rpc;
