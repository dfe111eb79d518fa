//! Uploads that wait in the profile's directory until they are sent.

use std::path::Path;

use api::{FileState, FileView};

/// Where uploads wait, in the profile's directory. They are deleted once they are sent.
pub(crate) const OUTGOING: &str = "outgoing";

/// Deletes an upload that was sent, or will not be.
pub(crate) fn tidy(outgoing: &Path, file: &FileView) {
    let over = matches!(file.state, FileState::Done | FileState::Failed | FileState::Cancelled);
    let path = file
        .path
        .as_deref()
        .map(Path::new)
        .filter(|p| file.ours && over && p.starts_with(outgoing));
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
        // Each lies in a directory of its own, so that it can keep its name.
        let _ = path.parent().map(std::fs::remove_dir);
    }
}
