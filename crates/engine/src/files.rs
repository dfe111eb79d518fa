//! Files on this machine: hashed before they are sent, read and written a chunk at a time, checked
//! at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use e2ee::id::TransferId;
use messenger::transfer::{CHUNK_LEN, NewFile, safe_name};
use sha2::{Digest, Sha256};

use crate::id::Shared;

/// Where uploads wait, in a profile's directory.
const OUTGOING: &str = "outgoing";
/// Written chunks are made durable after so many.
const SYNC_EVERY: u64 = 32;

/// Size and SHA-256 of a file that is to be sent.
pub(crate) fn look(path: &Path) -> io::Result<NewFile> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let (size, sha256) = digest(file)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let path = path.canonicalize()?.to_string_lossy().into_owned();
    Ok(NewFile { name, size, sha256, path })
}

fn digest(mut file: File) -> io::Result<(u64, [u8; 32])> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((size, hash.finalize().into()));
        }
        hash.update(&buffer[..n]);
        size += n as u64;
    }
}

pub(crate) fn read_chunk(path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Where a file lies until it is whole.
fn part(directory: &str, id: TransferId) -> PathBuf {
    Path::new(directory).join(format!(".hushwing-{}.part", id.other()))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(crate) fn write_chunk(
    directory: &str,
    id: TransferId,
    offset: u64,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = private().create(true).truncate(false).write(true).open(part(directory, id))?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    if (offset / CHUNK_LEN as u64 + 1).is_multiple_of(SYNC_EVERY) {
        file.sync_data()?;
    }
    Ok(())
}

/// Checks a file that is all there, and gives it its name: never over another one. `None`: its
/// SHA-256 is wrong.
pub(crate) fn finish(
    directory: &str,
    id: TransferId,
    name: &str,
    sha256: &[u8],
) -> io::Result<Option<String>> {
    let part = part(directory, id);
    let file = private().create(true).truncate(false).write(true).read(true).open(&part)?;
    file.sync_all()?;
    let (_, found) = digest(File::open(&part)?)?;
    if found != sha256 {
        std::fs::remove_file(&part)?;
        return Ok(None);
    }
    let name = safe_name(name);
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem.to_owned(), format!(".{extension}")),
        _ => (name.clone(), String::new()),
    };
    for n in 1.. {
        let candidate = if n == 1 { name.clone() } else { format!("{stem}-{n}{extension}") };
        let target = Path::new(directory).join(candidate);
        // A hard link fails where a file is, which a rename would not.
        match std::fs::hard_link(&part, &target) {
            Ok(()) => {
                std::fs::remove_file(&part)?;
                return Ok(Some(target.to_string_lossy().into_owned()));
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) if !target.exists() => {
                std::fs::rename(&part, &target)?;
                return Ok(Some(target.to_string_lossy().into_owned()));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Removes what is left of a transfer that came to nothing.
pub(crate) fn discard(directory: &str, id: TransferId) {
    let _ = std::fs::remove_file(part(directory, id));
}

/// Removes the profile's own copy of a file that is not sent any more: an upload from a browser.
/// What a person sent from elsewhere is theirs.
pub(crate) fn discard_upload(profile: &Path, path: &str) {
    let path = Path::new(path);
    let outgoing = profile.canonicalize().map(|p| p.join(OUTGOING));
    if outgoing.is_ok_and(|outgoing| path.starts_with(outgoing)) {
        let _ = std::fs::remove_file(path);
        // Each upload lies in a directory of its own.
        let _ = path.parent().map(std::fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= FILE-004
    #[test]
    fn a_file_gets_its_name_only_when_its_digest_is_right_and_never_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().to_str().unwrap();
        let id = TransferId::new([1; 16]);
        let sha256: [u8; 32] = Sha256::digest(b"hello").into();
        for expected in ["a.txt", "a-2.txt", "a-3.txt"] {
            write_chunk(directory, id, 0, b"hello").unwrap();
            let path = finish(directory, id, "../a.txt", &sha256).unwrap().unwrap();
            assert_eq!(Path::new(&path), dir.path().join(expected));
            assert_eq!(std::fs::read(path).unwrap(), b"hello");
        }
        write_chunk(directory, id, 0, b"hellO").unwrap();
        assert_eq!(finish(directory, id, "a.txt", &sha256).unwrap(), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "no part is left");
    }

    #[test]
    fn a_file_is_looked_at_before_it_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.bin");
        std::fs::write(&path, vec![7; 300_000]).unwrap();
        let file = look(&path).unwrap();
        assert_eq!((file.name.as_str(), file.size), ("b.bin", 300_000));
        assert_eq!(read_chunk(&file.path, 299_990, 10).unwrap(), [7; 10]);
        assert!(read_chunk(&file.path, 299_990, 11).is_err());
        assert!(look(dir.path()).is_err());
    }
}
