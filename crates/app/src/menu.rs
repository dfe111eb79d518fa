//! `hushwing` without a command: asks what to do.

use std::io::{IsTerminal, Write};

use api::Failure;
use clap::Parser;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::args::{Cli, Command};

const QUESTION: &str = "\
What do you want to do?
  1  Open my conversations in the browser
  2  Open my conversations in this terminal
  3  Use a link that somebody gave me
  4  See a demo on this machine
  5  Run a network on this machine
Number (1 to 5): ";

/// Asks until a command is clear. Besides the numbers it understands the names of the commands that
/// they stand for, and those of earlier versions.
///
/// # Errors
/// When input ends, or the answer is none of these.
pub async fn command() -> Result<Command, Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let answer = loop {
        let answer = ask(&mut lines, QUESTION).await?.to_ascii_lowercase();
        if !answer.is_empty() {
            break answer;
        }
    };
    let words = match answer.as_str() {
        "1" | "web" => vec!["web".to_owned()],
        "2" => vec!["chat".to_owned()],
        "3" => link(&mut lines, "Link: ").await?,
        "chat" | "client" => link(&mut lines, "Room link [open my conversations]: ").await?,
        "4" | "demo" => vec!["demo".to_owned()],
        "5" | "up" | "server" => up(&mut lines).await?,
        "relay" | "node" => relay(&mut lines).await?,
        other => {
            let other = e2ee::sanitize(other, e2ee::Newlines::Fold);
            return Err(Failure::new(
                wire::ErrorKind::LocalConfig,
                format!("invalid choice: {other}"),
                "choose a number from 1 to 5; `hushwing --help` lists all commands",
            ));
        }
    };
    let parsed = Cli::try_parse_from(std::iter::once("hushwing".to_owned()).chain(words));
    let parsed = parsed.map_err(|e| not_given(e.to_string().trim()))?;
    parsed.command.ok_or_else(|| not_given("no command"))
}

/// A link is typed here rather than on a command line, so it needs no quotes. Without one the
/// conversations open.
async fn link(lines: &mut Lines<BufReader<Stdin>>, question: &str) -> Result<Vec<String>, Failure> {
    let link = ask(lines, question).await?;
    let link = link.trim_matches(['\'', '"']).to_owned();
    // After `--`, so that nothing that somebody sent is taken for an option.
    let link = (!link.is_empty()).then(|| ["--".to_owned(), link]);
    Ok(std::iter::once("chat".to_owned()).chain(link.into_iter().flatten()).collect())
}

async fn up(lines: &mut Lines<BufReader<Stdin>>) -> Result<Vec<String>, Failure> {
    let port = ask_or(lines, "Hub port [6000]: ", "6000").await?;
    Ok(["up", "--hub-port", &port].map(str::to_owned).to_vec())
}

async fn relay(lines: &mut Lines<BufReader<Stdin>>) -> Result<Vec<String>, Failure> {
    const NETWORK: &str = "hushwing-directory/network";
    const TOKEN: &str = "hushwing-directory/token";
    let port = ask_or(lines, "Port [5001]: ", "5001").await?;
    let network = format!("Network pointer or file [{NETWORK}]: ");
    let network = ask_or(lines, &network, NETWORK).await?;
    let token = ask_or(lines, &format!("Admission token or file [{TOKEN}]: "), TOKEN).await?;
    let (listen, dir) = (format!("127.0.0.1:{port}"), format!("hushwing-relay-{port}"));
    let words =
        ["node", "relay", "--listen", &listen, "--dir", &dir, "--network", &network, "--token"];
    Ok(words.into_iter().chain([token.as_str()]).map(str::to_owned).collect())
}

async fn ask_or(
    lines: &mut Lines<BufReader<Stdin>>,
    question: &str,
    default: &str,
) -> Result<String, Failure> {
    let answer = ask(lines, question).await?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
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
        _ => Err(not_given("no command given")),
    }
}

fn not_given(what: &str) -> Failure {
    Failure::new(wire::ErrorKind::LocalConfig, what, "`hushwing --help` lists all commands")
}
