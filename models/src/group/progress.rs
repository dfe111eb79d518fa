//! The way out: whether the honest members can come to one epoch, from a given state on.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use super::action::Action;
use super::history::History;
use super::setting::Setting;
use super::state::{Face, Place, State};
use super::who::Who;
use super::{evil, honest};

/// States that the search may look at before it gives up.
const MOST: usize = 50_000;

/// What is known about states: whether there is a way out of them. By their hashes, to save memory.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<u64, bool>>);

fn hash(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

impl Known {
    /// Whether the honest members can come to one epoch if from now on nobody loses its place or
    /// crashes and Mallory does no more than to deliver bodies. The hub must be honest by now.
    pub fn has_way_out(&self, setting: &Setting, state: &State) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What may still happen has no bearing on the search.
        let start = State { budget: super::setting::Budget::default(), ..state.clone() };
        let mut seen = HashSet::from([hash(&start)]);
        let mut path = vec![(hash(&start), start, None)];
        // Depth first, what brings the members forward first; nearly always the first path arrives.
        while let Some((print, here, steps)) = path.last_mut() {
            let answer = known.get(print).copied();
            if answer == Some(true) || is_together(setting, here) {
                known.extend(path.into_iter().map(|(print, _, _)| (print, true)));
                return true;
            }
            if answer == Some(false) {
                path.pop();
                continue;
            }
            let steps = steps.get_or_insert_with(|| actions(setting, here).into_iter());
            let next = steps.find_map(|action| {
                let next = step(setting, here, &action)?;
                let print = hash(&next);
                seen.insert(print).then_some((print, next))
            });
            if seen.len() > MOST {
                return false;
            }
            match next {
                Some((print, next)) => path.push((print, next, None)),
                None => drop(path.pop()),
            }
        }
        // All that can be reached was looked at.
        known.extend(seen.into_iter().map(|print| (print, false)));
        false
    }
}

fn actions(setting: &Setting, state: &State) -> Vec<Action> {
    let mut out = Vec::new();
    evil::amends(state, &mut out);
    honest::actions(setting, state, true, &mut out);
    out
}

fn step(setting: &Setting, state: &State, action: &Action) -> Option<State> {
    let honest = honest::step(setting, state, action, true);
    let mut next = honest.or_else(|| evil::step(state, action))?;
    next.tidy(setting);
    Some(next)
}

/// All honest members who are in the group are in one group state, nobody who has
/// a leaf in it is lost or out, and no decision has ended it: the group can go on.
fn is_together(setting: &Setting, state: &State) -> bool {
    let mut placed = state.placed(setting);
    let Some((_, at)) = placed.next() else { return false };
    let tree = at.tree(setting.members);
    state.hub.first(at, Face::One).is_none()
        && placed.all(|(_, other)| other == at)
        && setting.honest().all(|who| {
            // One side of a fork may have removed a member that the other still has.
            let fine = match state.members.get(who).place {
                Place::In(_) => true,
                Place::Out => setting.forks,
                Place::Lost { .. } => false,
            };
            fine || tree.get(who).is_none()
        })
}

/// Whether a way out is owed. It is not where the protocol itself says that there is none: an
/// invalid commit was decided (`GROUP-007`), or a lost member has nobody left who would re-add it.
pub(super) fn is_owed(setting: &Setting, state: &State) -> bool {
    if state.hub.forking {
        return false;
    }
    if state.groundless {
        return true;
    }
    let tips: Vec<History> = state.placed(setting).map(|(_, at)| tip(state, at)).collect();
    let valid = |tip: &History| tip.back().all(|h| h.is_valid(setting.members, setting.guards));
    if tips.is_empty() || !tips.iter().all(valid) {
        return false;
    }
    let is_in = |who: Who| tips.iter().all(|t| t.tree(setting.members).get(who).is_some());
    // Without the creator nobody says which side of a fork goes on.
    if !is_in(Who::Alice) && !tips.windows(2).all(|pair| pair.first() == pair.last()) {
        return false;
    }
    let mut there: Vec<Who> = state.placed(setting).map(|(who, _)| who).collect();
    there.retain(|who| is_in(*who));
    if there.is_empty() {
        return false;
    }
    let mut away: Vec<Who> =
        setting.honest().filter(|who| is_in(*who) && !there.contains(who)).collect();
    while let Some(n) = away.iter().position(|w| there.iter().any(|h| setting.helps(*h, *w))) {
        there.push(away.remove(n));
    }
    away.is_empty()
}

/// Where the deciding streams lead from a group state.
fn tip(state: &State, at: &History) -> History {
    let mut tip = at.clone();
    while let Some(next) = state.hub.first(&tip, Face::One) {
        tip = next.clone();
    }
    tip
}
