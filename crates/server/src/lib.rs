//! The relay, hub and directory roles as services that run under tokio.
//!
//! # In this crate
//! - [`relay`], [`hub`], [`directory`]: the roles; [`node`]: what the first two share
//! - [`http`]: the hub's interface for curl and scripts; [`site`]: static folders for onion
//!   services
//! - [`primary`]: a pool of ephemeral relays that a directory runs, and its cycles
//! - [`store`]: the embedded box store; [`journal`]: the replay journal
//! - [`rooms`]: keys of a hub with a share of the storage each
//! - [`config`]: their commented settings files
//!
//! # Not in this crate
//! Anything that could open a message: neither `e2ee` nor `messenger` is in its dependency tree.
//!
//! # Invariants
//! - `Stored` is said after the box is durable; a watcher is woken after that.
//! - A replay tag is handed to the system before its packet leaves.
//! - No id, address or key is logged.

mod accept;
pub mod config;
pub mod directory;
mod error;
pub mod http;
pub mod hub;
mod inbox;
pub mod journal;
mod links;
pub mod node;
mod outgoing;
mod place;
pub mod primary;
pub mod relay;
pub mod rooms;
pub mod site;
pub mod store;

pub use ::hub::store::StoreError;
pub use directory::Directory;
pub use error::Error;
pub use hub::HubRole;
pub use node::{Node, NodeConfig, OnionDoor};
pub use place::{PortReport, PortReports};
