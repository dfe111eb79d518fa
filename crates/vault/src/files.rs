//! Small private files: written whole or not at all, and erased as well as a file system lets one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// Begins the names of temporary files in a profile; all of them are swept when the profile is
/// opened.
pub(crate) const TEMP_PREFIX: &str = ".tmp-";

/// Creates `path` for this user alone; it must not exist.
pub(crate) fn create_private(path: &Path, bytes: &[u8], what: &'static str) -> Result<(), Error> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::AlreadyExists {
                Error::Exists(what)
            } else {
                Error::io("create", what)(e)
            }
        })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", what))?;
    sync_dir(path);
    Ok(())
}

/// Replaces `path` at once, and overwrites what it held before.
pub(crate) fn replace(path: &Path, bytes: &[u8], what: &'static str) -> Result<(), Error> {
    let dir = path.parent().ok_or(Error::Bug("a file without a directory"))?;
    let old = OpenOptions::new().write(true).open(path).ok();
    let mut temp = tempfile::Builder::new()
        .prefix(TEMP_PREFIX)
        .tempfile_in(dir)
        .map_err(Error::io("create", what))?;
    temp.write_all(bytes)
        .and_then(|()| temp.as_file().sync_all())
        .map_err(Error::io("write", what))?;
    temp.persist(path).map_err(|e| Error::io("write", what)(e.error))?;
    sync_dir(path);
    if let Some(old) = old {
        let _ = blank(&old);
    }
    Ok(())
}

/// Reads at most `max` bytes; a longer file is damaged.
pub(crate) fn read(
    path: &Path,
    max: usize,
    what: &'static str,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = File::open(path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::NotFound {
            Error::Missing(what)
        } else {
            Error::io("read", what)(e)
        }
    })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(max + 1));
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(Error::io("read", what))?;
    if bytes.len() > max { Err(Error::Damaged(what)) } else { Ok(bytes) }
}

/// Overwrites a file with zeros and removes it; none there is no error.
pub(crate) fn erase(path: &Path, what: &'static str) -> Result<(), Error> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => {
            blank(&file).map_err(Error::io("overwrite", what))?;
            std::fs::remove_file(path).map_err(Error::io("remove", what))?;
            sync_dir(path);
            Ok(())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("overwrite", what)(e)),
    }
}

fn blank(mut file: &File) -> std::io::Result<()> {
    let mut left = file.metadata()?.len();
    let zeros = [0; 4096];
    while left > 0 {
        let n = left.min(zeros.len() as u64);
        file.write_all(&zeros[..n as usize])?;
        left -= n;
    }
    file.sync_all()
}

/// Creates a directory, and those above it, for this user alone.
pub(crate) fn create_dir(path: &Path, what: &'static str) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("create", what))
}

/// Makes a rename or removal of `path` durable. A file system that cannot do this has nothing
/// better to offer.
pub(crate) fn sync_dir(path: &Path) {
    if let Some(dir) = path.parent() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let _ = File::open(dir).and_then(|d| d.sync_all());
    }
}

/// The directory of `file`, `.` for a bare name.
pub(crate) fn dir_of(file: &Path) -> &Path {
    match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_erased_or_replaced_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("link"));
        create_private(&path, &[7; 5000], "file").unwrap();
        assert!(matches!(create_private(&path, b"x", "file"), Err(Error::Exists(_))));
        std::fs::hard_link(&path, &other).unwrap();
        replace(&path, b"new", "file").unwrap();
        assert_eq!(*read(&path, 3, "file").unwrap(), b"new");
        assert!(matches!(read(&path, 2, "file"), Err(Error::Damaged(_))));
        assert_eq!(std::fs::read(&other).unwrap(), [0; 5000]);
        std::fs::remove_file(&other).unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        erase(&path, "file").unwrap();
        erase(&path, "file").unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read(&other).unwrap(), [0; 3]);
    }
}
