//! Messages from neighbours and to them.

use hub::from_wire;
use hub::store::stored_len;
use streams::BoxId;
use wire::hub::BoxAddress;
use wire::limits::MAX_MESH_IDS;
use wire::mesh::{Carried, Message, Offered};

use super::{LinkId, Node, Step, Wanted};
use crate::Error;
use crate::carry::Note;
use crate::pair::{Account, Standing};
use crate::reconcile::Reconciliation;

/// Most bytes of boxes in one message, so that other messages need not wait long behind it.
const BOXES_BYTES: u64 = 128 * 1024;
/// How many other holders of a wanted box are remembered.
const MAX_OTHERS: usize = 3;

impl Node {
    /// Takes a message from a neighbour. If it breaks the protocol, its link is closed; nothing
    /// else is affected.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn on_message(
        &mut self,
        step: &mut Step<'_>,
        link: LinkId,
        message: Message,
    ) -> Result<(), Error> {
        if !self.links.contains_key(&link) {
            return Ok(());
        }
        let done = match message {
            Message::Ranges(ranges) => self.on_ranges(step, link, &ranges),
            Message::Answer(answer) => self.on_answer(step, link, &answer),
            Message::Offer(offers) => self.on_offer(step, link, &offers),
            Message::Want(ids) => self.on_want(link, &ids),
            Message::Boxes(boxes) => self.on_boxes(step, link, boxes),
            Message::Gone(ids) => {
                self.on_gone(link, &ids);
                Ok(())
            }
        };
        match done {
            Err(Error::PeerMisbehaved(why)) => self.close(link, why),
            other => other?,
        }
        self.pump_all(step);
        Ok(())
    }

    fn on_ranges(&mut self, step: &mut Step<'_>, link: LinkId, ranges: &[u8]) -> Result<(), Error> {
        let stale = self.links.get(&link).is_none_or(|n| n.answers_anew(step.now));
        let fresh = stale.then(|| self.snapshot());
        let Some(neighbour) = self.links.get_mut(&link) else { return Ok(()) };
        if neighbour.standing != Standing::Contact || neighbour.dialled {
            return Err(Error::PeerMisbehaved("only the side that dialled may start to reconcile"));
        }
        let answer = neighbour.answering(step.now, fresh).answer(ranges)?;
        if neighbour.answer(Message::Answer(answer)) {
            Ok(())
        } else {
            Err(Error::PeerMisbehaved("too many steps at once"))
        }
    }

    fn on_answer(&mut self, step: &mut Step<'_>, link: LinkId, answer: &[u8]) -> Result<(), Error> {
        let Some(neighbour) = self.links.get_mut(&link) else { return Ok(()) };
        let Some(mut round) = neighbour.round.take() else {
            return Err(Error::PeerMisbehaved("an answer without a question"));
        };
        let difference = round.step(answer)?;
        for id in difference.they_lack {
            if let Some(entry) = self.carry.get(&id).filter(|e| e.note.hops > 0) {
                neighbour.announce(id, entry.note.hops);
            }
        }
        match difference.next {
            Some(next) => {
                neighbour.round = Some(round);
                neighbour.control.push_back(Message::Ranges(next));
            }
            None => neighbour.round_over(step.now, self.config.round_ms),
        }
        // How many hops they may travel is stated with the boxes themselves.
        difference.we_lack.into_iter().for_each(|id| self.want(link, id));
        Ok(())
    }

    fn on_offer(
        &mut self,
        step: &mut Step<'_>,
        link: LinkId,
        offers: &[Offered],
    ) -> Result<(), Error> {
        for offer in offers {
            let id = BoxId::new(offer.id.0);
            // A neighbour may claim any number of hops; capping it here bounds how far anything can
            // spread.
            let hops = offer.hops.min(self.config.hops).saturating_sub(1);
            match self.carry.get(&id).map(|e| e.note) {
                Some(note)
                    if note.only.is_none() && note.account != Account::OURS && note.hops < hops =>
                {
                    self.carry.lengthen(step.store, &id, hops)?;
                    if note.hops == 0 {
                        self.announce(step, id, Note { hops, ..note }, Some(link));
                    }
                }
                Some(_) => {}
                None if offer.hops > 0 => self.want(link, id),
                None => {}
            }
        }
        Ok(())
    }

    /// Queues a box to be asked for, unless it is on its way or was dropped.
    fn want(&mut self, link: LinkId, id: BoxId) {
        let watched = self.watches.contains_key(&id);
        let known = self.carry.get(&id).is_some() || self.carry.is_gone(&id) && !watched;
        let Some(neighbour) = self.links.get_mut(&link).filter(|_| !known) else { return };
        if let Some(wanted) = self.wanted.get_mut(&id) {
            if wanted.from != link
                && !wanted.others.contains(&link)
                && wanted.others.len() < MAX_OTHERS
            {
                wanted.others.push(link);
            }
        // A guest is a stranger with an invite: take only what somebody waits for, and remember the
        // offer in case somebody does soon.
        } else if neighbour.standing == Standing::Guest && !watched {
            neighbour.withhold(id);
        } else {
            neighbour.want(id, watched);
        }
    }

    fn on_want(&mut self, link: LinkId, ids: &[BoxAddress]) -> Result<(), Error> {
        let Some(neighbour) = self.links.get_mut(&link) else { return Ok(()) };
        for id in ids.iter().map(|a| BoxId::new(a.0)) {
            let may = self.carry.get(&id).is_some_and(|e| match e.note.only {
                Some(account) => account == neighbour.account,
                None => neighbour.standing == Standing::Contact && e.note.hops > 0,
            });
            // The same answer for "not here" and "not for you".
            if !may && neighbour.gone.len() < MAX_MESH_IDS {
                neighbour.gone.push(id);
            } else if !may || !neighbour.serve(id) {
                return Err(Error::PeerMisbehaved("it asked for too many boxes at once"));
            }
        }
        Ok(())
    }

    fn on_boxes(
        &mut self,
        step: &mut Step<'_>,
        link: LinkId,
        boxes: Vec<Carried>,
    ) -> Result<(), Error> {
        for Carried { hops, content } in boxes {
            let len = stored_len(&content.ciphertext);
            let id = BoxId::new(content.id);
            let asked = self.wanted.get(&id).is_some_and(|w| w.from == link);
            let Some(neighbour) = self.links.get_mut(&link) else { return Ok(()) };
            // Counts against its rate before anything is checked, so garbage is not free.
            neighbour.took(len);
            if !asked {
                // A late answer to a request that timed out looks the same as an unasked box.
                if neighbour.tolerates_unasked() {
                    continue;
                }
                return Err(Error::PeerMisbehaved("too many boxes that were not asked for"));
            }
            neighbour.asked = neighbour.asked.saturating_sub(1);
            let (account, standing) = (neighbour.account, neighbour.standing);
            self.wanted.remove(&id);
            let content = from_wire(content)
                .verify()
                .map_err(|_| Error::PeerMisbehaved("a box with a bad signature"))?;
            let hops = hops.min(self.config.hops).saturating_sub(1);
            // What a guest brings belongs to its invite and is never offered to others.
            let only = (standing == Standing::Guest).then_some(account);
            let note = Note { hops, account, only, at: step.now };
            // If its writer wrote two different boxes at this id, the first to arrive counts.
            self.put_noted(step, &content, note, Some(link))?;
        }
        Ok(())
    }

    fn on_gone(&mut self, link: LinkId, ids: &[BoxAddress]) {
        for id in ids.iter().map(|a| BoxId::new(a.0)) {
            if self.wanted.get(&id).is_some_and(|w| w.from == link) {
                self.unwant(&id);
            }
        }
    }

    pub(super) fn pump_all(&mut self, step: &mut Step<'_>) {
        let all: Vec<LinkId> =
            self.links.iter().filter(|(_, n)| !n.sending).map(|(id, _)| *id).collect();
        all.into_iter().for_each(|id| self.pump(step, id));
    }

    /// Sends the next message to a neighbour, if none is on its way.
    pub(super) fn pump(&mut self, step: &mut Step<'_>, link: LinkId) {
        let message = match self.links.get(&link) {
            Some(neighbour) if !neighbour.sending => self.next_message(step, link),
            _ => return,
        };
        if let Some((message, neighbour)) = message.zip(self.links.get_mut(&link)) {
            neighbour.sending = true;
            self.out.push_back(super::Action::Send(link, message));
        }
    }

    /// The order is answers, our wants, their wants, offers. Answers are small and the other side
    /// waits for them; offers can wait, since the next round would bring them anyway.
    fn next_message(&mut self, step: &mut Step<'_>, link: LinkId) -> Option<Message> {
        self.begin_round(link);
        let neighbour = self.links.get_mut(&link)?;
        if let Some(message) = neighbour.control.pop_front() {
            return Some(message);
        }
        if !neighbour.gone.is_empty() {
            let gone = std::mem::take(&mut neighbour.gone);
            return Some(Message::Gone(gone.iter().map(|id| BoxAddress(*id.as_bytes())).collect()));
        }
        if let Some(wants) = self.next_wants(step, link) {
            return Some(wants);
        }
        if let Some(boxes) = self.next_boxes(step, link) {
            return Some(boxes);
        }
        let neighbour = self.links.get_mut(&link)?;
        let count = neighbour.announcing.len().min(MAX_MESH_IDS);
        let offers: Vec<_> = neighbour.announcing.drain(..count).collect();
        (!offers.is_empty()).then(|| Message::Offer(Node::offers_of(offers)))
    }

    fn begin_round(&mut self, link: LinkId) {
        let due = self.links.get(&link).is_some_and(|n| n.begin_round && n.round.is_none());
        if !due {
            return;
        }
        let begun = Reconciliation::begin(self.snapshot());
        if let Some((neighbour, (round, first))) = self.links.get_mut(&link).zip(begun.ok()) {
            neighbour.begin_round = false;
            neighbour.round = Some(round);
            neighbour.control.push_back(Message::Ranges(first));
        }
    }

    fn next_wants(&mut self, step: &Step<'_>, link: LinkId) -> Option<Message> {
        let neighbour = self.links.get_mut(&link)?;
        let mut ids = Vec::new();
        while neighbour.may_ask(step.now) {
            let Some(id) = neighbour.next_wanted() else { break };
            if self.carry.get(&id).is_some() {
                continue;
            }
            if let Some(wanted) = self.wanted.get_mut(&id) {
                if wanted.from != link && wanted.others.len() < MAX_OTHERS {
                    wanted.others.push(link);
                }
                continue;
            }
            self.wanted.insert(id, Wanted { from: link, since: step.now, others: Vec::new() });
            neighbour.asked = neighbour.asked.saturating_add(1);
            ids.push(BoxAddress(*id.as_bytes()));
        }
        (!ids.is_empty()).then_some(Message::Want(ids))
    }

    fn next_boxes(&mut self, step: &Step<'_>, link: LinkId) -> Option<Message> {
        let neighbour = self.links.get_mut(&link)?;
        let (mut boxes, mut bytes) = (Vec::new(), 0_u64);
        while bytes < BOXES_BYTES && boxes.len() < wire::limits::MAX_MESH_BOXES {
            let Some(id) = neighbour.serving.pop_front() else { break };
            let entry = self.carry.get(&id).map(|e| e.note.hops);
            let found = step.store.get(&[id]).ok().and_then(|found| found.into_iter().next());
            match entry.zip(found) {
                Some((hops, content)) => {
                    let len = stored_len(&content.ciphertext);
                    bytes = bytes.saturating_add(len);
                    neighbour.gave(len);
                    neighbour.giving.push(id);
                    boxes.push(Carried { hops, content });
                }
                None => neighbour.gone.push(id),
            }
        }
        (!boxes.is_empty()).then_some(Message::Boxes(boxes))
    }
}
