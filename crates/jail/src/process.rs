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

/// Files that this process makes from now on are for its user alone, also those of libraries that
/// ask for more.
pub fn keep_files_private() {
    #[cfg(unix)]
    {
        let others = rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO;
        rustix::process::umask(others);
    }
}
