//! The client key of a `--key`.

use std::path::Path;
use std::sync::Arc;

use api::Failure;
use mix::directory::EnrolmentKey;
use wire::ErrorKind;

/// Reads the client key from the file given with `--key`; `None` without that option.
///
/// # Errors
/// A file that cannot be read or does not contain a client key.
pub fn client_key(path: Option<&Path>) -> Result<Option<Arc<EnrolmentKey>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let key = routes::read_client_key(path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no client key in {}: {e}", path.display()),
            "create one with `hushwing primary enroll --out FILE`, and ask the operator of the network to enrol its public half",
        )
    })?;
    Ok(Some(Arc::new(key)))
}
