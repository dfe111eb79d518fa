//! What lies behind an invite, or comes as its answer, made with keys that are in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use messenger::testing::fuzz::{Invitation, invites};

fuzz_target!(|invitation: Invitation| invites(&invitation));
