//! Finding a running tor.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where a tor listens for SOCKS, in the order in which we look.
pub const SOCKS_PORTS: std::ops::RangeInclusive<u16> = 9050..=9054;
const PATIENCE: Duration = Duration::from_secs(2);

/// The first of these local ports that answers as SOCKS5. Something else that listens there is
/// passed over.
pub async fn find_socks(ports: impl IntoIterator<Item = u16>) -> Option<SocketAddr> {
    for port in ports {
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        if speaks_socks(at).await {
            return Some(at);
        }
    }
    None
}

/// Whether a SOCKS5 server answers there.
pub(super) async fn speaks_socks(at: SocketAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(at).await.ok()?;
        // Version 5, one method: no authentication (RFC 1928, section 3).
        stream.write_all(&[5, 1, 0]).await.ok()?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer == [5, 0])
    };
    matches!(tokio::time::timeout(PATIENCE, greeting).await, Ok(Some(true)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answering(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(answer).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn a_listener_that_is_no_socks_server_is_passed_over() {
        let control = answering(b"514 Authentication required.\r\n").await;
        let socks4 = answering(&[0, 90]).await;
        let socks5 = answering(&[5, 0]).await;
        assert_eq!(find_socks([control, socks4]).await, None);
        assert_eq!(find_socks([control, socks4, socks5]).await.map(|a| a.port()), Some(socks5));
    }
}
