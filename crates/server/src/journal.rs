//! The replay journal: what a relay must remember of an epoch across its own death.
//!
//! Tags are written to the file before the packet they belong to leaves. A killed process loses
//! nothing that `write` has taken; a crashed machine may. So the journal names the machine's boot,
//! and one from another boot is not believed: its epoch's key must be dropped (`MIX` rules of the
//! specification).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use jail::{StateDir, owner_only};

use crate::Error;

/// Bytes of a replay tag that are kept.
pub const TAG_LEN: usize = 16;

/// What a journal of an earlier run holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// There was none: the epoch's key has never been used.
    New,
    /// It is complete: these tags have been seen.
    Complete(Vec<[u8; TAG_LEN]>),
    /// The machine went down since: it may lack tags. Drop the epoch's key.
    Doubtful,
}

/// An open journal of one epoch.
#[derive(Debug)]
pub struct Journal {
    name: String,
    file: File,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal of `epoch`, and tells what it already holds.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn open(dir: &StateDir, epoch: u64, boot: &[u8; 16]) -> Result<(Self, Recovered), Error> {
        let name = name(epoch);
        let fail = |source| Error::State { action: "open", file: name.clone(), source };
        let mut file = owner_only(OpenOptions::new().read(true).append(true).create(true))
            .open(dir.join(&name))
            .map_err(fail)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let recovered = match bytes.split_first_chunk::<16>() {
            None => {
                file.set_len(0).and_then(|()| file.write_all(boot)).map_err(fail)?;
                Recovered::New
            }
            Some((earlier, _)) if earlier != boot => Recovered::Doubtful,
            Some((_, tags)) => {
                // A write cut short by the kill belongs to a packet that never left.
                let torn = tags.len() % TAG_LEN;
                if torn != 0 {
                    let whole = u64::try_from(bytes.len() - torn).unwrap_or(16);
                    file.set_len(whole).map_err(fail)?;
                }
                Recovered::Complete(tags.as_chunks::<TAG_LEN>().0.to_vec())
            }
        };
        Ok((Journal { name, file, buffer: Vec::new() }, recovered))
    }

    /// Adds a tag to the next [`Journal::flush`].
    pub fn push(&mut self, tag: &[u8; TAG_LEN]) {
        self.buffer.extend_from_slice(tag);
    }

    /// Hands all tags to the system. Packets may leave after this has returned.
    ///
    /// # Errors
    /// [`Error::State`]; the packets must not leave then.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.file.write_all(&self.buffer);
        self.buffer.clear();
        result.map_err(|source| Error::State { action: "write", file: self.name.clone(), source })
    }

    /// Deletes the journal of an epoch whose key is gone.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn delete(dir: &StateDir, epoch: u64) -> Result<(), Error> {
        Ok(dir.remove(&name(epoch))?)
    }
}

fn name(epoch: u64) -> String {
    format!("replay-{epoch}.log")
}

/// Which start of the machine this is. Where the system does not say, every start counts as
/// another.
#[must_use]
pub fn machine_boot() -> [u8; 16] {
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").and_then(|text| {
        let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        u128::from_str_radix(&hex, 16).map_err(|_| io::Error::other("not a boot id"))
    });
    told.map_or_else(|_| rand::random(), u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        (dir, state)
    }

    #[test]
    fn a_killed_relay_remembers_what_it_has_seen() {
        let (_keep, dir) = state();
        let (mut journal, first) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        assert_eq!(first, Recovered::New);
        journal.push(&[5; 16]);
        journal.push(&[6; 16]);
        journal.flush().unwrap();
        std::mem::forget(journal);
        let (_, again) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        assert_eq!(again, Recovered::Complete(vec![[5; 16], [6; 16]]));
    }

    #[test]
    fn after_a_reboot_the_journal_is_not_believed() {
        let (_keep, dir) = state();
        let (mut journal, _) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        journal.push(&[5; 16]);
        journal.flush().unwrap();
        let (_, again) = Journal::open(&dir, 7, &[2; 16]).unwrap();
        assert_eq!(again, Recovered::Doubtful);
        Journal::delete(&dir, 7).unwrap();
        assert_eq!(Journal::open(&dir, 7, &[2; 16]).unwrap().1, Recovered::New);
    }

    #[test]
    fn a_torn_last_tag_is_cut_off_and_the_next_one_stays_aligned() {
        let (_keep, dir) = state();
        let (mut journal, _) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        journal.push(&[5; 16]);
        journal.flush().unwrap();
        journal.file.write_all(&[9; 3]).unwrap();
        let (mut journal, again) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        assert_eq!(again, Recovered::Complete(vec![[5; 16]]));
        journal.push(&[6; 16]);
        journal.flush().unwrap();
        let (_, last) = Journal::open(&dir, 7, &[1; 16]).unwrap();
        assert_eq!(last, Recovered::Complete(vec![[5; 16], [6; 16]]));
    }

    #[test]
    fn the_machine_says_which_boot_it_is() {
        assert_eq!(machine_boot(), machine_boot());
    }
}
