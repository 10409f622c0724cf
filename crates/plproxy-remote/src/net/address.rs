//! From hosts to addresses.
//!
//! Names are looked up by the system's resolver, which blocks, and therefore outside of the runtime. Numeric addresses are
//! never looked up.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use plproxy_core::conninfo::{Host, HostName};

use crate::error::system_words;
use crate::runtime::resolver::{Found, Resolver};

/// The longest path of a socket: `sun_path` without the zero byte at its end.
const LONGEST_SOCKET: usize = 107;

/// What a socket can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Tcp(address) => Some(address.ip()),
            Address::Unix(_) => None,
        }
    }
}

/// All addresses of a host, in order; or why there are none, in libpq's words.
pub(crate) async fn resolve(host: &Host, resolver: &Resolver) -> Result<Vec<Address>, String> {
    if let Some(path) = host.socket_path() {
        if path.as_os_str().len() > LONGEST_SOCKET {
            return Err(format!(
                "Unix-domain socket path \"{}\" is too long (maximum {LONGEST_SOCKET} bytes)",
                if host.hidden {
                    "***".into()
                } else {
                    path.to_string_lossy()
                }
            ));
        }
        return Ok(vec![Address::Unix(path)]);
    }
    if let Some(ip) = host.hostaddr {
        return Ok(vec![Address::Tcp((ip, host.port).into())]);
    }
    let HostName::Name(name) = &host.name else {
        return Ok(Vec::new());
    };
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(vec![Address::Tcp((ip, host.port).into())]);
    }
    match resolver.look_up(name, ask).await {
        Ok(mut found) => {
            found
                .iter_mut()
                .for_each(|address| address.set_port(host.port));
            Ok(found.into_iter().map(Address::Tcp).collect())
        }
        Err(words) => Err(format!(
            "could not translate host name \"{}\" to address: {words}",
            host.shown()
        )),
    }
}

/// Looks a host name up. Gives socket addresses, as a link-local one is of no use without its scope.
fn ask(host: &str) -> Found {
    let mut found = Vec::new();
    let addresses = (host, 0).to_socket_addrs();
    for address in addresses.map_err(|error| resolver_words(&error))? {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

/// The resolver's message, without the prefix that Rust adds.
fn resolver_words(error: &io::Error) -> String {
    let words = system_words(error);
    words
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&words)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole() {
        let found = ask("localhost").unwrap();
        assert!(found.iter().all(|at| at.ip().is_loopback()) && !found.is_empty());
        // The first interface is the loopback on every Linux.
        let zoned = ask("fe80::1%1").unwrap();
        assert!(
            matches!(zoned.as_slice(), [SocketAddr::V6(address)] if address.scope_id() == 1),
            "{zoned:?}"
        );
        let error = ask("no-such-host.invalid").unwrap_err();
        assert!(!error.contains("failed to lookup"), "{error}");
    }
}
