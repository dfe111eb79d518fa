//! The hub's core, told as stories of askers, boxes and time.

mod bench;
mod gets;
mod limits;
mod model;
mod storing;
