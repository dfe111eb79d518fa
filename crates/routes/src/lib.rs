//! How a request reaches a hub, and how neighbours reach each other.
//!
//! # In this crate
//! - [`Route`]: the routes that a conversation may take, and which of them its floor allows
//! - [`Carrier`]: a route in use: calls go in, reports come out; [`OnionCarrier`]: the onion route
//!   with its probes and traces
//! - [`Lan`]: links with neighbours, people nearby and their knocks
//! - [`Shaping`]: sizes, delays and dummies on routes without relays
//! - [`fetch_document`]: the network document, asked for once; a carrier follows it by itself
//!
//! # Not in this crate
//! Which conversation takes which route, and what its messages say: `engine` and `messenger`. Paths
//! through relays and cover traffic: `mix`. Sockets: `net`. Command lines and settings files:
//! `settings`.
//!
//! # Invariants
//! - A route opens no socket but its own: one through Tor waits, and never goes another way, when
//!   there is no Tor.
//! - Every call is answered once, or cancelled; what cannot be carried is reported, and the asker
//!   asks again.
//! - Links with neighbours, greetings, knocks and remembered addresses each have a bound.
//! - No report, error or status holds an address, a key or an id.

mod carrier;
mod direct;
mod documents;
mod error;
mod lan;
mod onion;
mod route;
mod shaping;

pub use self::carrier::{Carrier, CarrierEvent, CarrierOptions, Status};
pub use self::documents::{fetch_document, read_client_key};
pub use self::error::Error;
pub use self::lan::{Lan, LanEvent, Person};
pub use self::onion::{OnionCarrier, OnionOptions};
pub use self::route::Route;
pub use self::shaping::Shaping;
