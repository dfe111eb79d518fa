//! A few words with a control port.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(5);

/// An authenticated connection to a tor's control port. Blocks.
#[derive(Debug)]
pub struct Control(BufReader<TcpStream>);

impl Control {
    /// Connects; authenticates by the cookie in the tor's data directory.
    ///
    /// # Errors
    /// [`Error::Io`]: nobody listens, or the cookie is not taken.
    pub fn connect(at: SocketAddr, data: &Path) -> Result<Control> {
        let cookie = data.join("control_auth_cookie");
        let cookie = std::fs::read(&cookie).map_err(Error::io(&cookie))?;
        let stream =
            TcpStream::connect_timeout(&at, PATIENCE).map_err(Error::io("control port"))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(Error::io("control port"))?;
        let mut control = Control(BufReader::new(stream));
        let hex: String = cookie.iter().map(|b| format!("{b:02x}")).collect();
        control.ask(&format!("AUTHENTICATE {hex}"))?;
        Ok(control)
    }

    /// The lines of the answer to a command, without their codes.
    ///
    /// # Errors
    /// [`Error::Io`]: the connection is gone, or tor refuses.
    pub fn ask(&mut self, command: &str) -> Result<Vec<String>> {
        let bad = |error| Error::io("control port")(error);
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).map_err(bad)?;
        let mut lines = Vec::new();
        let mut data = false;
        loop {
            let line = self.line().map_err(bad)?;
            if data {
                data = line != ".";
                lines.extend(data.then_some(line));
                continue;
            }
            let (code, rest) = line.split_at_checked(3).unwrap_or_default();
            let (kind, text) = rest.split_at_checked(1).unwrap_or_default();
            if !code.starts_with('2') {
                return Err(bad(std::io::Error::other(line)));
            }
            lines.push(text.to_owned());
            match kind {
                " " => return Ok(lines),
                "+" => data = true,
                _ => {}
            }
        }
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
