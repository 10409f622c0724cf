//! `requirepeer`: which user of the operating system the server behind a Unix socket runs as.

use plproxy_core::conninfo::{shown, user_name};

use crate::error::system_words;
use crate::net::transport::{Socket, Transport};
use crate::runtime::resolver::Resolver;

/// Refuses a server that runs as another user, in libpq's words. Only Unix sockets know; others are not checked.
pub(crate) async fn check(
    socket: &Socket,
    wanted: &str,
    resolver: &Resolver,
) -> Result<(), String> {
    let Transport::Unix(socket) = socket.transport() else {
        return Ok(());
    };
    let peer = socket.peer_cred().map_err(|error| {
        let words = system_words(&error);
        format!("could not get peer credentials: {words}")
    })?;
    let uid = peer.uid();
    let name = resolver.call(move || user_name(uid)).await?;
    if name == wanted {
        return Ok(());
    }
    Err(format!(
        "requirepeer specifies \"{}\", but actual peer user name is \"{name}\"",
        shown(wanted)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::descriptors::Descriptor;

    #[test]
    fn peers_are_known() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let resolver = Resolver::default();
        let (outcomes, name) = runtime.block_on(async {
            let (ours, _theirs) = tokio::net::UnixStream::pair().unwrap();
            let uid = ours.peer_cred().unwrap().uid();
            let (name, socket) = (
                user_name(uid).unwrap(),
                Socket::new(Transport::Unix(ours), Descriptor::uncounted()),
            );
            let right = check(&socket, &name, &resolver);
            let wrong = check(&socket, "nobody_of_that_name", &resolver);
            let answers = async {
                while let Some(blocking) = resolver.next() {
                    blocking.run();
                }
            };
            let (right, wrong, ()) = futures::future::join3(right, wrong, answers).await;
            ([right, wrong], name)
        });
        let refused = format!(
            "requirepeer specifies \"nobody_of_that_name\", but actual peer user name is \"{name}\""
        );
        assert_eq!(outcomes, [Ok(()), Err(refused)]);
    }
}
