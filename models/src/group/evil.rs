//! What Mallory does. She knows every group state in which she holds a leaf, and may commit there
//! whatever MLS allows; she may also make states of her own that the hub never sees.

use std::collections::BTreeSet;

use super::action::Action;
use super::history::{Change, Commit, History, Key};
use super::setting::Setting;
use super::state::{Place, Slot, State};
use super::who::Who;

/// The stamp on keys of hers under other people's ids: the newest possible.
const NEWEST: u8 = 99;

/// Appends what she may do now.
pub(super) fn actions(setting: &Setting, state: &State, out: &mut Vec<Action>) {
    if state.budget.attacks == 0 {
        return;
    }
    for base in bases(setting, state) {
        for made in commits(setting, state, &base) {
            for face in state.hub.faces() {
                out.push(Action::Decide(made.clone(), true, *face));
                out.push(Action::Decide(made.clone(), false, *face));
            }
        }
        if setting.junk {
            out.extend(state.hub.faces().iter().map(|face| Action::Junk(base.clone(), *face)));
        }
        out.extend(lures(setting, state, &base).into_iter().map(Action::Lure));
    }
    // A welcome into a state that the hub has decided.
    for stream in state.hub.streams.values() {
        let made = state.hub.faces().iter().filter_map(|face| stream.first(*face));
        out.extend(made.filter(|m| is_hers(m)).map(|made| Action::Lure(made.clone())));
    }
}

/// Appends what she does once she is honest again: bodies come after all.
pub(super) fn amends(state: &State, out: &mut Vec<Action>) {
    for stream in state.hub.streams.values() {
        let made = state.hub.faces().iter().filter_map(|face| stream.first(*face));
        let missing = made.filter(|m| is_hers(m) && !state.hub.bodies.contains(m));
        out.extend(missing.map(|made| Action::Deliver(made.clone())));
    }
}

fn is_hers(made: &History) -> bool {
    made.split_last().is_some_and(|(_, commit)| commit.by == Who::Mallory)
}

/// The group states that she can compute: those that are known to the hub or to somebody, and in
/// which she holds a leaf.
fn bases(setting: &Setting, state: &State) -> BTreeSet<History> {
    let decided = state.hub.streams.values();
    let decided = decided.flat_map(|s| state.hub.faces().iter().filter_map(|f| s.first(*f)));
    let tips = decided.chain(state.placed(setting).map(|(_, at)| at));
    let mut all: BTreeSet<History> = tips.flat_map(|tip| tip.back().collect::<Vec<_>>()).collect();
    all.insert(History::start());
    all.retain(|h| holds(setting, h));
    all
}

/// Whether she holds a leaf in a group state, under whatever id.
pub(super) fn holds(setting: &Setting, history: &History) -> bool {
    let tree = history.tree(setting.members);
    Who::ALL.iter().any(|id| tree.get(*id).is_some_and(|k| k.holder == Who::Mallory))
}

fn hers(base: &History, change: Change) -> History {
    base.then(Commit { by: Who::Mallory, change, take: 0 })
}

/// The commits that she may decide on in a group state, by her own leaf.
fn commits(setting: &Setting, state: &State, base: &History) -> Vec<History> {
    let tree = base.tree(setting.members);
    if tree.get(Who::Mallory).is_none() {
        return Vec::new();
    }
    let mut made = vec![hers(base, Change::Refresh)];
    for who in setting.honest().filter(|who| tree.get(*who).is_some()) {
        made.push(hers(base, Change::Remove(who)));
        let theirs = state.members.get(who);
        let stamps = (1..=theirs.clock).filter(|stamp| theirs.has_asked(*stamp));
        let genuine = stamps.map(|stamp| Key { holder: who, stamp });
        let keys = genuine.chain([Key { holder: Who::Mallory, stamp: NEWEST }]);
        made.extend(keys.map(|key| hers(base, Change::Readd(who, key))));
    }
    made
}

/// Group states of her own making into which a lost member could be welcomed. It has the key there
/// that it waits with; the others are as they were, or one of them has a key of hers.
fn lures(setting: &Setting, state: &State, base: &History) -> Vec<History> {
    let tree = base.tree(setting.members);
    if tree.get(Who::Mallory).is_none() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for lost in setting.honest() {
        let Place::Lost { stamp, asked: true } = state.members.get(lost).place else { continue };
        let back = Change::Readd(lost, Key { holder: lost, stamp });
        out.push(hers(base, back));
        for other in setting.honest().filter(|o| *o != lost && tree.get(*o).is_some()) {
            let foreign = Change::Readd(other, Key { holder: Who::Mallory, stamp: NEWEST });
            out.push(hers(&hers(base, foreign), back));
        }
    }
    out
}

/// The state after something that she does.
pub(super) fn step(state: &State, action: &Action) -> Option<State> {
    let mut next = state.clone();
    match action {
        Action::Decide(made, body, face) => {
            spend(&mut next)?;
            let (base, _) = made.split_last()?;
            next.hub.push(&base, *face, Slot::Decision(made.clone()));
            // Behind a decision that counts a box is never read.
            if next.hub.first(&base, *face) != Some(made) {
                return None;
            }
            if *body {
                next.hub.bodies.insert(made.clone());
            }
        }
        Action::Deliver(made) => {
            next.hub.bodies.insert(made.clone());
        }
        Action::Lure(into) => {
            spend(&mut next)?;
            if !next.boards.get_mut(Who::Mallory).welcomes.insert(into.clone()) {
                return None;
            }
        }
        Action::Junk(base, face) => {
            spend(&mut next)?;
            if next.hub.first(base, *face).is_some() {
                return None;
            }
            next.hub.push(base, *face, Slot::Junk);
        }
        _ => return None,
    }
    Some(next)
}

fn spend(next: &mut State) -> Option<()> {
    next.budget.attacks = next.budget.attacks.checked_sub(1)?;
    Some(())
}
