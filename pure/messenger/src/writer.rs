//! Writes one stream: each body gets the next index, and its box stays until the hub has it.

use std::collections::{BTreeMap, VecDeque};

use streams::{SealedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use crate::Error;
use crate::reader::WINDOW;

/// Bodies that may wait, sealed or not.
pub const MAX_WAITING: usize = 4096;

/// Pause after `Full` or `SlowDown`, ms; doubles up to sixteen times this.
const BACKOFF_MS: u64 = 1_000;

/// Names a body that was given to a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

struct InFlight {
    ticket: Ticket,
    sealed: SealedBox,
    due: Option<Timestamp>,
    refusals: u32,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The hub has it durably.
    Stored(Ticket),
    /// Another box has its id: somebody else writes with this capability.
    Taken(Ticket),
    /// Not yet: the hub asks for patience, it goes out again by itself.
    Later(Ticket, PutOutcome),
}

/// Writes one stream. At most [`WINDOW`] boxes are in flight, so that a reader's window always
/// covers them.
pub struct StreamWriter {
    capability: WriteCapability,
    context: Vec<u8>,
    waiting: VecDeque<(Ticket, Zeroizing<Vec<u8>>)>,
    /// Index in this stream's order → box on its way.
    in_flight: BTreeMap<u64, InFlight>,
    next_order: u64,
}

impl StreamWriter {
    /// Writes from the capability's index on.
    #[must_use]
    pub fn new(capability: WriteCapability, context: Vec<u8>) -> Self {
        StreamWriter {
            capability,
            context,
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_order: 0,
        }
    }

    /// The capability at the next unused index.
    #[must_use]
    pub fn capability(&self) -> &WriteCapability {
        &self.capability
    }

    /// Boxes sealed from now on use this context.
    pub fn set_context(&mut self, context: Vec<u8>) {
        self.context = context;
    }

    /// Takes a body, already padded.
    ///
    /// # Errors
    /// [`Error::OutboxFull`]; nothing is taken then.
    pub fn push(&mut self, ticket: Ticket, body: Zeroizing<Vec<u8>>) -> Result<(), Error> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Error::OutboxFull);
        }
        self.waiting.push_back((ticket, body));
        Ok(())
    }

    /// How many more bodies fit.
    #[must_use]
    pub fn room(&self) -> usize {
        MAX_WAITING.saturating_sub(self.waiting.len())
    }

    /// Nothing waits and nothing is on its way.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// The next box to put, with the number that [`StreamWriter::settle`] takes.
    ///
    /// # Errors
    /// [`Error::Streams`] when the stream's counter would overflow.
    pub fn poll(&mut self, now: Timestamp) -> Result<Option<(u64, Ticket, SealedBox)>, Error> {
        // Behind a box that the hub has refused nothing is put: readers would wait for it with all
        // that came after it, and pass over it in the end (ROOM-020).
        if let Some((order, flight)) = self.in_flight.iter_mut().find(|(_, f)| f.refusals > 0) {
            if flight.due.is_none_or(|due| due > now) {
                return Ok(None);
            }
            flight.due = None;
            return Ok(Some((*order, flight.ticket, flight.sealed.clone())));
        }
        let oldest = self.in_flight.keys().next().copied().unwrap_or(self.next_order);
        let window = u64::try_from(WINDOW).unwrap_or(u64::MAX);
        if self.next_order.saturating_sub(oldest) >= window {
            return Ok(None);
        }
        let Some((ticket, body)) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let sealed = self.capability.seal(&self.context, &body)?.into_sealed();
        self.capability = self.capability.next()?;
        let order = self.next_order;
        self.next_order = self.next_order.saturating_add(1);
        self.in_flight
            .insert(order, InFlight { ticket, sealed: sealed.clone(), due: None, refusals: 0 });
        Ok(Some((order, ticket, sealed)))
    }

    /// When [`StreamWriter::poll`] has something again although nothing was settled.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.in_flight.values().find(|f| f.refusals > 0).and_then(|f| f.due)
    }

    /// Takes the hub's word on a box; `None` for a number that is settled already.
    pub fn settle(&mut self, now: Timestamp, order: u64, outcome: PutOutcome) -> Option<Settled> {
        let flight = self.in_flight.get_mut(&order)?;
        let ticket = flight.ticket;
        match outcome {
            PutOutcome::Stored | PutOutcome::Same => {
                self.in_flight.remove(&order);
                Some(Settled::Stored(ticket))
            }
            PutOutcome::Taken => {
                self.in_flight.remove(&order);
                Some(Settled::Taken(ticket))
            }
            PutOutcome::Full | PutOutcome::SlowDown => {
                let wait = BACKOFF_MS.saturating_mul(1 << flight.refusals.min(4));
                flight.refusals = flight.refusals.saturating_add(1);
                flight.due = Some(now.plus_millis(wait));
                Some(Settled::Later(ticket, outcome))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= ROOM-020
    #[test]
    fn nothing_is_put_behind_a_box_that_was_refused() {
        let now = Timestamp::from_millis(1);
        let mut writer = StreamWriter::new(WriteCapability::from_seed(&[7; 32]), b"talk".to_vec());
        for n in 0..20 {
            writer.push(Ticket(n), vec![0].into()).unwrap();
        }
        let polled = |writer: &mut StreamWriter, now| -> Vec<u64> {
            std::iter::from_fn(|| writer.poll(now).unwrap().map(|(order, ..)| order)).collect()
        };
        assert_eq!(polled(&mut writer, now), (0..8).collect::<Vec<_>>());
        for order in 0..8 {
            let refused = order == 0 || order == 3;
            let outcome = if refused { PutOutcome::SlowDown } else { PutOutcome::Stored };
            writer.settle(now, order, outcome);
        }
        assert!(polled(&mut writer, now).is_empty());
        let due = writer.deadline().unwrap();
        assert_eq!(polled(&mut writer, due), [0]);
        assert_eq!(writer.deadline(), None, "it is under way");
        writer.settle(due, 0, PutOutcome::Stored);
        assert_eq!(polled(&mut writer, due), [3]);
        writer.settle(due, 3, PutOutcome::Same);
        assert_eq!(polled(&mut writer, due), (8..16).collect::<Vec<_>>());
    }
}
