//! The roles of a network as commands: settings from a file and the command line, start, stop on a
//! signal.
//!
//! # In this crate
//! - [`up`]: a whole network in one process
//! - [`directory`], [`relay`], [`hub`]: each role alone; [`network`]: where a node finds its network
//! - [`primary`]: a network whose relays live for a while only; its network document as JSON
//! - [`room`]: a room on a network that runs elsewhere
//! - [`onion`]: the onion service of a role; [`onion_site`]: static folders as onion services
//! - [`confine`]: what each role may reach, taken away from it before it starts a thread
//! - [`OrFail`]: errors of services as failures of a command
//!
//! # Not in this crate
//! The services themselves: `server`. Commands that talk in a room or serve a profile's pages, and
//! so need the engine: `host`, `guests`, `web` and the demos are in the program.
//!
//! # Invariants
//! - stdout is data: a link, a pointer, a document. Everything else goes to stderr.
//! - A wrong setting is told before a socket is opened.
//! - Secret files are made mode 0600, and never replace a file that a person named.

mod config_file;
pub mod confine;
pub mod directory;
mod fail;
pub mod hub;
mod hub_card;
pub mod network;
pub mod onion;
pub mod onion_site;
pub mod primary;
pub mod relay;
pub mod room;
pub mod up;

pub use self::fail::OrFail;
pub use self::hub_card::HubCard;
