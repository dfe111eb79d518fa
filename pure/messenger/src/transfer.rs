//! Files: one-off streams of boxes, a window at a time, resumable on either side (`FILE-001`).

use e2ee::id::{ConversationId, MessageId, TransferId};
use e2ee::{Newlines, sanitize};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use streams::{
    BoxId, ReadCapability, STANDARD_CONTENT_LEN, Sizes, VerifiedBox, WriteCapability, unpad,
};
use wire::Timestamp;
use wire::hub::PutOutcome;

use crate::Error;
use crate::body::{FileOffer, MAX_FILE_NAME};
use crate::codec::{Bytes, pack};
use crate::context::{Owner, StepContext};
use crate::event::{Event, FileState, Output, PlaceId};
use crate::near::Reach;
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::{BoxBytes, Run, seal_all};
use crate::store::Space;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct NewFile);

/// BACAP context of file streams.
const CONTEXT: &[u8] = b"hushwing file v1";
/// Bytes of a file in one box.
pub const CHUNK_LEN: usize = STANDARD_CONTENT_LEN;
/// Boxes under way at a time, and ids that one request names: as many as an answer over the onion
/// route holds.
const WINDOW: usize = 64;
const ASK: usize = 3;
/// Progress is written down after this many chunks.
const KEEP_EVERY: u64 = 32;

/// A transfer, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Transfer {
    /// The conversation.
    pub conversation: ConversationId,
    /// The message that offers it.
    pub message: MessageId,
    /// Name, made harmless by [`safe_name`].
    pub name: String,
    /// Bytes in all.
    pub size: u64,
    /// SHA-256 of all bytes.
    pub sha256: Vec<u8>,
    /// Whether we send it.
    pub ours: bool,
    /// How far it got.
    pub state: FileState,
    /// Bytes that have arrived.
    pub done: u64,
    /// Where the file is or is to be, as the shell understands it.
    pub path: String,
    pub(crate) stream: Bytes,
    /// Bytes that neighbours can fetch from us: what is left is to bring them to the hub.
    #[serde(default)]
    pub(crate) carried: u64,
}

pub(crate) struct Moving {
    pub(crate) id: TransferId,
    pub(crate) place: PlaceId,
    pub(crate) transfer: Transfer,
    /// How far requests get, and whether there is no hub.
    reach: Reach,
    lan: bool,
    /// Sending: boxes under way, by chunk; `None` while the shell reads the chunk.
    out: BTreeMap<u64, Option<BoxBytes>>,
    run: Run,
    /// Receiving.
    reader: Option<StreamReader>,
    /// Open requests, by number, with the ids that they name.
    asked: BTreeMap<u64, (CallId, Vec<BoxId>)>,
    next_ask: u64,
    written: u64,
    finishing: bool,
}

/// A harmless file name: the last component only, sanitised, bounded, never hidden, never empty
/// (`FILE-003`).
#[must_use]
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean = sanitize(last, Newlines::Fold);
    let clean: String =
        clean.chars().map(|c| if "<>:\"|?*\0".contains(c) { '_' } else { c }).collect();
    // Neither hidden, nor with an end that some systems cut off.
    let outer = |c: char| c == '.' || c.is_whitespace();
    let mut clean = clean.trim_matches(outer);
    while clean.len() > MAX_FILE_NAME {
        let end = clean.char_indices().next_back().map_or(0, |(at, _)| at);
        clean = clean.get(..end).unwrap_or_default().trim_end_matches(outer);
    }
    if clean.is_empty() { "file".to_owned() } else { clean.to_owned() }
}

fn chunk_len() -> u64 {
    u64::try_from(CHUNK_LEN).unwrap_or(u64::MAX)
}

impl Moving {
    /// A file that we send. `path` is for the shell.
    pub(crate) fn sending(
        cx: &mut StepContext<'_>,
        place: PlaceId,
        conversation: ConversationId,
        message: MessageId,
        file: &NewFile,
    ) -> Result<(Self, FileOffer), Error> {
        let stream = WriteCapability::generate(cx.rng);
        let id = TransferId::random(cx.rng);
        let transfer = Transfer {
            conversation,
            message,
            name: safe_name(&file.name),
            size: file.size,
            sha256: file.sha256.to_vec(),
            ours: true,
            state: FileState::Moving,
            done: 0,
            path: file.path.clone(),
            stream: stream.to_bytes(),
            carried: 0,
        };
        let offer = FileOffer {
            transfer: id,
            name: transfer.name.clone(),
            size: file.size,
            sha256: file.sha256.into(),
            stream: stream.read_capability().to_bytes().to_vec(),
        };
        let moving = Self::open(id, place, transfer)?;
        moving.save(cx)?;
        Ok((moving, offer))
    }

    /// A file that somebody offers.
    pub(crate) fn offered(
        cx: &StepContext<'_>,
        place: PlaceId,
        conversation: ConversationId,
        message: MessageId,
        offer: &FileOffer,
    ) -> Result<Self, Error> {
        let stream = ReadCapability::from_bytes(&offer.stream).map_err(|_| Error::Unreadable)?;
        let transfer = Transfer {
            conversation,
            message,
            name: safe_name(&offer.name),
            size: offer.size,
            sha256: offer.sha256.to_vec(),
            ours: false,
            state: FileState::Offered,
            done: 0,
            path: String::new(),
            stream: stream.to_bytes(),
            carried: 0,
        };
        let moving = Self::open(offer.transfer, place, transfer)?;
        moving.save(cx)?;
        Ok(moving)
    }

    pub(crate) fn open(id: TransferId, place: PlaceId, transfer: Transfer) -> Result<Self, Error> {
        let written = transfer.done;
        let mut moving = Moving {
            id,
            place,
            transfer,
            reach: Reach::Off,
            lan: false,
            out: BTreeMap::new(),
            run: Run::default(),
            reader: None,
            asked: BTreeMap::new(),
            next_ask: 0,
            written,
            finishing: false,
        };
        if !moving.transfer.ours {
            let first = ReadCapability::from_bytes(&moving.transfer.stream)?;
            let chunks = written.div_ceil(chunk_len());
            let at = first.advance_to(first.index().counter().saturating_add(chunks))?;
            moving.reader =
                Some(StreamReader::with_window(at, CONTEXT.to_vec(), WINDOW)?.patient());
        }
        Ok(moving)
    }

    pub(crate) fn save(&self, cx: &StepContext<'_>) -> Result<(), Error> {
        Ok(cx.store.put(Space::Transfer, self.id.as_bytes(), &pack(&self.transfer)?)?)
    }

    /// Stops it and forgets it; the shell is told what it may have on the disk.
    pub(crate) fn remove(mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.stop(cx);
        let Transfer { path, ours, state, .. } = self.transfer;
        cx.event(Event::FileGone {
            transfer: self.id,
            path,
            ours,
            whole: state == FileState::Done,
        });
        Ok(cx.store.remove(Space::Transfer, self.id.as_bytes())?)
    }

    fn chunks(&self) -> u64 {
        self.transfer.size.div_ceil(chunk_len())
    }

    fn tell(&self, cx: &mut StepContext<'_>) {
        let Transfer { conversation, message, done, carried, size, state, .. } = self.transfer;
        let done = done.max(carried);
        cx.event(Event::File { conversation, id: message, transfer: self.id, done, size, state });
    }

    pub(crate) fn set_state(
        &mut self,
        cx: &mut StepContext<'_>,
        state: FileState,
    ) -> Result<(), Error> {
        self.transfer.state = state;
        if state != FileState::Moving {
            self.stop(cx);
        }
        self.tell(cx);
        self.save(cx)
    }

    fn stop(&mut self, cx: &mut StepContext<'_>) {
        for call in self
            .run
            .calls()
            .chain(std::mem::take(&mut self.asked).into_values().map(|(call, _)| call))
        {
            cx.out.cancel(call);
        }
        self.run = Run::default();
        self.out.clear();
    }

    /// How far requests get now. What neighbours have is read and put again once the hub is there.
    pub(crate) fn set_reach(
        &mut self,
        cx: &mut StepContext<'_>,
        reach: Reach,
        lan: bool,
    ) -> Result<(), Error> {
        self.lan = lan;
        let near = std::mem::replace(&mut self.reach, reach) == Reach::Near;
        if reach == Reach::Hub && near && self.transfer.ours {
            self.stop(cx);
        }
        if reach > Reach::Off { self.pump(cx) } else { Ok(()) }
    }

    /// Moves to another place: open requests are made again there.
    pub(crate) fn move_to(
        &mut self,
        cx: &mut StepContext<'_>,
        place: PlaceId,
    ) -> Result<(), Error> {
        self.stop(cx);
        self.place = place;
        self.pump(cx)
    }

    /// Asks the shell for chunks to send, or the hub for chunks to write.
    pub(crate) fn pump(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if self.transfer.state != FileState::Moving {
            return Ok(());
        }
        if self.transfer.ours { self.pump_out(cx) } else { self.pump_in(cx) }
    }

    fn pump_out(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let there = if self.reach == Reach::Hub { 0 } else { self.transfer.carried };
        let first = self.transfer.done.max(there).div_ceil(chunk_len());
        let window = u64::try_from(WINDOW).unwrap_or(8);
        if self.transfer.done >= self.transfer.size {
            return self.set_state(cx, FileState::Done);
        }
        for chunk in first..self.chunks().min(first.saturating_add(window)) {
            match self.out.get(&chunk) {
                None => {
                    let offset = chunk.saturating_mul(chunk_len());
                    let len = self.transfer.size.saturating_sub(offset).min(chunk_len());
                    let len = usize::try_from(len).unwrap_or(CHUNK_LEN);
                    self.out.insert(chunk, None);
                    cx.out.queue.push_back(Output::ReadChunk { transfer: self.id, offset, len });
                }
                Some(Some(sealed)) => {
                    let index = usize::try_from(chunk).unwrap_or(usize::MAX);
                    let waits = self.reach != Reach::Hub && self.run.is_out(index);
                    if !waits && self.run.is_ready(index, cx.now) {
                        let owner = Owner::Transfer(self.id, chunk);
                        let call = cx.out.call(owner, self.place, Call::Put(sealed.to_box()?));
                        self.run.started(index, call);
                    }
                }
                Some(None) => {}
            }
        }
        Ok(())
    }

    /// The shell has read a chunk.
    pub(crate) fn on_chunk(
        &mut self,
        cx: &mut StepContext<'_>,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let chunk = offset.checked_div(chunk_len()).unwrap_or(0);
        if self.out.get(&chunk).is_none_or(Option::is_some) {
            return Ok(());
        }
        let first = WriteCapability::from_bytes(&self.transfer.stream)?;
        let at = first.advance_to(first.index().counter().saturating_add(chunk))?;
        let (mut boxes, _) = seal_all(at, CONTEXT, &[bytes], Sizes::Uniform)?;
        self.out.insert(chunk, boxes.pop());
        self.pump(cx)
    }

    /// Neighbours may fetch a chunk from us.
    pub(crate) fn on_carried(&mut self, cx: &mut StepContext<'_>, chunk: u64) -> Result<(), Error> {
        if self.lan {
            return self.on_put(cx, chunk, PutOutcome::Stored);
        }
        self.run.carried(usize::try_from(chunk).unwrap_or(usize::MAX));
        let before = self.transfer.done.max(self.transfer.carried).div_ceil(chunk_len());
        let mut next = before;
        while self.run.is_out(usize::try_from(next).unwrap_or(usize::MAX)) && next < self.chunks() {
            self.out.remove(&next);
            next = next.saturating_add(1);
        }
        if next > before {
            self.transfer.carried = next.saturating_mul(chunk_len()).min(self.transfer.size);
            self.moved(cx, before, next)?;
        }
        self.pump(cx)
    }

    pub(crate) fn on_put(
        &mut self,
        cx: &mut StepContext<'_>,
        chunk: u64,
        outcome: PutOutcome,
    ) -> Result<(), Error> {
        let index = usize::try_from(chunk).unwrap_or(usize::MAX);
        if outcome == PutOutcome::Taken {
            // The file was changed between two runs: what was put is not what it is now.
            return self.set_state(cx, FileState::Failed);
        }
        self.run.settle(cx.now, index, outcome);
        let mut next = self.transfer.done.checked_div(chunk_len()).unwrap_or(0);
        let before = next;
        while self.run.is_settled(usize::try_from(next).unwrap_or(usize::MAX))
            && next < self.chunks()
        {
            self.out.remove(&next);
            next = next.saturating_add(1);
        }
        if next > before {
            self.transfer.done = next.saturating_mul(chunk_len()).min(self.transfer.size);
            self.moved(cx, before, next)?;
        }
        self.pump(cx)
    }

    fn moved(&mut self, cx: &mut StepContext<'_>, before: u64, now: u64) -> Result<(), Error> {
        self.tell(cx);
        let block = |n: u64| n.checked_div(KEEP_EVERY);
        if block(before) != block(now) { self.save(cx) } else { Ok(()) }
    }

    fn pump_in(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        if self.written >= self.transfer.size {
            if self.transfer.done >= self.transfer.size && !self.finishing {
                self.finishing = true;
                cx.out.queue.push_back(Output::Finish { transfer: self.id });
            }
            return Ok(());
        }
        let Some(reader) = &self.reader else { return Ok(()) };
        // What the shell has not written yet bounds what is asked for.
        let ahead = self.written.saturating_sub(self.transfer.done);
        if ahead >= chunk_len().saturating_mul(4 * 64) {
            return Ok(());
        }
        let last = self.chunks().saturating_sub(self.written.checked_div(chunk_len()).unwrap_or(0));
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        let asked: BTreeSet<BoxId> =
            self.asked.values().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let wanted: Vec<BoxId> =
            reader.wanted().into_iter().take(last).filter(|id| !asked.contains(id)).collect();
        for ids in wanted.chunks(ASK) {
            let owner = Owner::Transfer(self.id, self.next_ask);
            let call = cx.out.call(owner, self.place, Call::Get(ids.to_vec()));
            self.asked.insert(self.next_ask, (call, ids.to_vec()));
            self.next_ask = self.next_ask.saturating_add(1);
        }
        Ok(())
    }

    pub(crate) fn on_boxes(
        &mut self,
        cx: &mut StepContext<'_>,
        ask: u64,
        boxes: Vec<VerifiedBox>,
    ) -> Result<(), Error> {
        self.asked.remove(&ask);
        let Some(reader) = &mut self.reader else { return Ok(()) };
        for found in boxes {
            reader.accept(found);
        }
        let mut broken = false;
        while let Some(read) = reader.next(cx.now)? {
            let Read::Plain(plain) = read else {
                broken = true;
                break;
            };
            let left = self.transfer.size.saturating_sub(self.written);
            if left == 0 {
                break;
            }
            let expected = usize::try_from(left.min(chunk_len())).unwrap_or(CHUNK_LEN);
            match unpad(&plain) {
                Ok(content) if content.len() == expected => {
                    let bytes = content.to_vec();
                    cx.out.queue.push_back(Output::WriteChunk {
                        transfer: self.id,
                        offset: self.written,
                        bytes,
                    });
                    self.written =
                        self.written.saturating_add(u64::try_from(expected).unwrap_or(0));
                }
                _ => {
                    broken = true;
                    break;
                }
            }
        }
        if broken {
            return self.set_state(cx, FileState::Failed);
        }
        self.pump(cx)
    }

    /// The shell has written everything up to here, durably.
    pub(crate) fn on_written(&mut self, cx: &mut StepContext<'_>, up_to: u64) -> Result<(), Error> {
        let before = self.transfer.done.checked_div(chunk_len()).unwrap_or(0);
        self.transfer.done = self.transfer.done.max(up_to).min(self.transfer.size);
        self.moved(cx, before, self.transfer.done.checked_div(chunk_len()).unwrap_or(0))?;
        self.pump(cx)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.run.deadline(self.reach)
    }
}

/// A file to send.
#[derive(Clone)]
pub struct NewFile {
    /// Name that the others see; its directories are left away.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of all bytes.
    pub sha256: [u8; 32],
    /// Where the shell finds it.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    //= FILE-003
    #[test]
    fn file_names_are_made_harmless() {
        for (given, safe) in [
            ("notes.txt", "notes.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            (".bashrc", "bashrc"),
            ("..", "file"),
            ("", "file"),
            ("a\u{202e}txt.exe", "atxt.exe"),
            ("a/b/", "file"),
            ("x. . .", "x"),
            ("we<ird>|name?", "we_ird__name_"),
        ] {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
        assert!(safe_name(&"ü".repeat(500)).len() <= MAX_FILE_NAME);
    }
}
