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

/// A journal of an earlier run, and the tags in it.
pub type Opened = (Journal, Vec<[u8; TAG_LEN]>);

/// An open journal of one epoch.
#[derive(Debug)]
pub struct Journal {
    name: String,
    file: File,
    buffer: Vec<u8>,
}

impl Journal {
    /// Begins the journal of a key that nobody has used. It is on disk when this returns.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::StateDir`].
    pub fn create(dir: &StateDir, epoch: u64, boot: &[u8; 16]) -> Result<Self, Error> {
        let name = name(epoch);
        dir.write(&name, boot)?;
        let fail = |source| Error::State { action: "open", file: name.clone(), source };
        let file =
            owner_only(OpenOptions::new().append(true)).open(dir.join(&name)).map_err(fail)?;
        Ok(Journal { name, file, buffer: Vec::new() })
    }

    /// Opens the journal of a key that an earlier run made, with the tags that have been seen. None
    /// if it may lack some, and the key must be dropped: the machine went down since, or the file
    /// is not there, or it was cut.
    ///
    /// # Errors
    /// [`Error::State`].
    pub fn open(dir: &StateDir, epoch: u64, boot: &[u8; 16]) -> Result<Option<Opened>, Error> {
        let name = name(epoch);
        let fail = |source| Error::State { action: "open", file: name.clone(), source };
        let opened = owner_only(OpenOptions::new().read(true).append(true)).open(dir.join(&name));
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let Some((_, tags)) = bytes.split_first_chunk::<16>().filter(|(by, _)| *by == boot) else {
            return Ok(None);
        };
        // A write cut short by the kill belongs to a packet that never left.
        let torn = tags.len() % TAG_LEN;
        if torn != 0 {
            let whole = u64::try_from(bytes.len() - torn).unwrap_or(16);
            file.set_len(whole).map_err(fail)?;
        }
        let tags = tags.as_chunks::<TAG_LEN>().0.to_vec();
        Ok(Some((Journal { name, file, buffer: Vec::new() }, tags)))
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

    fn tags(dir: &StateDir, boot: u8) -> Option<Vec<[u8; TAG_LEN]>> {
        Journal::open(dir, 7, &[boot; 16]).unwrap().map(|(_, tags)| tags)
    }

    #[test]
    fn a_killed_relay_remembers_what_it_has_seen() {
        let (_keep, dir) = state();
        let mut journal = Journal::create(&dir, 7, &[1; 16]).unwrap();
        assert_eq!(tags(&dir, 1), Some(Vec::new()));
        journal.push(&[5; 16]);
        journal.push(&[6; 16]);
        journal.flush().unwrap();
        std::mem::forget(journal);
        assert_eq!(tags(&dir, 1), Some(vec![[5; 16], [6; 16]]));
    }

    //= MIX-004
    #[test]
    fn after_a_reboot_and_when_it_was_lost_or_emptied_the_journal_is_not_believed() {
        let (_keep, dir) = state();
        let mut journal = Journal::create(&dir, 7, &[1; 16]).unwrap();
        journal.push(&[5; 16]);
        journal.flush().unwrap();
        assert_eq!(tags(&dir, 2), None, "another start of the machine");
        // What a file system may leave of an unsynced file after a loss of power.
        for left in [0, 1, 15] {
            let file = OpenOptions::new().write(true).open(dir.join(&name(7))).unwrap();
            file.set_len(left).unwrap();
            assert_eq!(tags(&dir, 1), None, "{left} bytes left");
        }
        Journal::delete(&dir, 7).unwrap();
        assert_eq!(tags(&dir, 1), None, "no file left");
    }

    #[test]
    fn a_torn_last_tag_is_cut_off_and_the_next_one_stays_aligned() {
        let (_keep, dir) = state();
        let mut journal = Journal::create(&dir, 7, &[1; 16]).unwrap();
        journal.push(&[5; 16]);
        journal.flush().unwrap();
        journal.file.write_all(&[9; 3]).unwrap();
        let (mut journal, seen) = Journal::open(&dir, 7, &[1; 16]).unwrap().unwrap();
        assert_eq!(seen, [[5; 16]]);
        journal.push(&[6; 16]);
        journal.flush().unwrap();
        assert_eq!(tags(&dir, 1), Some(vec![[5; 16], [6; 16]]));
    }

    #[test]
    fn the_machine_says_which_boot_it_is() {
        assert_eq!(machine_boot(), machine_boot());
    }
}
