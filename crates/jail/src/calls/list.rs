//! Which calls: what tokio, rustls, the stores and Arti use, and what nobody here should.

use libc::*;

/// Allowed to every confined process.
pub(super) const ALLOWED: &[&[i64]] = &[FILES, MEMORY, THREADS, TIME, NETWORK, LEGACY];

const FILES: &[i64] = &[
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_lseek,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_ioctl,
    SYS_pipe2,
    SYS_sendfile,
    SYS_splice,
    SYS_tee,
    SYS_copy_file_range,
    SYS_fsync,
    SYS_fdatasync,
    SYNC_FILE_RANGE,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_truncate,
    SYS_flock,
    SYS_fadvise64,
    SYS_readahead,
    SYS_openat,
    SYS_openat2,
    SYS_newfstatat,
    SYS_fstat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_mkdirat,
    SYS_unlinkat,
    RENAMEAT,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_utimensat,
    SYS_umask,
    SYS_getcwd,
    SYS_fchdir,
    SYS_chdir,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
];

const MEMORY: &[i64] = &[
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_mincore,
    SYS_msync,
    SYS_brk,
    SYS_membarrier,
    SYS_rseq,
    SYS_getrandom,
];

const THREADS: &[i64] = &[
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_futex_waitv,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_tgkill,
    SYS_tkill,
    SYS_kill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_getcpu,
    SYS_getpriority,
    SYS_wait4,
    SYS_waitid,
    SYS_getrusage,
    SYS_times,
    SYS_sysinfo,
    SYS_uname,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getpgid,
    SYS_getsid,
    GETRLIMIT,
];

const TIME: &[i64] = &[
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_pselect6,
    SYS_eventfd2,
    SYS_signalfd4,
];

/// Which sockets may be made is decided by their arguments.
const NETWORK: &[i64] = &[
    SYS_socket,
    SYS_socketpair,
    SYS_bind,
    SYS_connect,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_shutdown,
];

/// Older names of the above, where the architecture has them.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[i64] = &[
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_chmod,
    SYS_pipe,
    SYS_dup2,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_getdents,
    SYS_time,
    SYS_eventfd,
    SYS_inotify_init,
    SYS_getpgrp,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_arch_prctl,
    SYS_pause,
    SYS_signalfd,
];
#[cfg(target_arch = "aarch64")]
const LEGACY: &[i64] = &[];

/// Besides, for a process that starts programs, and for what it starts.
pub(super) const STARTING: &[&[i64]] = &[
    &[
        SYS_execve,
        SYS_pidfd_open,
        SYS_pidfd_send_signal,
        SYS_setpgid,
        SYS_setsid,
        SETRLIMIT,
        SYS_sched_setaffinity,
    ],
    #[cfg(target_arch = "x86_64")]
    &[SYS_fork, SYS_vfork],
];

/// Options of `prctl`: names, and what the filters themselves and the start of a program need.
pub(super) const PRCTL: &[i32] = &[
    PR_SET_NAME,
    PR_GET_NAME,
    PR_GET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_CAPBSET_READ,
    PR_SET_VMA,
];

/// Refused with `EPERM`.
pub(super) const DENIED: &[&[i64]] = &[
    // Other programs and other processes.
    &[
        SYS_execveat,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_process_madvise,
        SYS_pidfd_getfd,
        SYS_kcmp,
        SYS_process_mrelease,
    ],
    // Rights.
    &[
        SYS_setuid,
        SYS_setgid,
        SYS_setreuid,
        SYS_setregid,
        SYS_setresuid,
        SYS_setresgid,
        SYS_setfsuid,
        SYS_setfsgid,
        SYS_setgroups,
        SYS_capset,
        SYS_unshare,
        SYS_setns,
        SYS_seccomp,
        SYS_personality,
    ],
    // Mounts, and files by another way than their path.
    &[
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_move_mount,
        SYS_open_tree,
        SYS_fsopen,
        SYS_fsconfig,
        SYS_fsmount,
        SYS_fspick,
        SYS_mount_setattr,
        SYS_open_by_handle_at,
        SYS_name_to_handle_at,
        SYS_swapon,
        SYS_swapoff,
        SYS_quotactl,
        SYS_fanotify_init,
        SYS_fanotify_mark,
        SYS_mknodat,
    ],
    // The kernel: modules, programs in it, its keys, and interfaces with a long list of holes.
    &[
        SYS_kexec_load,
        SYS_kexec_file_load,
        SYS_init_module,
        SYS_finit_module,
        SYS_delete_module,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_keyctl,
        SYS_add_key,
        SYS_request_key,
        SYS_userfaultfd,
        SYS_io_uring_setup,
        SYS_io_uring_enter,
        SYS_io_uring_register,
        SYS_syslog,
        SYS_acct,
        SYS_lookup_dcookie,
        SYS_move_pages,
        SYS_migrate_pages,
        SYS_mbind,
    ],
    // The machine.
    &[
        SYS_reboot,
        SYS_sethostname,
        SYS_setdomainname,
        SYS_settimeofday,
        SYS_clock_settime,
        SYS_clock_adjtime,
        SYS_adjtimex,
        SYS_vhangup,
    ],
    #[cfg(target_arch = "x86_64")]
    &[SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_mknod],
];

// `libc` does not name these for every architecture.
#[cfg(target_arch = "x86_64")]
const RENAMEAT: i64 = SYS_renameat;
#[cfg(target_arch = "x86_64")]
const SYNC_FILE_RANGE: i64 = SYS_sync_file_range;
#[cfg(target_arch = "x86_64")]
const GETRLIMIT: i64 = SYS_getrlimit;
#[cfg(target_arch = "x86_64")]
const SETRLIMIT: i64 = SYS_setrlimit;
#[cfg(target_arch = "aarch64")]
const RENAMEAT: i64 = 38;
#[cfg(target_arch = "aarch64")]
const SYNC_FILE_RANGE: i64 = 84;
#[cfg(target_arch = "aarch64")]
const GETRLIMIT: i64 = 163;
#[cfg(target_arch = "aarch64")]
const SETRLIMIT: i64 = 164;
