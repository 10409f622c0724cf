//! Connecting sockets, and their options.

use std::io;
use std::path::Path;
use std::time::Duration;

use plproxy_core::conninfo::ConnInfo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, UnixStream};

use crate::net::address::Address;
use crate::net::descriptors::Descriptor;
use crate::net::transport::{Socket, Transport};

/// How long to wait where the backlog of a Unix socket is full, at first and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Connects a socket, with its options set.
pub(crate) async fn open_socket(
    address: &Address,
    info: &ConnInfo,
    descriptor: Descriptor,
) -> io::Result<Socket> {
    let address = match address {
        Address::Unix(path) => {
            let socket = connect_unix(path).await?;
            return Ok(Socket::new(Transport::Unix(socket), descriptor));
        }
        Address::Tcp(address) => *address,
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_nodelay(true)?;
    set_options(&SockRef::from(&socket), info)?;
    let socket = socket.connect(address).await?;
    Ok(Socket::new(Transport::Tcp(socket), descriptor))
}

/// Where the backlog of a Unix socket is full, connecting does not wait as with TCP but fails at once: it is tried again until
/// there is room. The caller has a timeout, or is interrupted.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let mut pause = FIRST_PAUSE;
    loop {
        // Linux's abstract names are written with an at sign and begin with a zero byte.
        let stream = match path.to_str().and_then(|path| path.strip_prefix('@')) {
            Some(name) => UnixStream::connect(format!("\0{name}")).await,
            None => UnixStream::connect(path).await,
        };
        match stream {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            stream => return stream,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn set_options(socket: &SockRef<'_>, info: &ConnInfo) -> io::Result<()> {
    let wanted = &info.keepalives;
    if wanted.enabled {
        let mut keepalive = TcpKeepalive::new();
        if let Some(idle) = wanted.idle {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = wanted.interval {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(count) = wanted.count {
            keepalive = keepalive.with_retries(count);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    if info.tcp_user_timeout.is_some() {
        socket.set_tcp_user_timeout(info.tcp_user_timeout)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
