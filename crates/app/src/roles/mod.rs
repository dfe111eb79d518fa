//! Commands that join a node with the engine or with the pages for browsers.

pub mod guests;
pub mod host;
pub mod web;
