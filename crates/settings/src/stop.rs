//! Signals that end the process.

use std::future::Future;

/// Completes on the first Ctrl+C or SIGTERM. It listens from the call on, not from its first poll:
/// call it before anything reports that the program is ready, and keep it, because a signal that
/// arrives between two listeners is lost.
pub fn stopped() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok())
    };
    async move {
        #[cfg(unix)]
        {
            let [mut interrupt, mut terminate] = signals;
            tokio::select! {
                () = next(&mut interrupt) => {}
                () = next(&mut terminate) => {}
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(unix)]
async fn next(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        // The signal could not be registered: wait for the other one.
        None => std::future::pending().await,
    }
}
