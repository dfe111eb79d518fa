//! A world for tests and fuzz targets: people with profiles, a hub and a clock, and what a fuzzer
//! does to them.

pub mod fuzz;
pub(crate) mod hub;
pub(crate) mod world;
