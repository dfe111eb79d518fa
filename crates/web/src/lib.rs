//! The front end for browsers: pages made here, forms that work without scripts, and a stream of
//! events for browsers that run them.
//!
//! # In this crate
//! - `router`: every path; `site`: the profile behind them
//! - `logins`: who may log in, with one-time codes or a passphrase; `login`: how; `session`,
//!   `visitor`: what is known of a browser
//! - `guard`: which requests are looked at at all
//! - `place`: where a conversation or room is, by its id
//! - `pages`: what is shown, in the `layout` of all pages; `forms`: what forms do; `form`: their
//!   fields; `files`: uploads and downloads; `outgoing`: uploads that wait
//! - `live`: what open pages are told; `events`: how
//! - `guests`: a page for guests of one open room
//! - `error`: how a request ends badly, and what to do about each refusal
//! - `assets`: style, script and icon, compiled in
//!
//! # Not in this crate
//! Sockets and onion services: a router comes out, and the program serves it. The engine: it is
//! asked by `api` requests alone.
//!
//! # Invariants
//! - Nothing is shown and nothing is done without a session, and no page of another site or of
//!   another local server can use one.
//! - Paths, forms, drafts and anchors hold ids. No name that somebody chose stands in a URL or a
//!   page's title, so none reaches the browser's history, and a rename leads no form elsewhere.
//! - All text goes through `maud`, which escapes it. No page asks any other server for anything.

mod assets;
mod error;
mod events;
mod files;
mod form;
mod forms;
mod guard;
mod guests;
mod layout;
mod live;
mod login;
mod logins;
mod outgoing;
mod pages;
mod place;
mod router;
mod session;
mod site;
mod visitor;

pub use self::guests::{Entered, Guests, router as guest_router};
pub use self::logins::{Happened, Logins, Passphrase};
pub use self::router::router;
pub use self::site::Web;
