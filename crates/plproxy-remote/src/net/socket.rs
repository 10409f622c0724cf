//! Connecting sockets, and their options.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use plproxy_core::conninfo::ConnInfo;
use rustix::net::sockopt;
use tokio::net::{TcpSocket, UnixStream};

use crate::net::address::Address;
use crate::net::descriptors::Descriptor;
use crate::net::transport::{Socket, Transport};

/// How long to wait where the backlog of a Unix socket is full, at first and at the most.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest time that the options of keepalives hold.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(i32::MAX as u64);

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
    set_options(&socket, info)?;
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

/// Values that the system's options cannot hold become the greatest.
fn set_options(socket: &impl AsFd, info: &ConnInfo) -> io::Result<()> {
    let wanted = &info.keepalives;
    if wanted.enabled {
        sockopt::set_socket_keepalive(socket, true)?;
        if let Some(idle) = wanted.idle {
            sockopt::set_tcp_keepidle(socket, idle.min(LONGEST_KEEPALIVE))?;
        }
        if let Some(interval) = wanted.interval {
            sockopt::set_tcp_keepintvl(socket, interval.min(LONGEST_KEEPALIVE))?;
        }
        if let Some(count) = wanted.count {
            sockopt::set_tcp_keepcnt(socket, count)?;
        }
    }
    if let Some(timeout) = info.tcp_user_timeout {
        let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(socket, milliseconds)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
