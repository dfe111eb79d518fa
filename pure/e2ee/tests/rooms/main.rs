//! Stories of an open room: what each holder of a link can and cannot do.

mod links;
mod owner;
mod talkers;
mod world;
