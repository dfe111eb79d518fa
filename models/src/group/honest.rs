//! What honest members do: each function is one step, or `None` where it cannot happen.

use super::action::Action;
use super::history::{Change, Commit, History, Key};
use super::setting::{Guards, Heads, Setting};
use super::state::{Answer, Face, Member, Pending, Place, Slot, State};
use super::who::{Members, Who};

/// Appends all that honest members may do now, what brings them forward first. With `way_out` what
/// is done is as a search needs it: no budget is asked for, and everybody may refresh.
pub(super) fn actions(setting: &Setting, state: &State, way_out: bool, out: &mut Vec<Action>) {
    for who in setting.honest() {
        let member = state.members.get(who);
        out.extend(member.owes.iter().map(|into| Action::SendWelcome(who, into.clone())));
        match member.place {
            Place::In(_) => moves(setting, state, who, out),
            Place::Lost { asked: false, .. } => out.push(Action::Ask(who)),
            Place::Lost { asked: true, .. } => out.extend(joins(setting, state, who)),
            Place::Out => {}
        }
    }
    for who in setting.honest().filter(|who| is_free(state.members.get(*who))) {
        out.extend(makes(setting, state, who, way_out).into_iter().map(|c| Action::Make(who, c)));
    }
    for who in setting.honest() {
        let member = state.members.get(who);
        let waits = matches!(member.place, Place::Lost { asked: true, .. });
        if waits && setting.guards.asks_again && (way_out || state.budget.repeats > 0) {
            out.push(Action::Renew(who));
        }
        if way_out && is_free(member) {
            out.push(Action::Make(who, Change::Refresh));
        }
    }
}

/// Appends what a member with a place may do, apart from making a commit.
fn moves(setting: &Setting, state: &State, who: Who, out: &mut Vec<Action>) {
    let member = state.members.get(who);
    if member.answer.is_some() {
        out.push(Action::Hear(who));
    }
    if member.decided.is_some() {
        out.push(Action::Apply(who));
        if setting.guards.looks_again && setting.forks && !state.hub.forking {
            out.push(Action::Look(who, Face::One));
        }
    } else {
        if let Some(pending) = &member.pending {
            out.push(Action::PutBody(who));
            if pending.at.is_none() {
                out.push(Action::Seal(who));
            } else if member.answer.is_none() {
                out.extend(state.hub.faces().iter().map(|face| Action::PutBox(who, *face)));
            }
        }
        out.extend(state.hub.faces().iter().map(|face| Action::Look(who, *face)));
    }
    if setting.forks && who != Who::Alice {
        out.push(Action::ReadHead(who));
    } else if setting.forks {
        out.push(Action::PostHead(who));
    }
}

/// Whether a member may begin a commit: it has seen that nothing is decided.
const fn is_free(member: &Member) -> bool {
    member.pending.is_none() && member.decided.is_none() && member.empty_to.is_some()
}

/// Appends what may go wrong with honest members.
pub(super) fn mishaps(setting: &Setting, state: &State, out: &mut Vec<Action>) {
    for who in setting.honest() {
        if state.budget.losses > 0 {
            out.push(Action::Lose(who, false));
            if setting.backups {
                out.push(Action::Lose(who, true));
            }
        }
        if state.budget.crashes > 0 {
            out.push(Action::Crash(who));
        }
    }
}

/// The changes that a member wants now.
fn makes(setting: &Setting, state: &State, who: Who, way_out: bool) -> Vec<Change> {
    let Some(at) = state.members.get(who).at() else { return Vec::new() };
    let tree = at.tree(setting.members);
    let mut wanted = Vec::new();
    for lost in setting.honest().filter(|lost| setting.helps(who, *lost)) {
        let Some(old) = *tree.get(lost) else { continue };
        let asked = state.members.get(lost);
        let stamps = (old.stamp.saturating_add(1)..=asked.clock).filter(|s| asked.has_asked(*s));
        // The newest first, for the search's sake.
        let stamps = stamps.collect::<Vec<_>>().into_iter().rev();
        wanted.extend(stamps.map(|stamp| Change::Readd(lost, Key { holder: lost, stamp })));
    }
    let mallory = tree.get(Who::Mallory).is_some();
    if setting.removers.has(who) && mallory && !way_out {
        wanted.push(Change::Remove(Who::Mallory));
    }
    if state.budget.refreshes > 0 && !way_out {
        wanted.push(Change::Refresh);
    }
    wanted
}

fn joins(setting: &Setting, state: &State, who: Who) -> Vec<Action> {
    if !matches!(state.members.get(who).place, Place::Lost { asked: true, .. }) {
        return Vec::new();
    }
    let from = Who::ALL.into_iter().filter(|from| *from != who);
    from.flat_map(|from| {
        let welcomes = state.boards.get(from).welcomes.iter();
        welcomes.map(move |into| Action::Join(who, from, into.clone()))
    })
    .filter(|join| step(setting, state, join, false).is_some())
    .collect()
}

/// The state after a step of an honest member.
pub(super) fn step(
    setting: &Setting,
    state: &State,
    action: &Action,
    way_out: bool,
) -> Option<State> {
    let mut next = state.clone();
    match action {
        Action::Look(who, face) => look(setting, &mut next, *who, *face)?,
        Action::Make(who, change) => make(setting, &mut next, *who, *change, way_out)?,
        Action::PutBody(who) => put_body(&mut next, *who)?,
        Action::Seal(who) => seal(&mut next, *who, setting.guards)?,
        Action::PutBox(who, face) => put_box(&mut next, *who, *face)?,
        Action::Hear(who) => hear(setting, &mut next, *who)?,
        Action::Apply(who) => apply(setting, &mut next, *who)?,
        Action::SendWelcome(who, into) => {
            next.members.get_mut(*who).owes.take(into)?;
            next.boards.get_mut(*who).welcomes.insert(into.clone());
        }
        Action::Lose(who, backup) => {
            next.budget.losses = next.budget.losses.checked_sub(1)?;
            lose(&mut next, *who)?;
            if *backup {
                let member = next.members.get_mut(*who);
                member.known = setting.members;
                member.owes.clear();
            }
        }
        Action::Ask(who) => match &mut next.members.get_mut(*who).place {
            Place::Lost { asked, .. } if !*asked => *asked = true,
            _ => return None,
        },
        Action::Renew(who) => renew(&mut next, *who, way_out)?,
        Action::Join(who, from, into) => join(setting, &mut next, *who, *from, into)?,
        Action::PostHead(who) => post_head(&mut next, *who)?,
        Action::ReadHead(who) => read_head(setting, &mut next, *who)?,
        Action::Crash(who) => {
            next.budget.crashes = next.budget.crashes.checked_sub(1)?;
            crash(&mut next, *who, setting.guards)?;
        }
        Action::Claim(who) => {
            next.budget.claims = next.budget.claims.checked_sub(1)?;
            // With the guard on, the word of the hub alone changes nothing.
            if setting.guards.taken {
                return None;
            }
            lose(&mut next, *who)?;
            next.groundless = true;
        }
        _ => return None,
    }
    Some(next)
}

fn look(setting: &Setting, next: &mut State, who: Who, face: Face) -> Option<()> {
    let member = next.members.get(who);
    let at = member.at()?.clone();
    let Some(made) = next.hub.first(&at, face).cloned() else {
        if member.decided.is_some() {
            return None;
        }
        let seen = Some(next.hub.boxes(&at, face).len());
        let member = next.members.get_mut(who);
        let old = std::mem::replace(&mut member.empty_to, seen);
        return (old != seen).then_some(());
    };
    if member.pending.as_ref().is_some_and(|p| p.made == made) {
        win(setting, next, who)
    } else {
        let member = next.members.get_mut(who);
        member.empty_to = None;
        (member.decided.replace(made.clone()) != Some(made)).then_some(())
    }
}

fn make(
    setting: &Setting,
    next: &mut State,
    who: Who,
    change: Change,
    way_out: bool,
) -> Option<()> {
    let member = next.members.get(who);
    let at = member.at()?.clone();
    let last = if way_out { setting.last_epoch.saturating_add(4) } else { setting.last_epoch };
    if !is_free(member) || at.epoch() >= last {
        return None;
    }
    if change == Change::Refresh && !way_out {
        next.budget.refreshes = next.budget.refreshes.checked_sub(1)?;
    }
    let made = at.then(Commit { by: who, change, take: member.takes });
    if !made.is_valid(setting.members, setting.guards) {
        return None;
    }
    next.members.get_mut(who).pending = Some(Pending { made, at: None });
    Some(())
}

fn put_body(next: &mut State, who: Who) -> Option<()> {
    let made = next.members.get(who).pending.as_ref()?.made.clone();
    next.hub.bodies.insert(made).then_some(())
}

fn seal(next: &mut State, who: Who, guards: Guards) -> Option<()> {
    let stored = !guards.body_first
        || next.hub.bodies.contains(&next.members.get(who).pending.as_ref()?.made);
    let member = next.members.get_mut(who);
    let index = member.empty_to.filter(|_| stored)?;
    let pending = member.pending.as_mut().filter(|p| p.at.is_none())?;
    pending.at = Some(index);
    Some(())
}

fn put_box(next: &mut State, who: Who, face: Face) -> Option<()> {
    let member = next.members.get(who);
    let before = member.at()?.clone();
    let pending = member.pending.as_ref().filter(|_| member.answer.is_none())?;
    let (index, slot) = (pending.at?, Slot::Decision(pending.made.clone()));
    let boxes = next.hub.boxes(&before, face);
    let answer = match boxes.get(index) {
        Some(there) if *there == slot => Answer::Stored,
        Some(_) => Answer::Taken,
        None if boxes.len() == index => {
            next.hub.push(&before, face, slot);
            Answer::Stored
        }
        None => return None,
    };
    next.members.get_mut(who).answer = Some(answer);
    Some(())
}

fn hear(setting: &Setting, next: &mut State, who: Who) -> Option<()> {
    match next.members.get_mut(who).answer.take()? {
        Answer::Stored => win(setting, next, who),
        Answer::Taken => {
            let member = next.members.get_mut(who);
            member.empty_to = None;
            member.pending.as_mut()?.at = None;
            Some(())
        }
    }
}

/// Its own commit counts.
fn win(setting: &Setting, next: &mut State, who: Who) -> Option<()> {
    let member = next.members.get_mut(who);
    let made = member.pending.take()?.made;
    if let Some((_, Commit { change: Change::Readd(..), .. })) = made.split_last() {
        member.owes.insert(made.clone());
    }
    enter(setting, member, made);
    Some(())
}

fn enter(setting: &Setting, member: &mut Member, into: History) {
    let tree = into.tree(setting.members);
    member.known =
        Members::of(&Who::ALL.into_iter().filter(|w| tree.get(*w).is_some()).collect::<Vec<_>>());
    member.place = Place::In(into);
    forget_epoch(member);
}

fn forget_epoch(member: &mut Member) {
    member.pending = None;
    member.decided = None;
    member.empty_to = None;
    member.answer = None;
}

fn apply(setting: &Setting, next: &mut State, who: Who) -> Option<()> {
    let made = next.members.get(who).decided.clone()?;
    let ready = next.hub.bodies.contains(&made) && made.is_valid(setting.members, setting.guards);
    // MLS applies no commit of one's own from its body; what it needs was in the pending commit.
    let (_, commit) = made.split_last().filter(|_| ready)?;
    if commit.by == who {
        return None;
    }
    let goes = matches!(commit.change, Change::Remove(w) | Change::Readd(w, _) if w == who);
    let member = next.members.get_mut(who);
    if !goes {
        enter(setting, member, made);
    } else {
        member.place = Place::Out;
        forget_epoch(member);
    }
    Some(())
}

fn lose(next: &mut State, who: Who) -> Option<()> {
    let member = next.members.get_mut(who);
    member.at()?;
    member.clock = member.clock.saturating_add(1);
    member.place = Place::Lost { stamp: member.clock, asked: false };
    forget_epoch(member);
    Some(())
}

fn renew(next: &mut State, who: Who, way_out: bool) -> Option<()> {
    let member = next.members.get_mut(who);
    if !matches!(member.place, Place::Lost { asked: true, .. }) {
        return None;
    }
    if !way_out {
        next.budget.repeats = next.budget.repeats.checked_sub(1)?;
    }
    // A bound for the search.
    member.clock = member.clock.checked_add(1).filter(|clock| *clock < 8)?;
    member.place = Place::Lost { stamp: member.clock, asked: false };
    Some(())
}

fn join(setting: &Setting, next: &mut State, who: Who, from: Who, into: &History) -> Option<()> {
    let member = next.members.get(who);
    let Place::Lost { stamp, asked: true } = member.place else { return None };
    let tree = into.tree(setting.members);
    let ours = tree.get(who).is_some_and(|k| k == Key { holder: who, stamp });
    let rooted = Who::ALL.iter().all(|id| tree.get(*id).is_none_or(|k| k.holder == *id));
    let guards = setting.guards;
    let stands = from == Who::Alice
        || member.known.has(from) && (!guards.welcome || setting.are_verified(who, from));
    let is_there = next.boards.get(from).welcomes.contains(into);
    if !(is_there && ours && stands && (rooted || !guards.proof)) {
        return None;
    }
    let member = next.members.get_mut(who);
    member.joined = into.epoch();
    enter(setting, member, into.clone());
    Some(())
}

/// Only the creator's head makes anybody do anything, so only she writes one here. A forking hub
/// could keep it back, so it counts from when the hub is honest.
fn post_head(next: &mut State, who: Who) -> Option<()> {
    let may = who == Who::Alice && !next.hub.forking;
    let head = next.members.get(who).at().filter(|_| may)?.clone();
    let old = next.boards.get_mut(who).head.replace(head.clone());
    (old.as_ref() != Some(&head)).then_some(())
}

fn read_head(setting: &Setting, next: &mut State, who: Who) -> Option<()> {
    let head = next.boards.get(Who::Alice).head.as_ref().filter(|_| who != Who::Alice)?;
    if !shows_fork(setting, next.members.get(who), head) {
        return None;
    }
    lose(next, who)
}

/// Whether a head of somebody else shows a member that there are two orders.
pub(super) fn shows_fork(setting: &Setting, member: &Member, head: &History) -> bool {
    let Some(at) = member.at() else { return false };
    match setting.heads {
        Heads::SameEpoch => at.epoch() == head.epoch() && at != head,
        Heads::Remembered => {
            let known = (member.joined..=at.epoch()).contains(&head.epoch());
            known && at.at(head.epoch()).as_ref() != Some(head)
        }
    }
}

fn crash(next: &mut State, who: Who, guards: Guards) -> Option<()> {
    let member = next.members.get_mut(who);
    let before = member.clone();
    member.decided = None;
    member.empty_to = None;
    member.answer = None;
    if !guards.kept {
        member.owes.clear();
        member.takes = member.takes.saturating_add(u8::from(member.pending.take().is_some()));
    }
    (*member != before).then_some(())
}
