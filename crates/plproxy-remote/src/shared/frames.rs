//! Frames over a stream between two processes of one server: a length, bytes, and a descriptor with the first of them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use plproxy_core::room::reserve_exact;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::shared::channel::{no_room, pass, receive};

/// How long to wait where as many descriptors as may be are on their way.
const PAUSE: Duration = Duration::from_millis(1);
/// The length of a length.
const HEADER: usize = 4;

/// Both ends of a stream.
pub(crate) fn stream() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?)
}

/// Has the runtime watch an end.
pub(crate) fn watched(end: OwnedFd) -> io::Result<UnixStream> {
    UnixStream::from_std(end.into())
}

/// Sends a frame.
pub(crate) async fn send_frame(
    to: &UnixStream,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    send_all(to, &header(bytes)?, descriptor).await?;
    send_all(to, bytes, None).await
}

fn header(bytes: &[u8]) -> io::Result<[u8; HEADER]> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(length.to_le_bytes())
}

async fn send_all(
    to: &UnixStream,
    mut bytes: &[u8],
    mut descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_io(Interest::WRITABLE, || pass(to.as_fd(), bytes, descriptor)) {
            Ok(sent) => {
                bytes = bytes.get(sent..).unwrap_or_default();
                descriptor = None;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if no_room(&error) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives a frame of at most so many bytes.
pub(crate) async fn receive_frame(
    from: &UnixStream,
    most: usize,
) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut descriptor = None;
    let mut header = [0; HEADER];
    receive_all(from, &mut header, &mut descriptor).await?;
    let length = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    reserve_exact(&mut bytes, length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    receive_all(from, &mut bytes, &mut descriptor).await?;
    Ok((bytes, descriptor))
}

async fn receive_all(
    from: &UnixStream,
    mut room: &mut [u8],
    descriptor: &mut Option<OwnedFd>,
) -> io::Result<()> {
    while !room.is_empty() {
        from.readable().await?;
        let received = from.try_io(Interest::READABLE, || {
            receive(from.as_fd(), room)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        match received {
            Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((length, came)) => {
                if came.is_some() {
                    *descriptor = came;
                }
                room = room.get_mut(length..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends a short frame if there is room for it.
pub(crate) fn send_frame_now(to: &UnixStream, bytes: &[u8]) {
    if let Ok(header) = header(bytes) {
        // Who is to have it may be gone.
        let _sent = pass(to.as_fd(), &[&header, bytes].concat(), None);
    }
}

/// Receives a short frame that was sent at once, if there is one.
pub(crate) fn receive_frame_now(from: &UnixStream, most: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER + most];
    let (length, _) = receive(from.as_fd(), &mut bytes).ok()??;
    bytes.truncate(length);
    let (header, body) = bytes.split_first_chunk::<HEADER>()?;
    let length = usize::try_from(u32::from_le_bytes(*header)).ok()?;
    body.get(..length).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_any_size_come_as_they_went() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (one, other) = stream().unwrap();
            let (one, other) = (watched(one).unwrap(), watched(other).unwrap());
            for size in [0, 1, 5, 1 << 20, 3 << 20] {
                let bytes: Vec<u8> = (0u8..251).cycle().take(size).collect();
                let (passed, _kept) = stream().unwrap();
                let sent = send_frame(&one, &bytes, Some(passed.as_fd()));
                let received = receive_frame(&other, 3 << 20);
                let (sent, received) = futures::future::join(sent, received).await;
                sent.unwrap();
                let (came, descriptor) = received.unwrap();
                assert!(came == bytes && descriptor.is_some(), "{size}");
            }
            send_frame(&one, &[0; 10], None).await.unwrap();
            let error = receive_frame(&other, 9).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        });
    }

    #[test]
    fn what_was_said_before_the_end_is_there_after_it() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _guard = runtime.enter();
        let (one, other) = stream().unwrap();
        let (one, other) = (watched(one).unwrap(), watched(other).unwrap());
        assert_eq!(receive_frame_now(&other, 100), None);
        send_frame_now(&one, b"why");
        drop(one);
        assert_eq!(receive_frame_now(&other, 100).as_deref(), Some(&b"why"[..]));
        assert_eq!(receive_frame_now(&other, 100), None);
    }
}
