//! Memory for a key: its own pages, kept out of swap and core dumps where the system allows it.
//!
//! The one module of this crate with unsafe code: four system calls and the access to the page that
//! they gave.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use rustix::mm;
use zeroize::Zeroize;

use crate::Error;

/// Bytes of a key.
pub const KEY_LEN: usize = 32;

/// 32 secret bytes in a page of their own. Zeroed when dropped.
pub struct LockedKey {
    page: NonNull<[u8; KEY_LEN]>,
    len: usize,
    locked: bool,
}

// SAFETY: the page belongs to this value alone, and no thread-bound state is tied to it.
unsafe impl Send for LockedKey {}
// SAFETY: through `&LockedKey` the page is only read.
unsafe impl Sync for LockedKey {}

impl LockedKey {
    /// A key that `fill` writes. The bytes are never anywhere else, unless `fill` puts them there.
    ///
    /// # Errors
    /// [`Error::Io`] when the system gives no page, or what `fill` returns. A page that cannot be
    /// locked is no error: see [`LockedKey::is_locked`].
    pub fn new(
        fill: impl FnOnce(&mut [u8; KEY_LEN]) -> Result<(), Error>,
    ) -> Result<LockedKey, Error> {
        let len = rustix::param::page_size();
        // SAFETY: a fresh private mapping at an address of the system's choice touches no memory in
        // use.
        let address = unsafe {
            mm::mmap_anonymous(
                std::ptr::null_mut(),
                len,
                mm::ProtFlags::READ | mm::ProtFlags::WRITE,
                mm::MapFlags::PRIVATE,
            )
        }
        .map_err(|e| Error::io("get", "memory for a key")(e.into()))?;
        let page = NonNull::new(address.cast()).ok_or(Error::Bug("the system gave no page"))?;
        // SAFETY: `address` is a mapping of `len` bytes that we own.
        let locked = unsafe { mm::mlock(address, len) }.is_ok();
        #[cfg(target_os = "linux")]
        // SAFETY: as above; the advice changes only what a core dump holds.
        let _ = unsafe { mm::madvise(address, len, mm::Advice::LinuxDontDump) };
        let mut key = LockedKey { page, len, locked };
        fill(key.bytes_mut())?;
        Ok(key)
    }

    /// The key.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_LEN] {
        // SAFETY: the page is mapped, readable, zero-filled by the system, longer than a key, and
        // lives as long as self.
        unsafe { self.page.as_ref() }
    }

    fn bytes_mut(&mut self) -> &mut [u8; KEY_LEN] {
        // SAFETY: as in `bytes`; `&mut self` makes this the only access.
        unsafe { self.page.as_mut() }
    }

    /// What a drop does before the page goes back to the system.
    fn wipe(&mut self) {
        self.bytes_mut().zeroize();
    }

    /// Whether the page is held in memory: where not (a small `RLIMIT_MEMLOCK`), it may reach the
    /// swap.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.locked
    }
}

/// Whether this process may lock the memory of a key. Where not, keys are kept all the same, and
/// may reach the swap.
#[must_use]
pub fn can_lock() -> bool {
    LockedKey::new(|_| Ok(())).is_ok_and(|key| key.is_locked())
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        self.wipe();
        let address = self.page.as_ptr().cast();
        // SAFETY: the mapping of `new`, whole, and never used after this.
        unsafe {
            if self.locked {
                let _ = mm::munlock(address, self.len);
            }
            let _ = mm::munmap(address, self.len);
        }
    }
}

impl std::fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_bytes_and_shows_none() {
        let key = LockedKey::new(|k| {
            k.fill(0xAB);
            Ok(())
        })
        .unwrap();
        assert_eq!(key.bytes(), &[0xAB; 32]);
        assert_eq!(key.page.as_ptr().addr() % rustix::param::page_size(), 0, "its own page");
        assert_eq!(format!("{key:?}"), "LockedKey");
        let moved = std::thread::spawn(move || *key.bytes()).join().unwrap();
        assert_eq!(moved, [0xAB; 32]);
    }

    /// The memory itself, past all copies: what `drop` does first, looked at before the page is
    /// gone.
    #[test]
    fn a_dropped_key_is_zeroed_where_it_lay() {
        let mut key = std::mem::ManuallyDrop::new(
            LockedKey::new(|k| {
                k.fill(0xCD);
                Ok(())
            })
            .unwrap(),
        );
        let (page, len) = (key.page.as_ptr().cast::<u8>(), key.len);
        // SAFETY: the page is mapped until the drop below, and nothing else uses it.
        let memory = || unsafe { std::slice::from_raw_parts(page, len) }.to_vec();
        assert_eq!(memory().iter().filter(|b| **b == 0xCD).count(), KEY_LEN);
        key.wipe();
        assert!(memory().iter().all(|b| *b == 0));
        // SAFETY: once, and never used again.
        unsafe { std::mem::ManuallyDrop::drop(&mut key) };
    }

    #[test]
    fn a_failed_fill_gives_no_key() {
        assert!(LockedKey::new(|_| Err(Error::WrongPassphrase)).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_locked_page_shows_as_locked_and_undumped() {
        let key = LockedKey::new(|_| Ok(())).unwrap();
        let address = key.page.as_ptr().addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        // The system may have joined the page with an equal neighbour.
        let holds = |line: &str| {
            let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
            let bounds =
                bounds.map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16)));
            matches!(bounds, Some((Ok(a), Ok(b))) if (a..b).contains(&address))
        };
        let flags =
            maps.lines().skip_while(|l| !holds(l)).find(|l| l.starts_with("VmFlags:")).unwrap();
        assert!(flags.contains(" dd"), "not dumped: {flags}");
        assert_eq!(flags.contains(" lo"), key.is_locked(), "{flags}");
    }
}
