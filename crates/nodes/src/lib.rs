//! The roles of a network as commands: settings from a file and the command line, start, and stop
//! on a signal.
//!
//! # In this crate
//! - [`up`]: a whole network in one process
//! - [`directory`], [`relay`], [`hub`]: each role alone; [`network`]: where a node finds its
//!   network
//! - [`primary`]: a network with short-lived relays; its network document as JSON
//! - [`room`]: creates a room on a network that runs elsewhere
//! - [`onion`]: the onion service of a role; [`onion_site`]: static directories as onion services
//! - [`confine`]: confinement of each role, before it starts a thread
//! - [`OrFail`]: converts errors of services to failures of a command
//!
//! # Not in this crate
//! The services themselves: `server`. Commands that talk in a room or serve a profile's pages, and
//! so need the engine: `host`, `guests`, `web` and the demos are in the program.
//!
//! # Invariants
//! - stdout is data: a link, a pointer, a document. Everything else goes to stderr.
//! - An invalid setting is reported before a socket is opened.
//! - Secret files have mode 0600, and never replace a file that a person named.

mod config_file;
pub mod confine;
pub mod directory;
mod fail;
pub mod hub;
mod hub_card;
pub mod hub_rooms;
mod map_port;
pub mod network;
pub mod onion;
pub mod onion_site;
pub mod primary;
pub mod relay;
pub mod room;
pub mod up;

pub use self::fail::OrFail;
pub use self::hub_card::HubCard;
