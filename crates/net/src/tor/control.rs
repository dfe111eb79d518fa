//! Tor's control port: what of its protocol (control-spec) we use.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::{BASE64, HEXUPPER};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use wire::{OnionName, Sensitive};
use zeroize::Zeroizing;

use super::{ClientKey, ClientPublicKey, TorError};

const PATIENCE: Duration = Duration::from_secs(10);
/// Longest line that we read, bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Most lines of one answer.
const MAX_LINES: usize = 1024;

/// An authenticated connection to a control port.
pub(super) struct Control {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

/// One answer: its code and the text of each line.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Control {
    /// Connects and authenticates: by the password if there is one, else by the cookie that tor
    /// names, else by nothing.
    pub(super) async fn connect(
        at: SocketAddr,
        password: Option<&Sensitive<String>>,
    ) -> Result<Control, TorError> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(at)).await;
        let (read, write) =
            stream.map_err(|_| TorError::NoControl)?.map_err(|_| TorError::NoControl)?.into_split();
        let mut control = Control { read: BufReader::new(read), write };
        let info = control.ask("PROTOCOLINFO 1").await?;
        if info.code != 250 {
            return Err(TorError::NoControl);
        }
        let auth = info.lines.iter().find(|l| l.starts_with("AUTH ")).ok_or(TorError::NoControl)?;
        let secret = match password {
            Some(password) => Zeroizing::new(format!("\"{}\"", escaped(password.reveal()))),
            None => match cookie_file(auth) {
                Some(path) => {
                    let cookie = tokio::fs::read(path).await.map_err(|_| TorError::ControlAuth)?;
                    Zeroizing::new(HEXUPPER.encode(&Zeroizing::new(cookie)))
                }
                None => Zeroizing::new(String::new()),
            },
        };
        let line = Zeroizing::new(format!("AUTHENTICATE {}", *secret));
        if control.ask(&line).await?.code == 250 { Ok(control) } else { Err(TorError::ControlAuth) }
    }

    /// Sends a command and waits for its answer. Events that come in between are dropped.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Answer, TorError> {
        let line = Zeroizing::new(format!("{command}\r\n"));
        let asking = async {
            self.write.write_all(line.as_bytes()).await.map_err(|_| TorError::NoControl)?;
            loop {
                let answer = self.answer().await?;
                if answer.code != 650 {
                    return Ok(answer);
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.map_err(|_| TorError::NoControl)?
    }

    /// The next answer or event.
    pub(super) async fn answer(&mut self) -> Result<Answer, TorError> {
        let mut lines = Vec::new();
        while lines.len() < MAX_LINES {
            let line = self.line().await?;
            let code = line.get(..3).and_then(|c| c.parse().ok()).ok_or(TorError::NoControl)?;
            let text = line.get(4..).unwrap_or_default().to_owned();
            lines.push(text);
            match line.as_bytes().get(3) {
                Some(b' ') => return Ok(Answer { code, lines }),
                Some(b'+') => {
                    while lines.len() < MAX_LINES {
                        let data = self.line().await?;
                        if data == "." {
                            break;
                        }
                        lines.push(data);
                    }
                }
                _ => {}
            }
        }
        Err(TorError::NoControl)
    }

    async fn line(&mut self) -> Result<String, TorError> {
        let mut line = String::new();
        let read = (&mut self.read)
            .take(MAX_LINE)
            .read_line(&mut line)
            .await
            .map_err(|_| TorError::NoControl)?;
        if read == 0 {
            Err(TorError::NoControl)
        } else {
            Ok(line.trim_end_matches(['\r', '\n']).to_owned())
        }
    }

    /// The SOCKS port that tor listens on.
    pub(super) async fn socks(&mut self) -> Result<SocketAddr, TorError> {
        let answer = self.ask("GETINFO net/listeners/socks").await?;
        let line = answer.lines.iter().find_map(|l| l.strip_prefix("net/listeners/socks="));
        // Sockets of other kinds may stand before it.
        let mut all = line.unwrap_or_default().split_whitespace();
        all.find_map(|at| at.trim_matches('"').parse().ok()).ok_or(TorError::NoSocks)
    }

    /// Bootstrap: per cent and tor's words.
    pub(super) async fn bootstrap(&mut self) -> Result<(u8, String), TorError> {
        let answer = self.ask("GETINFO status/bootstrap-phase").await?;
        let line =
            answer.lines.iter().find(|l| l.contains("PROGRESS=")).ok_or(TorError::NoControl)?;
        let percent =
            field(line, "PROGRESS=").and_then(|p| p.parse().ok()).ok_or(TorError::NoControl)?;
        let words =
            line.split("SUMMARY=\"").nth(1).and_then(|s| s.split('"').next()).unwrap_or_default();
        Ok((percent, words.to_owned()))
    }

    /// Publishes a service that lives as long as this connection.
    pub(super) async fn add_onion(
        &mut self,
        expanded: &Zeroizing<[u8; 64]>,
        ports: &[(u16, SocketAddr)],
        clients: &[ClientPublicKey],
    ) -> Result<(), TorError> {
        let mut command =
            Zeroizing::new(format!("ADD_ONION ED25519-V3:{}", BASE64.encode(expanded.as_ref())));
        command.push_str(if clients.is_empty() {
            " Flags=DiscardPK"
        } else {
            " Flags=DiscardPK,V3Auth"
        });
        for (virtual_port, target) in ports {
            command.push_str(&format!(" Port={virtual_port},{target}"));
        }
        for client in clients {
            command.push_str(&format!(
                " ClientAuthV3={}",
                data_encoding::BASE32_NOPAD.encode(&client.0)
            ));
        }
        let answer = self.ask(&command).await?;
        if answer.code == 250 { Ok(()) } else { Err(TorError::ControlRefused("ADD_ONION")) }
    }

    /// Waits until a descriptor of the service was taken by a directory.
    pub(super) async fn uploaded(&mut self, name: OnionName) -> Result<(), TorError> {
        let name = name.to_string();
        let bare = name.trim_end_matches(".onion");
        loop {
            let event = self.answer().await?;
            let line = event.lines.first().map(String::as_str).unwrap_or_default();
            if event.code == 650 && line.starts_with("HS_DESC UPLOADED") && line.contains(bare) {
                return Ok(());
            }
        }
    }

    /// Asks for events about descriptors.
    pub(super) async fn watch_descriptors(&mut self) -> Result<(), TorError> {
        self.ask("SETEVENTS HS_DESC").await.map(|_| ())
    }

    /// Takes a key for a restricted service.
    pub(super) async fn add_client_key(&mut self, key: &ClientKey) -> Result<(), TorError> {
        let name = key.service.to_string();
        let command = Zeroizing::new(format!(
            "ONION_CLIENT_AUTH_ADD {} x25519:{}",
            name.trim_end_matches(".onion"),
            BASE64.encode(key.secret.as_ref())
        ));
        let answer = self.ask(&command).await?;
        // 251 and 252: it was there, or replaces one.
        if (250..=252).contains(&answer.code) {
            Ok(())
        } else {
            Err(TorError::ControlRefused("ONION_CLIENT_AUTH_ADD"))
        }
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name))
}

/// The cookie's file, if tor takes one: `AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/path"`.
fn cookie_file(auth: &str) -> Option<String> {
    if field(auth, "METHODS=")?.split(',').any(|m| m == "NULL") {
        return None;
    }
    let quoted = auth.split_once("COOKIEFILE=\"")?.1;
    let mut path = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(path),
            '\\' => path.push(chars.next()?),
            c => path.push(c),
        }
    }
    None
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tors_answers_are_read() {
        let auth = r#"AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/run/to\"r/cookie""#;
        assert_eq!(cookie_file(auth).as_deref(), Some("/run/to\"r/cookie"));
        assert_eq!(cookie_file(r#"AUTH METHODS=NULL COOKIEFILE="/x""#), None);
        assert_eq!(cookie_file("AUTH METHODS=HASHEDPASSWORD"), None);
        assert_eq!(field("NOTICE BOOTSTRAP PROGRESS=45 TAG=x", "PROGRESS="), Some("45"));
        assert_eq!(escaped(r#"a"b\"#), r#"a\"b\\"#);
    }
}
