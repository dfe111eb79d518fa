//! How many boxes each segment held, in a file of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub::store::StoreError;
use jail::owner_only;
use wire::Timestamp;

/// Written again after this long, if boxes came.
const EVERY: Duration = Duration::from_secs(10);

/// A lower bound of what is durable: it is written after the boxes that it counts, and before those
/// that it counts no longer are deleted.
pub(super) struct Counts {
    file: PathBuf,
    kept: BTreeMap<Timestamp, u64>,
    /// Whether the file says so, too.
    written: bool,
    tried: Instant,
}

impl Counts {
    /// Those of the store at `path`, which lie beside it.
    pub(super) fn load(path: &Path) -> Result<Self, StoreError> {
        let file = path.with_extension("counts");
        let kept = match std::fs::read(&file) {
            Ok(bytes) => {
                let kept: Vec<(u64, u64)> =
                    wire::decode(&bytes, "counts").map_err(|_| StoreError::Damaged)?;
                kept.into_iter().map(|(end, n)| (Timestamp::from_millis(end), n)).collect()
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(StoreError::Refused(error.kind())),
        };
        Ok(Counts { file, kept, written: true, tried: Instant::now() })
    }

    /// Whether everything that was counted is there.
    pub(super) fn compare(&self, held: &BTreeMap<Timestamp, u64>) -> Result<(), StoreError> {
        let lacks = |(end, n): (&Timestamp, &u64)| {
            n.saturating_sub(held.get(end).copied().unwrap_or_default())
        };
        let missing: u64 = self.kept.iter().map(lacks).sum();
        if missing == 0 {
            return Ok(());
        }
        Err(StoreError::Lost { missing, held: self.kept.values().sum() })
    }

    pub(super) fn is_due(&self) -> bool {
        self.tried.elapsed() >= EVERY
    }

    /// Notes and writes what is held now. If it cannot be written, the file keeps the old counts:
    /// they are lower.
    pub(super) fn save(&mut self, held: BTreeMap<Timestamp, u64>) {
        self.tried = Instant::now();
        if self.written && held == self.kept {
            return;
        }
        self.kept = held;
        let pairs: Vec<_> = self.kept.iter().map(|(end, n)| (end.as_millis(), *n)).collect();
        let done = self.write(&wire::encode(&pairs));
        self.written = done.is_ok();
        if let Err(error) = done {
            tracing::warn!(%error, "the number of boxes is not noted");
        }
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let part = self.file.with_extension("counts.part");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = owner_only(&mut options).open(&part)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&part, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= HUB-026
    #[test]
    fn what_cannot_be_written_is_compared_all_the_same_and_written_later() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join("hub").join("boxes");
        let held = |count| BTreeMap::from([(Timestamp::from_millis(7), count)]);
        let mut counts = Counts::load(&place).unwrap();
        counts.save(held(5));
        let lost = StoreError::Lost { missing: 1, held: 5 };
        assert_eq!(counts.compare(&held(4)), Err(lost));
        std::fs::create_dir(home.path().join("hub")).unwrap();
        counts.save(held(5));
        assert_eq!(Counts::load(&place).unwrap().compare(&held(4)), Err(lost));
    }
}
