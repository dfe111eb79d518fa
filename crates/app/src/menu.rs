//! `hushwing` without a command: asks what to do.

use std::io::{IsTerminal, Write};

use api::Failure;
use clap::Parser;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::args::{Cli, Command};

const QUESTION: &str = "\
What do you want to do?
  1  demo       see it at work on this machine
  2  up         run a whole network here (also: server)
  3  chat       talk in a room
  4  relay      run a relay (also: node)
  5  web        open your messenger in a browser
Mode? (demo/up/chat/relay/web): ";

/// Asks until a command is clear.
///
/// # Errors
/// When input ends or says something else.
pub async fn command() -> Result<Command, Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let answer = ask(&mut lines, QUESTION).await?;
    let words: Vec<String> = match answer.to_ascii_lowercase().as_str() {
        "1" | "demo" => vec!["demo".into()],
        "2" | "up" | "server" => {
            let port = ask(&mut lines, "Hub port [6000]: ").await?;
            let port = if port.is_empty() { "6000".into() } else { port };
            vec!["up".into(), "--hub-port".into(), port]
        }
        "3" | "chat" | "client" => {
            let link = ask(&mut lines, "Room link [your own conversations]: ").await?;
            if link.is_empty() { vec!["chat".into()] } else { vec!["chat".into(), link] }
        }
        "4" | "relay" | "node" => relay(&mut lines).await?,
        "5" | "web" => vec!["web".into()],
        other => {
            return Err(Failure::new(
                wire::ErrorKind::LocalConfig,
                format!("Invalid mode: {}", e2ee::sanitize(other, e2ee::Newlines::Fold)),
                "one of demo, up, chat, relay, web; `hushwing --help` lists all commands",
            ));
        }
    };
    let parsed =
        Cli::try_parse_from(std::iter::once("hushwing".to_owned()).chain(words)).map_err(|e| {
            Failure::new(
                wire::ErrorKind::LocalConfig,
                e.to_string().trim(),
                "`hushwing --help` lists all commands",
            )
        })?;
    parsed.command.ok_or_else(|| Failure::other("nothing to do", "hushwing --help"))
}

async fn relay(lines: &mut Lines<BufReader<Stdin>>) -> Result<Vec<String>, Failure> {
    let port = ask(lines, "Enter port [5001, 5002, 5003]: ").await?;
    let port = if port.is_empty() { "5001".into() } else { port };
    let network = ask(lines, "Network pointer or file [hushwing-directory/network]: ").await?;
    let token = ask(lines, "Admission token or file [hushwing-directory/token]: ").await?;
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    Ok(vec![
        "relay".into(),
        "--listen".into(),
        format!("127.0.0.1:{port}"),
        "--dir".into(),
        format!("hushwing-relay-{port}"),
        "--network".into(),
        or(network, "hushwing-directory/network"),
        "--token".into(),
        or(token, "hushwing-directory/token"),
    ])
}

async fn ask(lines: &mut Lines<BufReader<Stdin>>, question: &str) -> Result<String, Failure> {
    // A prompt is no data: it goes to stderr unless a person sits there.
    if std::io::stdout().is_terminal() {
        print!("{question}");
        let _ = std::io::stdout().flush();
    } else {
        eprint!("{question}");
    }
    match lines.next_line().await {
        Ok(Some(line)) => Ok(line.trim().to_owned()),
        _ => Err(Failure::new(
            wire::ErrorKind::LocalConfig,
            "no command given",
            "`hushwing --help` lists all commands",
        )),
    }
}
