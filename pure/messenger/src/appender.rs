//! Appends to a stream that others write too, or that an earlier run has written: the first free
//! index wins.

use std::collections::VecDeque;

use streams::{SealedBox, WriteCapability};
use wire::Timestamp;
use wire::hub::PutOutcome;
use zeroize::Zeroizing;

use crate::Error;
use crate::writer::Ticket;

/// Bodies that may wait.
const MAX_WAITING: usize = 1_100;
/// Pause after `Full` or `SlowDown`, ms.
const BACKOFF_MS: u64 = 2_000;
/// Taken indices that a body walks past before it is given up.
const MAX_STEPS: u32 = 4_096;

/// What became of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The body is in the stream.
    Stored(Ticket),
    /// The index was somebody else's; the next one is tried.
    Again,
    /// The stream is crowded beyond reason; the body is given up.
    GivenUp(Ticket),
}

/// Appends bodies one at a time.
pub struct Appender {
    capability: WriteCapability,
    context: Vec<u8>,
    waiting: VecDeque<(Ticket, Zeroizing<Vec<u8>>)>,
    in_flight: bool,
    due: Timestamp,
    steps: u32,
}

impl Appender {
    /// Appends from the capability's index on, wherever the stream really ends.
    #[must_use]
    pub fn new(capability: WriteCapability, context: Vec<u8>) -> Self {
        Appender {
            capability,
            context,
            waiting: VecDeque::new(),
            in_flight: false,
            due: Timestamp::ZERO,
            steps: 0,
        }
    }

    /// Takes a padded body.
    ///
    /// # Errors
    /// [`Error::OutboxFull`].
    pub fn push(&mut self, ticket: Ticket, body: Zeroizing<Vec<u8>>) -> Result<(), Error> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Error::OutboxFull);
        }
        self.waiting.push_back((ticket, body));
        Ok(())
    }

    /// Nothing waits and nothing is on its way.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When [`Appender::poll`] has something again.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        (!self.in_flight && !self.waiting.is_empty()).then_some(self.due)
    }

    /// The next box to put. `read_to` is the counter up to which the stream is known to be taken.
    ///
    /// # Errors
    /// [`Error::Streams`] at the end of the stream.
    pub fn poll(&mut self, now: Timestamp, read_to: u64) -> Result<Option<SealedBox>, Error> {
        if self.in_flight || now < self.due {
            return Ok(None);
        }
        let Some((_, body)) = self.waiting.front() else {
            return Ok(None);
        };
        // A reader stands at most a door's worth of boxes ahead of us.
        let mut left = MAX_STEPS;
        while self.capability.index().counter() < read_to && left > 0 {
            self.capability = self.capability.next()?;
            left = left.saturating_sub(1);
        }
        self.in_flight = true;
        Ok(Some(self.capability.seal(&self.context, body)?.into_sealed()))
    }

    /// Takes the hub's word on the box in flight.
    ///
    /// # Errors
    /// [`Error::Streams`] at the end of the stream.
    pub fn settle(&mut self, now: Timestamp, outcome: PutOutcome) -> Result<Appended, Error> {
        self.in_flight = false;
        match outcome {
            PutOutcome::Stored | PutOutcome::Same => {
                self.capability = self.capability.next()?;
                self.steps = 0;
                Ok(self.waiting.pop_front().map_or(Appended::Again, |(t, _)| Appended::Stored(t)))
            }
            PutOutcome::Taken => {
                self.capability = self.capability.next()?;
                self.steps = self.steps.saturating_add(1);
                if self.steps < MAX_STEPS {
                    return Ok(Appended::Again);
                }
                self.steps = 0;
                Ok(self.waiting.pop_front().map_or(Appended::Again, |(t, _)| Appended::GivenUp(t)))
            }
            PutOutcome::Full | PutOutcome::SlowDown => {
                self.due = now.plus_millis(BACKOFF_MS);
                Ok(Appended::Again)
            }
        }
    }
}
