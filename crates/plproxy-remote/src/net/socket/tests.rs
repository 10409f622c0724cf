//! Socket options, as the kernel has them after us.

use std::os::fd::OwnedFd;

use plproxy_core::conninfo::{TestEnvironment, parse};
use rustix::net::{AddressFamily, SocketType, socket as new_socket, sockopt};

use super::*;

/// A socket with the options of a connection string.
fn socket(connstr: &str) -> OwnedFd {
    let (info, _) = parse(connstr)
        .unwrap()
        .resolve(&TestEnvironment::new())
        .unwrap();
    let socket = new_socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    set_options(&socket, &info).unwrap();
    socket
}

#[test]
fn keepalives_are_set() {
    let plain = socket("host=h");
    assert!(sockopt::socket_keepalive(&plain).unwrap());
    let off = socket("host=h keepalives=0 keepalives_idle=7");
    assert!(!sockopt::socket_keepalive(&off).unwrap());
    let times = |socket: &OwnedFd| {
        (
            sockopt::tcp_keepidle(socket).unwrap(),
            sockopt::tcp_keepintvl(socket).unwrap(),
            sockopt::tcp_keepcnt(socket).unwrap(),
        )
    };
    let set = socket("host=h keepalives_idle=70 keepalives_interval=8 keepalives_count=9");
    assert!(sockopt::socket_keepalive(&set).unwrap());
    let expected = (Duration::from_secs(70), Duration::from_secs(8), 9);
    assert_eq!(times(&set), expected);
    // Zero and less leave the system's own.
    let zero = socket("host=h keepalives_idle=0 keepalives_interval=-1 keepalives_count=0");
    assert_eq!(times(&zero), times(&plain));
}

#[test]
fn the_user_timeout_is_set() {
    for (connstr, expected) in [
        ("host=h", 0),
        ("host=h tcp_user_timeout=1500", 1500),
        ("host=h tcp_user_timeout=-1", 0),
    ] {
        let socket = socket(connstr);
        let found = sockopt::tcp_user_timeout(&socket).unwrap();
        assert_eq!(found, expected, "{connstr}");
    }
}
