//! The properties.

use stateright::Property;

use super::history::{Change, Commit, History};
use super::setting::Setting;
use super::state::{Face, Place, Slot, State};
use super::who::Who;
use super::{Group, evil, honest};

/// No two honest members are in states of which neither came out of the other.
pub(super) const ONE_COMMIT: &str = "one commit for each epoch";
/// Every honest member is in a state that the hub's deciding streams lead to.
pub(super) const NO_CAPTURE: &str = "nobody is led away";
/// Two sides of a fork cannot miss it once they hear each other.
pub(super) const FORK_SHOWS: &str = "a fork shows";
/// Under each id stands a key of the person who has the root of that id.
pub(super) const OWN_KEYS: &str = "an id has only its own keys";
/// After her removal Mallory holds no leaf in a state in which somebody honest is.
pub(super) const SHUT_OUT: &str = "a removed member hears nothing";
/// Honest members can come to one epoch.
pub(super) const WAY_OUT: &str = "there is a way to one epoch";
/// A decision of an honest member has a body.
pub(super) const BODY_THERE: &str = "a body is there before its decision";
/// A member whose deciding box came first knows it as its own.
pub(super) const REMEMBERED: &str = "a member remembers what it has put";
/// Somebody whom an honest member has re-added gets the welcome.
pub(super) const WELCOME_KEPT: &str = "a welcome is not forgotten";
/// Nobody loses its place because of a bare claim.
pub(super) const FOR_A_REASON: &str = "a place is lost only for a reason";

/// The properties that hold in a setting, and what must be possible there so that the run shows
/// something.
pub(super) fn properties(setting: &Setting) -> Vec<Property<Group>> {
    let mut all = vec![
        Property::<Group>::always(OWN_KEYS, |g, s| {
            s.placed(&g.setting).all(|(_, at)| has_own_keys(&g.setting, at))
        }),
        Property::<Group>::always(WAY_OUT, Group::can_come_together),
        Property::<Group>::always(BODY_THERE, has_bodies),
        Property::<Group>::always(REMEMBERED, remembers),
        Property::<Group>::always(WELCOME_KEPT, keeps_welcomes),
        Property::<Group>::always(FOR_A_REASON, |_, s| !s.groundless),
        Property::<Group>::sometimes("two epochs pass", |g, s| {
            s.placed(&g.setting).any(|(_, at)| at.epoch() >= 2)
        }),
    ];
    if setting.forks {
        all.push(Property::<Group>::always(FORK_SHOWS, |g, s| s.hub.forking || shows(g, s)));
        all.push(Property::<Group>::sometimes("a fork happens", |g, s| !is_one(g, s)));
    } else {
        all.push(Property::<Group>::always(ONE_COMMIT, is_one));
        all.push(Property::<Group>::always(NO_CAPTURE, |g, s| {
            s.placed(&g.setting).all(|(_, at)| is_decided(s, at))
        }));
        all.push(Property::<Group>::always(SHUT_OUT, is_shut_out));
    }
    if setting.budget.losses > 0 {
        all.push(Property::<Group>::sometimes("somebody is re-added", |g, s| {
            g.setting.honest().any(|who| s.members.get(who).joined > 0)
        }));
    }
    if setting.removers != super::who::Members::default() {
        all.push(Property::<Group>::sometimes("Mallory is removed", |g, s| {
            s.placed(&g.setting).any(|(_, at)| has_removed(at))
        }));
    }
    all
}

fn is_one(group: &Group, state: &State) -> bool {
    let all: Vec<_> = state.placed(&group.setting).collect();
    all.iter().all(|(_, a)| all.iter().all(|(_, b)| a.agrees_with(b)))
}

/// Whether an honest hub's boxes lead to a state.
fn is_decided(state: &State, at: &History) -> bool {
    at.back().all(|h| {
        h.split_last().is_none_or(|(before, _)| state.hub.first(&before, Face::One) == Some(&h))
    })
}

fn has_own_keys(setting: &Setting, at: &History) -> bool {
    let tree = at.tree(setting.members);
    Who::ALL.iter().all(|id| tree.get(*id).is_none_or(|key| key.holder == *id))
}

fn has_removed(at: &History) -> bool {
    at.commits().iter().any(|c| c.change == Change::Remove(Who::Mallory))
}

fn is_shut_out(group: &Group, state: &State) -> bool {
    let removed = state.hub.streams.values().filter_map(|s| s.first(Face::One)).any(has_removed);
    state.placed(&group.setting).all(|(_, at)| {
        let late = has_removed(at) || removed && !is_decided(state, at);
        !late || !evil::holds(&group.setting, at)
    })
}

/// If members who have no unread decision stand on two sides, the head of one of them shows it to
/// another.
fn shows(group: &Group, state: &State) -> bool {
    let setting = &group.setting;
    let settled = state.placed(setting).filter(|(_, at)| state.hub.first(at, Face::One).is_none());
    let all: Vec<_> = settled.collect();
    let split = all.iter().any(|(_, a)| all.iter().any(|(_, b)| !a.agrees_with(b)));
    let seen = |who: Who| {
        let member = state.members.get(who);
        all.iter().any(|(_, head)| honest::shows_fork(setting, member, head))
    };
    !split || all.iter().any(|(who, _)| seen(*who))
}

/// All decisions that are on the streams.
fn decisions(state: &State) -> impl Iterator<Item = &History> + '_ {
    let boxes = state.hub.streams.values().flat_map(|stream| {
        state.hub.faces().iter().flat_map(move |face| stream.face(*face).iter())
    });
    boxes.filter_map(|slot| match slot {
        Slot::Decision(made) => Some(made),
        Slot::Junk => None,
    })
}

fn has_bodies(_: &Group, state: &State) -> bool {
    decisions(state).all(|made| {
        let by = made.split_last().map(|(_, commit)| commit.by);
        by == Some(Who::Mallory) || state.hub.bodies.contains(made)
    })
}

fn remembers(group: &Group, state: &State) -> bool {
    state.placed(&group.setting).all(|(who, at)| {
        let mine = decisions(state).filter_map(|made| Some((made, made.split_last()?)));
        let mut mine = mine.filter(|(_, (before, commit))| before == at && commit.by == who);
        let member = state.members.get(who);
        mine.all(|(made, _)| {
            // Another box came first, and it knows.
            let lost = member.decided.as_ref().is_some_and(|decided| decided != made);
            lost || member.pending.as_ref().is_some_and(|p| p.made == *made)
        })
    })
}

/// A decided re-adding by an honest member: the one that waits for it has the welcome in reach, or
/// the helper still has it, or the helper has lost its own place in between.
fn keeps_welcomes(_: &Group, state: &State) -> bool {
    let first = state.hub.streams.values();
    let mut first = first.flat_map(|s| state.hub.faces().iter().filter_map(|f| s.first(*f)));
    first.all(|made| {
        let Some((before, Commit { by, change: Change::Readd(who, key), .. })) = made.split_last()
        else {
            return true;
        };
        let waits = |stamp| state.members.get(who).place == Place::Lost { stamp, asked: true };
        if by == Who::Mallory || !waits(key.stamp) {
            return true;
        }
        let helper = state.members.get(by);
        let here = helper.at();
        let on_way = here == Some(&before) && helper.pending.is_some();
        let lost = helper.clock > 0 || here.is_none_or(|at| !at.agrees_with(made));
        let sent = state.boards.get(by).welcomes.contains(made);
        lost || on_way || sent || helper.owes.contains(made)
    })
}
