//! Stories: people with profiles, a hub that can lie and die, and time that is told.

mod contacts;
mod groups;
mod identity;
mod mesh;
mod names;
mod shaping;
mod trouble;
mod world;
