//! Runs of the checker. Those that take minutes are ignored:
//!
//! ```sh
//! cargo test --release -p models -- --ignored --nocapture --test-threads 1
//! ```

use std::time::Instant;

use stateright::{Checker, Expectation, Model};

use super::Group;
use super::check::{
    BODY_THERE, FOR_A_REASON, FORK_SHOWS, NO_CAPTURE, OWN_KEYS, REMEMBERED, SHUT_OUT, WAY_OUT,
    WELCOME_KEPT,
};
use super::setting::{Budget, Guards, Heads, Setting};
use super::who::Members;
use super::who::Who::{Alice, Bob, Carol, Mallory};

/// Visits every state that can be reached: no property is broken, and what must be possible is.
fn holds(name: &str, setting: Setting) {
    let start = Instant::now();
    let checker = Group::new(setting).checker().threads(2).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {states} states, depth {depth}, {:.1} s", start.elapsed().as_secs_f32());
    for (property, path) in checker.discoveries() {
        if checker.model().property(property).expectation != Expectation::Sometimes {
            let steps: Vec<String> = path.into_actions().iter().map(ToString::to_string).collect();
            panic!("not true: {property}\n  {}", steps.join("\n  "));
        }
    }
    checker.assert_properties();
}

/// The shortest way to break a property. (The checker stops at no particular one; looking at no
/// more than a depth at a time does.)
fn finds(setting: &Setting, property: &'static str) -> Vec<String> {
    for depth in 2..40 {
        let model = Group::only(setting.clone(), property);
        let checker = model.checker().threads(1).target_max_depth(depth).spawn_bfs().join();
        if let Some(path) = checker.discovery(property) {
            return path.into_actions().iter().map(ToString::to_string).collect();
        }
    }
    panic!("nothing breaks it: {property}");
}

/// Alice, Bob and Mallory, whom Alice would remove.
fn with_mallory(guards: Guards) -> Setting {
    let mut setting = Setting::new(&[Alice, Bob, Mallory]);
    setting.guards = guards;
    setting.removers = Members::of(&[Alice]);
    setting.budget = Budget { losses: 1, attacks: 1, ..Budget::default() };
    setting
}

/// Two members, Alice and Bob, before a hub that may show two orders.
fn with_two_orders() -> Setting {
    let mut setting = Setting::new(&[Alice, Bob]);
    setting.forks = true;
    setting.heads = Heads::Remembered;
    setting.budget = Budget { refreshes: 3, losses: 1, ..Budget::default() };
    setting
}

#[test]
fn members_who_commit_at_the_same_time_and_crash_apply_one_commit_each_epoch() {
    let mut setting = Setting::new(&[Alice, Bob, Carol]);
    setting.budget = Budget { refreshes: 3, crashes: 1, ..Budget::default() };
    holds("deciding", setting);
}

#[test]
fn lost_members_come_back_whoever_crashes() {
    let mut setting = Setting::new(&[Alice, Bob, Carol]);
    setting.verified = vec![(Alice, Bob)];
    setting.backups = true;
    setting.budget = Budget { refreshes: 1, crashes: 1, losses: 2, ..Budget::default() };
    holds("rescue", setting);
}

#[test]
fn two_sides_of_a_fork_find_each_other() {
    holds("fork", with_two_orders());
}

#[test]
fn mallory_can_stall_and_remove_but_neither_hear_nor_be_somebody_else() {
    let mut setting = with_mallory(Guards::ALL);
    setting.backups = true;
    setting.junk = true;
    setting.budget.attacks = 2;
    holds("Mallory", setting);
}

#[test]
fn a_welcome_by_anybody_on_an_old_list_leads_to_a_removed_member() {
    let setting = with_mallory(Guards { welcome: false, ..Guards::ALL });
    let steps = finds(&setting, SHUT_OUT);
    assert_eq!(
        steps,
        [
            "Alice reads the deciding stream (side 1)",
            "Alice makes a commit that removes Mallory",
            "Alice's body is stored",
            "Alice seals the deciding box",
            "Alice's deciding box reaches the hub (side 1)",
            "Alice loses its place",
            "Alice asks to be re-added",
            "Mallory writes a welcome into epoch 1: Mallory re-adds Alice with key 1",
            "Alice takes a welcome by Mallory into epoch 1: Mallory re-adds Alice with key 1",
        ]
    );
}

/// The protocol itself has this hole: a welcome into a state that was never decided looks like any
/// other. It takes a removed member with whom the victim has compared safety words, and a list of
/// members from before the removal.
#[test]
fn a_removed_member_who_is_a_verified_contact_can_still_lead_somebody_away() {
    let mut setting = with_mallory(Guards::ALL);
    setting.verified = vec![(Bob, Mallory)];
    let steps = finds(&setting, SHUT_OUT);
    assert_eq!(
        steps,
        [
            "Alice reads the deciding stream (side 1)",
            "Alice makes a commit that removes Mallory",
            "Alice's body is stored",
            "Alice seals the deciding box",
            "Alice's deciding box reaches the hub (side 1)",
            "Bob loses its place",
            "Bob asks to be re-added",
            "Mallory writes a welcome into epoch 1: Mallory re-adds Bob with key 1",
            "Bob takes a welcome by Mallory into epoch 1: Mallory re-adds Bob with key 1",
        ]
    );
    assert_eq!(finds(&setting, NO_CAPTURE), steps[5..]);
}

#[test]
fn without_a_proof_mallory_stands_under_the_id_of_bob_and_stays_when_she_is_removed() {
    let setting = with_mallory(Guards { proof: false, ..Guards::ALL });
    assert_eq!(
        finds(&setting, OWN_KEYS),
        [
            "Mallory decides epoch 1: Mallory re-adds Alice with a key of Mallory (side 1)",
            "Bob reads the deciding stream (side 1)",
            "Bob applies what was decided",
        ]
    );
    assert_eq!(
        finds(&setting, SHUT_OUT),
        [
            "Mallory decides epoch 1: Mallory re-adds Bob with a key of Mallory (side 1)",
            "Alice reads the deciding stream (side 1)",
            "Alice applies what was decided",
            "Alice reads the deciding stream (side 1)",
            "Alice makes a commit that removes Mallory",
            "Alice's body is stored",
            "Alice seals the deciding box",
            "Alice's deciding box reaches the hub (side 1)",
            "Alice hears the hub's answer",
        ]
    );
}

/// An old request of Bob, used once more. As he applies it he is out, while the others see him as a
/// member.
#[test]
fn a_proof_that_need_not_be_newer_throws_a_member_out_unseen() {
    let mut setting = Setting::new(&[Alice, Bob, Mallory]);
    setting.guards.newer = false;
    setting.budget = Budget { losses: 1, attacks: 1, ..Budget::default() };
    assert_eq!(
        finds(&setting, WAY_OUT),
        [
            "Alice reads the deciding stream (side 1)",
            "Bob loses its place",
            "Bob asks to be re-added",
            "Alice makes a commit that re-adds Bob with key 1",
            "Alice's body is stored",
            "Alice seals the deciding box",
            "Alice's deciding box reaches the hub (side 1)",
            "Alice hears the hub's answer",
            "Alice sends the welcome into epoch 1: Alice re-adds Bob with key 1",
            "Bob takes a welcome by Alice into epoch 1: Alice re-adds Bob with key 1",
            "Mallory decides epoch 2: Alice re-adds Bob with key 1, Mallory re-adds Bob with key 1 \
             (side 1)",
        ]
    );
}

#[test]
fn a_hub_whose_bare_word_counts_ends_a_group_for_good() {
    let mut setting = Setting::new(&[Alice, Bob]);
    setting.guards.taken = false;
    setting.verified = vec![(Alice, Bob)];
    setting.budget = Budget { claims: 2, ..Budget::default() };
    let claims = [
        "the hub says `Taken` to Alice and shows no box",
        "the hub says `Taken` to Bob and shows no box",
    ];
    assert_eq!(finds(&setting, FOR_A_REASON), claims[..1]);
    assert_eq!(finds(&setting, WAY_OUT), claims);
    setting.guards.taken = true;
    let checker = Group::only(setting, FOR_A_REASON).checker().spawn_bfs().join();
    checker.assert_no_discovery(FOR_A_REASON);
}

#[test]
fn a_commit_that_is_not_kept_blocks_its_own_author() {
    let mut setting = Setting::new(&[Alice, Bob]);
    setting.guards.kept = false;
    setting.budget = Budget { refreshes: 1, crashes: 1, losses: 1, ..Budget::default() };
    let steps = [
        "Alice reads the deciding stream (side 1)",
        "Alice makes a commit that refreshes its keys",
        "Alice's body is stored",
        "Alice seals the deciding box",
        "Alice's deciding box reaches the hub (side 1)",
        "Alice crashes",
    ];
    assert_eq!(finds(&setting, REMEMBERED), steps);
    assert_eq!(finds(&setting, WAY_OUT), steps);
    assert_eq!(finds(&setting, WELCOME_KEPT).last().unwrap(), "Alice crashes");
}

#[test]
fn a_deciding_box_before_its_body_is_found() {
    let mut setting = Setting::new(&[Alice, Bob]);
    setting.guards.body_first = false;
    setting.budget.refreshes = 1;
    assert_eq!(finds(&setting, BODY_THERE).len(), 4);
}

/// What a rescue needs beyond the rules: the helper may itself lose its place after it has decided
/// and before it sends the welcome. Nobody re-adds Carol again with a stamp that her leaf has.
#[test]
fn a_member_that_asks_only_once_may_wait_for_ever() {
    let mut setting = Setting::new(&[Alice, Bob, Carol]);
    setting.guards.asks_again = false;
    setting.verified = vec![(Alice, Bob)];
    setting.budget.losses = 2;
    let steps = [
        "Alice reads the deciding stream (side 1)",
        "Carol loses its place",
        "Carol asks to be re-added",
        "Alice makes a commit that re-adds Carol with key 1",
        "Alice's body is stored",
        "Alice seals the deciding box",
        "Alice's deciding box reaches the hub (side 1)",
        "Alice loses its place",
    ];
    assert_eq!(finds(&setting, WAY_OUT), steps);
}

/// `GROUP-010` says that a head of another epoch shows nothing. So nobody sees a fork whose sides
/// have gone on at different speeds.
#[test]
fn heads_that_count_in_one_epoch_only_miss_a_fork() {
    let mut setting = with_two_orders();
    setting.heads = Heads::SameEpoch;
    let steps = finds(&setting, FORK_SHOWS);
    assert_eq!(steps.len(), 19, "{steps:#?}");
    assert_eq!(steps.iter().filter(|s| s.ends_with("hears the hub's answer")).count(), 3);
    assert_eq!(steps.last().unwrap(), "the hub is honest from now on (side 1 stays)");
}

/// A decision without a body, on a side of the hub that is gone: Alice is in the next epoch and her
/// head says nothing to Bob, who waits for the body.
#[test]
fn a_held_up_member_that_does_not_look_again_is_left_behind() {
    let mut setting = fork_with_mallory();
    setting.guards.looks_again = false;
    assert_eq!(
        finds(&setting, WAY_OUT),
        [
            "Alice reads the deciding stream (side 1)",
            "Alice makes a commit that removes Mallory",
            "Alice's body is stored",
            "Alice seals the deciding box",
            "Alice's deciding box reaches the hub (side 1)",
            "Mallory decides epoch 1: Mallory refreshes without a body (side 2)",
            "Bob reads the deciding stream (side 2)",
            "the hub is honest from now on (side 1 stays)",
        ]
    );
}

fn fork_with_mallory() -> Setting {
    let mut setting = with_mallory(Guards::ALL);
    setting.forks = true;
    setting.heads = Heads::Remembered;
    setting.budget = Budget { attacks: 1, refreshes: 1, ..Budget::default() };
    setting
}

#[test]
fn a_forking_hub_and_mallory_together() {
    holds("fork, Mallory", fork_with_mallory());
}

#[test]
#[ignore = "minutes"]
fn two_sides_of_a_fork_of_three() {
    let mut setting = with_two_orders();
    setting.members = Members::of(&[Alice, Bob, Carol]);
    setting.budget = Budget { refreshes: 2, ..Budget::default() };
    holds("fork of three", setting);
}

#[test]
#[ignore = "minutes"]
fn four_members_of_whom_one_is_mallory() {
    let mut setting = with_mallory(Guards::ALL);
    setting.members = Members::of(&[Alice, Bob, Carol, Mallory]);
    setting.verified = vec![(Alice, Bob)];
    setting.backups = true;
    setting.budget = Budget { losses: 1, attacks: 2, ..Budget::default() };
    holds("four with Mallory", setting);
}

#[test]
#[ignore = "minutes"]
fn lost_members_come_back_in_three_epochs() {
    let mut setting = Setting::new(&[Alice, Bob, Carol]);
    setting.last_epoch = 3;
    setting.verified = vec![(Alice, Bob), (Bob, Carol)];
    setting.budget = Budget { losses: 3, crashes: 1, ..Budget::default() };
    holds("rescue, large", setting);
}
