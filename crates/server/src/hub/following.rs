//! A running hub follows its list of rooms.

use std::time::{Duration, Instant};

use hub::server::Hub;
use hub::store::{BoxStore as _, StoreError};
use jail::StateDir;

use crate::Error;
use crate::rooms::{Rooms, RoomsState};
use crate::store::FjallStore;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Following {
    dir: StateDir,
    rooms: Rooms,
    state: RoomsState,
    looked: Instant,
}

impl Following {
    /// Admits the rooms of the list as it is at the start.
    pub(super) fn start(dir: StateDir, hub: &mut Hub<FjallStore>) -> Result<Self, Error> {
        let (rooms, state) = (Rooms::load(&dir)?, RoomsState::load(&dir));
        hub.set_rooms(rooms.admitted()?);
        Ok(Following { dir, rooms, state, looked: Instant::now() })
    }

    /// Looks at the list once a second.
    ///
    /// # Errors
    /// The store's, while it deletes.
    pub(super) fn look(&mut self, hub: &mut Hub<FjallStore>) -> Result<(), StoreError> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        match Rooms::load(&self.dir).and_then(|rooms| Ok((rooms.admitted()?, rooms))) {
            Ok((admitted, rooms)) => {
                if rooms != self.rooms {
                    hub.set_rooms(admitted);
                    self.rooms = rooms;
                }
            }
            // The list as it was holds.
            Err(error) => tracing::warn!(%error, "the list of rooms cannot be read"),
        }
        let before = self.state.clone();
        for room in self.rooms.to_empty(&self.state, &hub.store().usage()) {
            let deleted = hub.purge(room)?;
            tracing::info!(deleted, "a room was emptied");
            self.state.note(&self.rooms, &hub.store().usage(), Some((room, deleted)));
        }
        self.state.note(&self.rooms, &hub.store().usage(), None);
        if self.state != before
            && let Err(error) = self.state.save(&self.dir)
        {
            tracing::warn!(%error, "the state of rooms cannot be written");
        }
        Ok(())
    }
}
