//! Reading `--network` and `--token`: the text itself, or a file that may not be there yet.

use std::path::Path;
use std::time::Duration;

use api::Failure;
use settings::NetworkArgs;
use wire::id::AdmissionToken;
use wire::{ErrorKind, NetworkPointer};

/// How often a file that is not there yet is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The network and the token that admits to it. Files are waited for, so that nodes may start
/// before their directory.
///
/// # Errors
/// When a flag is missing or holds something else.
pub async fn read(args: &NetworkArgs) -> Result<(NetworkPointer, AdmissionToken), Failure> {
    let missing = |flag: &str| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("--{flag} is missing"),
            format!(
                "a directory writes the file `{flag}` into its --dir: give its path or its content"
            ),
        )
    };
    let network = args.network.as_deref().ok_or_else(|| missing("network"))?;
    let token = args.token.as_deref().ok_or_else(|| missing("token"))?;
    Ok((pointer(network).await?, admission(token).await?))
}

/// Puts the text in place of each file, as soon as it is there: afterwards no file needs to be
/// readable.
///
/// # Errors
/// As [`read`].
pub async fn load(args: &mut NetworkArgs) -> Result<(), Failure> {
    let (pointer, token) = read(args).await?;
    args.network = Some(pointer.to_text());
    args.token = Some(data_encoding::HEXLOWER.encode(token.as_bytes()));
    Ok(())
}

/// A network pointer, from its text or a file.
///
/// # Errors
/// When it is neither.
pub async fn pointer(text: &str) -> Result<NetworkPointer, Failure> {
    let text = if text.starts_with(wire::pointer::SCHEME) {
        text.to_owned()
    } else {
        wait_for(text).await?
    };
    text.parse().map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("this is no network pointer: {e}"),
            "it begins with hushwing:net# and is in the directory's file `network`",
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
            "this is no admission token",
            "it is 64 hexadecimal digits, in the directory's file `token`",
        )
    })
}

/// A small file's text, as soon as the file is there and has a whole line's worth.
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
                    "give the text itself or a readable file",
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
                return Err(Failure::other("stopped while waiting", "start the directory, then this again"));
            }
        }
    }
}
