//! `hushwing tor`.

use std::time::Instant;

use api::Failure;
use settings::tor::{self, EXAMPLE};

use crate::args::{TorCommandArgs, TorWhat};

/// Runs `hushwing tor`.
///
/// # Errors
/// Settings, files, and what stops Tor.
pub async fn run(args: TorCommandArgs) -> Result<(), Failure> {
    match args.what {
        TorWhat::Settings => {
            print!("{EXAMPLE}");
            Ok(())
        }
        TorWhat::Check { tor, json } => {
            let scratch = settings::scratch()?;
            let since = Instant::now();
            let running = tor.start(scratch.path()).await?;
            let ms = since.elapsed().as_millis();
            drop(running);
            if json {
                println!("{}", serde_json::json!({ "connected": true, "ms": ms }));
            } else {
                println!("connected to Tor after {ms} ms");
            }
            Ok(())
        }
        TorWhat::Key { onion, out } => {
            println!("{}", tor::make_client_key(&onion, &out)?);
            eprintln!(
                "give this line to the service's owner; use the file with --onion-key {}",
                out.display()
            );
            Ok(())
        }
    }
}
