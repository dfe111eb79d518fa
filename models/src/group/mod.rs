//! How a group decides commits, how members who have lost their place are re-added, and what an
//! attacker among them can do (`GROUP-003` to `GROUP-007`, `GROUP-010` to `GROUP-012`).
//!
//! ```text
//!   Alice, Bob, Carol                hub                             Mallory
//!   [disk] [memory] ──look, put──► deciding stream of each state ◄── decides, with or without body
//!       │                          bodies
//!       └──request, welcome, head─► rescue stream of each member ◄── welcomes into states of her own
//! ```

pub mod action;
mod check;
mod evil;
pub mod history;
mod honest;
pub mod progress;
pub mod setting;
pub mod state;
#[cfg(test)]
mod tests;
pub mod who;

use stateright::{Model, Property};

use action::Action;
use progress::Known;
use setting::Setting;
use state::{Face, State};

/// The model, for one setting.
#[derive(Debug)]
pub struct Group {
    /// What a run covers.
    pub setting: Setting,
    known: Known,
    only: Option<&'static str>,
}

impl Group {
    /// The model for a setting, with all properties that hold there.
    pub fn new(setting: Setting) -> Self {
        Group { setting, known: Known::default(), only: None }
    }

    /// The model for a setting, to be checked for one property.
    pub fn only(setting: Setting, property: &'static str) -> Self {
        Group { only: Some(property), ..Group::new(setting) }
    }

    /// Whether the honest members can come to one epoch, if the protocol says so.
    pub fn can_come_together(&self, state: &State) -> bool {
        !progress::is_owed(&self.setting, state) || self.known.has_way_out(&self.setting, state)
    }
}

impl Model for Group {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::start(&self.setting)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        honest::actions(&self.setting, state, false, actions);
        honest::mishaps(&self.setting, state, actions);
        evil::amends(state, actions);
        evil::actions(&self.setting, state, actions);
        if state.hub.forking {
            actions.extend([Action::Heal(Face::One), Action::Heal(Face::Two)]);
        }
        if state.budget.claims > 0 {
            actions.extend(self.setting.honest().map(Action::Claim));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = match &action {
            Action::Heal(face) => {
                let mut next = state.clone();
                next.hub.heal(*face);
                Some(next)
            }
            _ => honest::step(&self.setting, state, &action, false)
                .or_else(|| evil::step(state, &action)),
        }?;
        next.tidy(&self.setting);
        Some(next)
    }

    fn format_action(&self, action: &Action) -> String {
        action.to_string()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = check::properties(&self.setting);
        all.retain(|property| self.only.is_none_or(|only| property.name == only));
        all
    }
}
