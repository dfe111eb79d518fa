//! The accepting loop that all roles share.

use std::time::Duration;

use net::{Incoming, Listener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A node that says nothing to its directory for so long is not listed.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// Open files that are kept for other things than links that come in.
const RESERVED_FILES: usize = 384;

/// How many links a role may have that wants so many: never what the store, journals and links to
/// other nodes need.
pub(crate) fn seats(wanted: usize) -> usize {
    let files = jail::raise_file_limit().saturating_sub(RESERVED_FILES).max(64);
    if files < wanted {
        tracing::warn!(
            links = files,
            "the system's limit of open files allows fewer links than {wanted} (hint: ulimit -n, LimitNOFILE=)"
        );
    }
    wanted.min(files)
}

/// Serves each link in a task of its own, until the link or the role ends.
pub(crate) async fn accept<F>(
    listener: Listener,
    tasks: TaskTracker,
    stop: CancellationToken,
    serve: impl Fn(Incoming) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            incoming = listener.accept() => match incoming {
                Ok(incoming) => {
                    let stop = stop.clone();
                    let serving = serve(incoming);
                    tasks.spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = serving => {}
                        }
                    });
                }
                Err(error) => {
                    // Most likely out of file descriptors: wait until some are closed.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}
