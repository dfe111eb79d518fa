//! The client key of a `--key`.

use std::path::Path;
use std::sync::Arc;

use api::Failure;
use mix::directory::EnrolmentKey;
use wire::ErrorKind;

/// The client key in the file that `--key` names, if there is one.
///
/// # Errors
/// A file that cannot be read or holds something else.
pub fn client_key(path: Option<&Path>) -> Result<Option<Arc<EnrolmentKey>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let key = routes::read_client_key(path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("no client key in {}: {e}", path.display()),
            "`hushwing primary enroll --out FILE` makes one; whoever runs the network must enrol its public half",
        )
    })?;
    Ok(Some(Arc::new(key)))
}
