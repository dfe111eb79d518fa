//! Reads `--network` and `--token`: the text itself, or a file that may not exist yet.

use std::path::Path;
use std::time::Duration;

use api::Failure;
use settings::NetworkArgs;
use wire::id::AdmissionToken;
use wire::{ErrorKind, NetworkPointer};

/// How often to look for a file that does not exist yet.
const LOOK: Duration = Duration::from_millis(200);

/// Reads the network and the token that admits to it. It waits for files, so that nodes can start
/// before their directory.
///
/// # Errors
/// A missing option, or one with something else in it.
pub async fn read(args: &NetworkArgs) -> Result<(NetworkPointer, AdmissionToken), Failure> {
    let missing = |flag: &str| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("--{flag} is missing"),
            format!(
                "use the path or the contents of the file `{flag}`, which a directory writes into its --dir"
            ),
        )
    };
    let network = args.network.as_deref().ok_or_else(|| missing("network"))?;
    let token = args.token.as_deref().ok_or_else(|| missing("token"))?;
    Ok((pointer(network).await?, admission(token).await?))
}

/// Replaces each file name by the file's text, as soon as it exists: afterwards the files need not
/// be readable.
///
/// # Errors
/// As [`read`].
pub async fn load(args: &mut NetworkArgs) -> Result<(), Failure> {
    let (pointer, token) = read(args).await?;
    args.network = Some(pointer.to_text());
    args.token = Some(data_encoding::HEXLOWER.encode(token.as_bytes()));
    Ok(())
}

/// Reads a network pointer from its text or a file.
///
/// # Errors
/// A text that is not a pointer, nor the name of a file with one.
pub async fn pointer(text: &str) -> Result<NetworkPointer, Failure> {
    let text = if text.starts_with(wire::pointer::SCHEME) {
        text.to_owned()
    } else {
        wait_for(text).await?
    };
    text.parse().map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("invalid network pointer: {e}"),
            "a network pointer starts with hushwing:net#; the directory writes it to its file `network`",
        )
    })
}

async fn admission(text: &str) -> Result<AdmissionToken, Failure> {
    let decode = |text: &str| {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?;
        Some(AdmissionToken::new(bytes.try_into().ok()?))
    };
    if let Some(token) = decode(text) {
        return Ok(token);
    }
    decode(&wait_for(text).await?).ok_or_else(|| {
        Failure::new(
            ErrorKind::LocalConfig,
            "invalid admission token",
            "a token is 64 hexadecimal digits; the directory writes it to its file `token`",
        )
    })
}

/// Reads a small file as soon as it exists and contains a whole line.
async fn wait_for(path: &str) -> Result<String, Failure> {
    let path = Path::new(path);
    // Listening only when there is something to wait for: before that a signal ends the program as
    // it ends any.
    let mut stop = None;
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    ErrorKind::LocalConfig,
                    format!("cannot read {}: {e}", path.display()),
                    "use the text itself or a readable file",
                ));
            }
            _ => {}
        }
        let stop = stop.get_or_insert_with(|| {
            let stop = Box::pin(settings::stopped());
            eprintln!("waiting for {} (written by the directory or hub)", path.display());
            stop
        });
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop => {
                return Err(Failure::other("stopped while waiting", "start the directory, then try again"));
            }
        }
    }
}
