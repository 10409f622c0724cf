//! How messages name the server a connection was tried on, in libpq's words.

use std::net::IpAddr;

use super::mask::HIDDEN;
use super::types::{Host, HostName};

/// `connection to server at "h" (1.2.3.4), port 5432 failed`, or the same for a socket. `address` is the one tried of
/// those that the name stands for; it is left out where it says nothing new.
pub fn describe(host: &Host, address: Option<IpAddr>) -> String {
    if host.hidden {
        return format!("connection to server at \"{HIDDEN}\" failed");
    }
    if let Some(path) = host.socket_path() {
        return format!(
            "connection to server on socket \"{}\" failed",
            path.display()
        );
    }
    let port = host.port;
    if let Some(given) = host.hostaddr {
        return format!("connection to server at \"{given}\", port {port} failed");
    }
    let name = match &host.name {
        HostName::Name(name) => name.clone(),
        HostName::Unix(path) => path.display().to_string(),
    };
    match address.map(|address| address.to_string()) {
        Some(address) if address != name => {
            format!("connection to server at \"{name}\" ({address}), port {port} failed")
        }
        _ => format!("connection to server at \"{name}\", port {port} failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: HostName, hostaddr: Option<&str>, address: Option<&str>, expected: &str) {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let host = Host {
            name,
            named: true,
            hostaddr: hostaddr.map(ip),
            hidden: false,
            port: 5432,
            password: None,
        };
        assert_eq!(describe(&host, address.map(ip)), expected);
    }

    #[test]
    fn words_are_libpqs() {
        let name = |text: &str| HostName::Name(text.to_owned());
        let unix = |text: &str| HostName::Unix(text.into());
        check(
            name("h"),
            None,
            None,
            "connection to server at \"h\", port 5432 failed",
        );
        check(
            name("h"),
            None,
            Some("1.2.3.4"),
            "connection to server at \"h\" (1.2.3.4), port 5432 failed",
        );
        check(
            name("1.2.3.4"),
            None,
            Some("1.2.3.4"),
            "connection to server at \"1.2.3.4\", port 5432 failed",
        );
        check(
            name("h"),
            Some("::1"),
            Some("::1"),
            "connection to server at \"::1\", port 5432 failed",
        );
        check(
            unix("/tmp"),
            None,
            None,
            "connection to server on socket \"/tmp/.s.PGSQL.5432\" failed",
        );
        check(
            unix("@x"),
            None,
            None,
            "connection to server on socket \"@x/.s.PGSQL.5432\" failed",
        );
        check(
            unix("/tmp"),
            Some("1.2.3.4"),
            None,
            "connection to server at \"1.2.3.4\", port 5432 failed",
        );
    }
}
