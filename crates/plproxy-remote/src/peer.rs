//! `requirepeer`: which user of the operating system the server behind a Unix socket runs as.

use plproxy_core::conninfo::user_name;

use crate::error::system_words;
use crate::stream::Socket;

/// Refuses a server that runs as somebody else, in libpq's words. Only Unix sockets tell; others are not asked.
pub(crate) fn check(socket: &Socket, wanted: &str) -> Result<(), String> {
    let Socket::Unix(socket) = socket else {
        return Ok(());
    };
    let peer = socket.peer_cred().map_err(|error| {
        let words = system_words(&error);
        format!("could not get peer credentials: {words}")
    })?;
    let name = user_name(peer.uid())?;
    if name == wanted {
        return Ok(());
    }
    Err(format!(
        "requirepeer specifies \"{wanted}\", but actual peer user name is \"{name}\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_known() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
            let uid = ours.peer_cred().unwrap().uid();
            let name = user_name(uid).unwrap();
            let socket = Socket::Unix(ours);
            assert_eq!(check(&socket, &name), Ok(()));
            assert_eq!(
                check(&socket, "nobody_of_that_name"),
                Err(format!(
                    "requirepeer specifies \"nobody_of_that_name\", but actual peer user name is \"{name}\""
                ))
            );
        });
    }
}
