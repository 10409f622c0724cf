//! TLS for a connection that sessions are to share: the keeper does the handshake, and keeps the keys.
//!
//! The socket goes to the keeper, and with it what the files hold that the connection string names. They are read here, with the
//! rights of who connects. The log-in goes through the keeper as bytes: it never has a password.

use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use plproxy_core::conninfo::{Host, TlsOptions};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::failure::{Failure, not_secured, refused};
use crate::error::ErrorKind;
use crate::net::descriptors::Descriptor;
use crate::net::tls::context::Contexts;
use crate::net::tls::material::Material;
use crate::net::tls::negotiate;
use crate::net::transport::{Socket, Transport};
use crate::shared::ask::{ANSWER, ask, no_keeper};
use crate::shared::channel::Request;
use crate::shared::frames::{receive_frame, receive_frame_now, send_frame, stream, watched};
use crate::shared::sharing::Sharing;
use crate::shared::tls_request::{Answer, LONGEST_ANSWER, TlsRequest};

/// The most that is said of a connection that has ended.
const LONGEST_REASON: usize = 4096;

/// Why there is nobody who answers.
const ENDED: &str = "the keeper of shared connections has ended";
/// How often to look whether there is a keeper.
const LOOK: Duration = Duration::from_secs(1);

/// For which of the keeper's connections.
#[derive(Clone, Copy)]
pub(crate) struct KeeperEnd {
    pub(crate) sharing: Sharing,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Has the keeper do the handshake; gives the socket between this process and the keeper.
pub(super) async fn secure_by_keeper(
    socket: TcpStream,
    descriptor: Descriptor,
    tls: &TlsOptions,
    host: &Host,
    contexts: &Contexts,
    end: KeeperEnd,
) -> Result<Socket, Failure> {
    let failed = |words| not_secured(negotiate::Failure::Handshake(words));
    let request = {
        // Says what is wrong with the files, as where the handshake is done here.
        let _own = contexts.get(tls).map_err(failed)?;
        let request = TlsRequest {
            host: host.clone(),
            material: Material::read(tls).map_err(failed)?,
        };
        request.write().ok_or(ErrorKind::OutOfMemory)?
    };
    let (ours, theirs) = stream().map_err(|error| ErrorKind::from_io(&error))?;
    let ours = watched(ours).map_err(|error| ErrorKind::from_io(&error))?;
    let question = Request::Secure {
        slot: end.slot,
        generation: end.generation,
    };
    ask(end.sharing, || {
        end.sharing.channel.ask(question, Some(theirs.as_fd()))
    })
    .await?;
    drop(theirs);
    let sent = send_frame(&ours, &request.0, Some(socket.as_fd()));
    unless_alone(end.sharing, sent).await?;
    drop(request);
    // The runtime of this process watches it no more; the keeper has it now.
    drop(socket);
    let received = receive_frame(&ours, LONGEST_ANSWER);
    let (answer, theirs) = unless_alone(end.sharing, received).await?;
    match (Answer::read(&answer), theirs) {
        (Some(Answer::Done(facts)), Some(theirs)) => {
            let socket = watched(theirs).map_err(|error| ErrorKind::from_io(&error))?;
            let reason = move || {
                let bytes = receive_frame_now(&ours, LONGEST_REASON)?;
                Answer::read(&bytes)?.error()
            };
            Ok(Socket::relayed(
                Transport::Unix(socket),
                descriptor,
                facts,
                Some(Box::new(reason)),
            ))
        }
        (Some(Answer::Failed(words)), _) => Err(failed(words)),
        (Some(Answer::Unable(words)), _) => Err(refused(words)),
        _ => Err(refused(ENDED)),
    }
}

/// What is done with the keeper, as long as there is one.
async fn unless_alone<T>(
    sharing: Sharing,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, Failure> {
    let mut work = pin!(work);
    let mut alone = Duration::ZERO;
    loop {
        match timeout(LOOK, work.as_mut()).await {
            Ok(done) => return done.map_err(|_| refused(ENDED)),
            Err(_) if sharing.table.header.keeper.load(Relaxed) != 0 => alone = Duration::ZERO,
            Err(_) => alone += LOOK,
        }
        if alone >= ANSWER {
            return Err(no_keeper().into());
        }
    }
}
