//! The delay queue: a bounded heap of items by due time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use wire::Timestamp;

/// The queue is full. Gives the item back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full<T>(pub T);

/// Holds items until they are due. Items due at the same millisecond come out in insertion order.
pub(crate) struct DelayQueue<T> {
    order: BinaryHeap<Reverse<(Timestamp, u64)>>,
    items: std::collections::HashMap<u64, T>,
    next: u64,
    limit: usize,
}

impl<T> DelayQueue<T> {
    /// A queue of at most `limit` items.
    #[must_use]
    pub(crate) fn new(limit: usize) -> Self {
        DelayQueue {
            order: BinaryHeap::new(),
            items: std::collections::HashMap::new(),
            next: 0,
            limit,
        }
    }

    /// Adds an item that is due at `at`.
    ///
    /// # Errors
    /// [`Full`] with the item.
    pub(crate) fn push(&mut self, at: Timestamp, item: T) -> Result<(), Full<T>> {
        if self.items.len() >= self.limit {
            return Err(Full(item));
        }
        self.order.push(Reverse((at, self.next)));
        self.items.insert(self.next, item);
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Removes the first item that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<T> {
        let Reverse((at, _)) = self.order.peek()?;
        if *at > now {
            return None;
        }
        let Reverse((_, key)) = self.order.pop()?;
        self.items.remove(&key)
    }

    /// When the next item is due.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether three quarters are taken.
    #[must_use]
    pub(crate) fn is_crowded(&self) -> bool {
        self.items.len().saturating_mul(4) >= self.limit.saturating_mul(3)
    }

    /// Whether nothing more can be added.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        //= MIX-006
        #[test]
        fn items_come_out_when_due_in_order_of_time_then_arrival(times in proptest::collection::vec(0u64..50, 0..100)) {
            let mut queue = DelayQueue::new(1000);
            for (n, t) in times.iter().enumerate() {
                queue.push(Timestamp::from_millis(*t), n).unwrap();
            }
            let mut expected: Vec<(u64, usize)> = times.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            for (t, n) in expected {
                let at = Timestamp::from_millis(t);
                prop_assert_eq!(queue.deadline(), Some(at));
                if t > 0 {
                    prop_assert_eq!(queue.pop_due(at.minus_millis(1)), None);
                }
                prop_assert_eq!(queue.pop_due(at), Some(n));
            }
            prop_assert!(queue.items.is_empty());
        }
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = DelayQueue::new(1);
        queue.push(Timestamp::ZERO, "a").unwrap();
        assert_eq!(queue.push(Timestamp::ZERO, "b"), Err(Full("b")));
        assert_eq!(queue.items.len(), 1);
    }
}
