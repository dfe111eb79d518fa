//! The words that front ends and the engine of a profile exchange. They are what `hushwing rpc`
//! speaks, too.

mod command;
mod event;
mod reply;
mod views;

pub use self::command::Command;
pub use self::event::Event;
pub use self::reply::Reply;
pub use self::views::*;
