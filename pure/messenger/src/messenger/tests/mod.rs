//! Stories: people with profiles, a hub that can lie and die, and time that is told.

mod contacts;
mod gone;
mod groups;
mod hostile;
mod identity;
mod mesh;
mod names;
mod schedules;
mod seizure;
mod shaping;
mod trouble;

use crate::testing::world;
