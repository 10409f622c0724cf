//! Socket options, as the kernel has them after us.

use plproxy_core::conninfo::{TestEnvironment, parse};
use socket2::{Domain, Socket, Type};

use super::*;

/// A socket with the options of a connection string.
fn socket(connstr: &str) -> Socket {
    let (info, _) = parse(connstr)
        .unwrap()
        .resolve(&TestEnvironment::new())
        .unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    set_options(&SockRef::from(&socket), &info).unwrap();
    socket
}

#[test]
fn keepalives_are_set() {
    let plain = socket("host=h");
    assert!(plain.keepalive().unwrap());
    assert!(
        !socket("host=h keepalives=0 keepalives_idle=7")
            .keepalive()
            .unwrap()
    );
    let set = socket("host=h keepalives_idle=70 keepalives_interval=8 keepalives_count=9");
    assert!(set.keepalive().unwrap());
    assert_eq!(set.tcp_keepalive_time().unwrap(), Duration::from_secs(70));
    assert_eq!(
        set.tcp_keepalive_interval().unwrap(),
        Duration::from_secs(8)
    );
    assert_eq!(set.tcp_keepalive_retries().unwrap(), 9);
    // Zero and less leave the system's own.
    let zero = socket("host=h keepalives_idle=0 keepalives_interval=-1 keepalives_count=0");
    let times = |socket: &Socket| {
        (
            socket.tcp_keepalive_time().unwrap(),
            socket.tcp_keepalive_interval().unwrap(),
            socket.tcp_keepalive_retries().unwrap(),
        )
    };
    assert_eq!(times(&zero), times(&plain));
}

#[test]
fn the_user_timeout_is_set() {
    assert_eq!(socket("host=h").tcp_user_timeout().unwrap(), None);
    assert_eq!(
        socket("host=h tcp_user_timeout=1500")
            .tcp_user_timeout()
            .unwrap(),
        Some(Duration::from_millis(1500))
    );
    assert_eq!(
        socket("host=h tcp_user_timeout=-1")
            .tcp_user_timeout()
            .unwrap(),
        None
    );
}
