//! What a member of a group sends with her own keys, while others talk: messages, decisions,
//! commits, cards, rescue boxes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use messenger::testing::fuzz::{Act, members};

fuzz_target!(|acts: Vec<Act>| members(&acts));
