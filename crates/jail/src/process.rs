//! What a process shows of itself.

/// No core dump and no debugger of the same user can read this process's memory.
///
/// Refused only by systems that have neither; they have no such dumps either.
pub fn harden() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

/// Raises the number of files and connections that this process may have open as far as the system
/// lets it, and returns that number.
#[must_use]
pub fn raise_file_limit() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // No number means no limit.
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
        let limit = if raised { maximum } else { current };
        limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    usize::MAX
}

/// Files that this process makes from now on are for its user alone, also those of libraries that
/// ask for more.
pub fn keep_files_private() {
    #[cfg(unix)]
    {
        let others = rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO;
        rustix::process::umask(others);
    }
}
