//! The keeper's ends of connections over TLS: handshakes, relays, cancel requests; each a task of one runtime.
//!
//! Nothing here waits but in [`TlsEnds::run`]. A handshake is given up when the session that asked for it does not listen any more,
//! which is how long that may take.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::future::{Either, select};
use plproxy_core::conninfo::{Host, TlsNegotiation, TlsOptions};
use postgres_protocol::message::frontend;
use rustix::io::{fcntl_dupfd_cloexec, ioctl_fionbio};
use tokio::io::{Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::timeout;

use crate::error::system_words;
use crate::net::address::Address;
use crate::net::blocking;
use crate::net::tls::context::{Context, SYSTEM_AGE};
use crate::net::tls::material::{Material, Root};
use crate::net::tls::negotiate::{SslAttempt, ask, secure};
use crate::net::tls::protection::TlsFacts;
use crate::net::tls::session::Session;
use crate::runtime::Runtime;
use crate::shared::channel::Channel;
use crate::shared::frames::{receive_frame, send_frame, send_frame_now, stream, watched};
use crate::shared::place::Place;
use crate::shared::relay::{Relay, Scratch};
use crate::shared::tls_request::{Answer, LONGEST_REQUEST, Secret, TlsRequest};

/// So long a session may take to say what it wants, and to hear what it is told.
const PATIENCE: Duration = Duration::from_secs(10);
/// A handshake that takes longer is given up, whoever still waits for it.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(600);
/// The same of a cancel request.
const LONGEST_CANCEL: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct TlsEnds {
    tasks: LocalSet,
    /// By the slot's number. There may be several, of attempts that have failed.
    ends: HashMap<u32, Vec<End>>,
    tools: Rc<Tools>,
    /// Asked for nothing but whether there is something to be read.
    channel: UnixStream,
    runtime: Runtime,
}

/// One of them.
struct End {
    generation: u32,
    task: AbortHandle,
    state: Rc<EndState>,
}

/// What its task tells.
#[derive(Default)]
struct EndState {
    is_over: Cell<bool>,
    /// The server has been told that there will be nothing more.
    has_left: Cell<bool>,
    peer: RefCell<Option<Rc<Peer>>>,
}

/// All that another connection to the same server takes.
struct Peer {
    context: Rc<Context>,
    tls: TlsOptions,
    host: Host,
}

/// What all tasks use.
struct Tools {
    /// Contexts in use, by the hash of what they were made of.
    contexts: RefCell<HashMap<[u8; 32], Known>>,
    scratch: Scratch,
    /// How many tasks there are.
    tasks: Cell<usize>,
}

/// A context in use.
struct Known {
    context: Weak<Context>,
    made: Instant,
}

/// A task's part in their number.
struct Counted(Rc<Tools>);

impl Counted {
    fn new(tools: &Rc<Tools>) -> Counted {
        tools.tasks.set(tools.tasks.get() + 1);
        Counted(Rc::clone(tools))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get().saturating_sub(1));
    }
}

/// A task that ends, however it does.
struct Ends(Rc<EndState>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.is_over.set(true);
    }
}

impl TlsEnds {
    pub(crate) fn new(channel: &'static Channel, interrupted: fn() -> bool) -> io::Result<TlsEnds> {
        let runtime = Runtime::new(interrupted)?;
        let channel = fcntl_dupfd_cloexec(channel.keeper(), 0)?;
        // The runtime insists on it. What is received says for itself that it does not wait.
        ioctl_fionbio(&channel, true)?;
        let channel = {
            let _guard = runtime.enter();
            watched(channel)?
        };
        Ok(TlsEnds {
            tasks: LocalSet::new(),
            ends: HashMap::new(),
            tools: Rc::new(Tools {
                contexts: RefCell::default(),
                scratch: Scratch::new(),
                tasks: Cell::new(0),
            }),
            channel,
            runtime,
        })
    }

    /// Begins with what is asked for over `control`.
    pub(crate) fn begin(&mut self, slot: u32, generation: u32, control: OwnedFd) {
        let state = Rc::new(EndState::default());
        let (counted, ends) = (Counted::new(&self.tools), Ends(Rc::clone(&state)));
        let tools = Rc::clone(&self.tools);
        let of_task = Rc::clone(&state);
        let task = self.tasks.spawn_local(async move {
            let _both = (counted, ends);
            serve(control, &of_task, &tools).await;
        });
        let of_slot = self.ends.entry(slot).or_default();
        of_slot.retain(|end| !end.state.is_over.get());
        of_slot.push(End {
            generation,
            task: task.abort_handle(),
            state,
        });
    }

    /// Whether there is nothing to be run.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.tools.tasks.get() == 0
    }

    /// Whether all of a slot and a generation have ended.
    pub(crate) fn are_over(&self, slot: u32, generation: u32) -> bool {
        let of_slot = self.ends.get(&slot).into_iter().flatten();
        of_slot
            .filter(|end| end.generation == generation)
            .all(|end| end.state.is_over.get())
    }

    /// Ends those of a slot.
    pub(crate) fn end(&mut self, slot: u32) {
        for end in self.ends.remove(&slot).into_iter().flatten() {
            end.task.abort();
        }
    }

    /// Cancels what runs on a slot's connection.
    pub(crate) fn cancel(&mut self, slot: u32, generation: u32, place: Place) {
        let of_slot = self.ends.get(&slot).into_iter().flatten();
        let peer = of_slot
            .filter(|end| end.generation == generation)
            .find_map(|end| end.state.peer.borrow().clone());
        // Without the settings of the connection there is no request: it would be in plain text.
        if let Some(peer) = peer {
            let counted = Counted::new(&self.tools);
            self.tasks.spawn_local(async move {
                let _counted = counted;
                let _done = timeout(LONGEST_CANCEL, cancel(&place, &peer)).await;
            });
        }
    }

    /// Runs the tasks until something comes over the channel, an interrupt is pending, or the time is over.
    pub(crate) fn run(&mut self, longest: Duration) {
        let interrupts = self.runtime.host_interrupts();
        let channel = &self.channel;
        run(&self.runtime, &mut self.tasks, longest, |cx| {
            interrupts.interrupted() || has_come(channel, cx)
        });
    }

    /// Runs them until the servers of these slots know that there will be nothing more, or the time is over.
    pub(crate) fn leave(&mut self, slots: &[u32], longest: Duration) {
        let ends = &self.ends;
        run(&self.runtime, &mut self.tasks, longest, |_| {
            let of_slots = slots.iter().filter_map(|slot| ends.get(slot)).flatten();
            of_slots
                .map(|end| &end.state)
                .all(|state| state.has_left.get() || state.is_over.get())
        });
    }
}

/// Runs the tasks until `is_over`, or for so long.
fn run(
    runtime: &Runtime,
    tasks: &mut LocalSet,
    longest: Duration,
    mut is_over: impl FnMut(&mut TaskContext<'_>) -> bool,
) {
    let _guard = runtime.enter();
    let mut time = pin!(tokio::time::sleep(longest));
    let mut ends = false;
    runtime.wait(|cx, _| {
        if ends {
            return Poll::Ready(());
        }
        // Ready when there is none; there may be one soon.
        let _all = Pin::new(&mut *tasks).poll(cx);
        if is_over(cx) || time.as_mut().poll(cx).is_ready() {
            // A task whose budget was used up is woken after the next check of the sockets, and by nothing else: one has to
            // come before this is left.
            ends = true;
            runtime.check_io();
        }
        Poll::Pending
    });
}

/// Whether there is something to be read from the channel.
fn has_come(channel: &UnixStream, cx: &mut TaskContext<'_>) -> bool {
    while let Poll::Ready(Ok(())) = channel.poll_read_ready(cx) {
        match channel.try_io(Interest::READABLE, || blocking::peek(channel)) {
            Ok(_) => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // There is always another look.
            Err(_) => return false,
        }
    }
    false
}

/// From the request to the end of the connection.
async fn serve(control: OwnedFd, state: &EndState, tools: &Tools) {
    let Ok(control) = watched(control) else {
        return;
    };
    let asked = timeout(PATIENCE, receive_frame(&control, LONGEST_REQUEST)).await;
    let Ok(Ok((bytes, Some(socket)))) = asked else {
        return;
    };
    let bytes = Secret(bytes);
    let request = TlsRequest::read(&bytes.0);
    drop(bytes);
    let Some((request, digest)) = request else {
        return;
    };
    let work = pin!(timeout(
        LONGEST_HANDSHAKE,
        tools.handshake(request, &digest, socket)
    ));
    let session = match select(work, pin!(is_given_up(&control))).await {
        Either::Left((Ok(Ok((session, peer))), _)) => {
            state.peer.replace(Some(Rc::new(peer)));
            Ok(session)
        }
        Either::Left((Ok(Err(answer)), _)) => Err(answer),
        Either::Left((Err(_), _)) => Err(Answer::Unable("timeout expired".into())),
        Either::Right(_) => return,
    };
    let ends = session.and_then(|session| {
        let ends = stream().and_then(|(ours, theirs)| Ok((watched(ours)?, theirs)));
        let (ours, theirs) = ends.map_err(|error| Answer::Unable(system_words(&error)))?;
        Ok((session, ours, theirs))
    });
    let (session, ours, theirs) = match ends {
        Ok(ends) => ends,
        Err(answer) => {
            let _told = timeout(PATIENCE, send_frame(&control, &answer.write(), None)).await;
            return;
        }
    };
    let answer = Answer::Done(TlsFacts::of(&session)).write();
    let told = send_frame(&control, &answer, Some(theirs.as_fd()));
    if !matches!(timeout(PATIENCE, told).await, Ok(Ok(()))) {
        return;
    }
    drop(theirs);
    let mut relay = Relay::new(session, ours, tools.scratch.clone());
    let mut control = Some(control);
    let ended = poll_fn(|cx| {
        if let Some(socket) = &control
            && poll_given_up(socket, cx).is_ready()
        {
            control = None;
        }
        let ended = relay.poll(cx);
        state.has_left.set(relay.has_left());
        ended
    })
    .await;
    // Before the socket is closed: there it is looked for then.
    if let (Err(error), Some(control)) = (ended, control) {
        send_frame_now(&control, &Answer::lost(&error).write());
    }
}

/// Ready when the session that asked does not listen any more.
async fn is_given_up(control: &UnixStream) {
    poll_fn(|cx| poll_given_up(control, cx)).await;
}

fn poll_given_up(control: &UnixStream, cx: &mut TaskContext<'_>) -> Poll<()> {
    while let Poll::Ready(Ok(())) = control.poll_read_ready(cx) {
        match control.try_read(&mut [0; 1]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Poll::Ready(()),
        }
    }
    Poll::Pending
}

impl Tools {
    async fn handshake(
        &self,
        request: TlsRequest,
        digest: &[u8; 32],
        socket: OwnedFd,
    ) -> Result<(Session, Peer), Answer> {
        let TlsRequest { host, material } = request;
        let context = self.context(&material, digest).map_err(Answer::Unable)?;
        let tls = material.options();
        drop(material);
        let socket = TcpStream::from_std(socket.into())
            .map_err(|error| Answer::Unable(system_words(&error)))?;
        let session = secure(socket, Rc::clone(&context), &tls, &host)
            .await
            .map_err(Answer::Failed)?;
        Ok((session, Peer { context, tls, host }))
    }

    /// A context of that, which connections have in common.
    fn context(&self, material: &Material, digest: &[u8; 32]) -> Result<Rc<Context>, String> {
        let mut contexts = self.contexts.borrow_mut();
        if let Some(known) = contexts.get(digest)
            && !(material.root == Root::System && known.made.elapsed() > SYSTEM_AGE)
            && let Some(context) = known.context.upgrade()
        {
            return Ok(context);
        }
        let context = material.context()?;
        contexts.retain(|_, known| known.context.strong_count() > 0);
        let known = Known {
            context: Rc::downgrade(&context),
            made: Instant::now(),
        };
        contexts.insert(*digest, known);
        Ok(context)
    }
}

/// Sends a cancel request, and waits until the server hangs up.
async fn cancel(place: &Place, peer: &Peer) -> Option<()> {
    let Address::Tcp(address) = place.address else {
        return None;
    };
    let mut socket = TcpStream::connect(address).await.ok()?;
    if peer.tls.negotiation == TlsNegotiation::Postgres {
        ask(&mut socket, SslAttempt::Required).await.ok()?;
    }
    let context = Rc::clone(&peer.context);
    let mut session = secure(socket, context, &peer.tls, &peer.host).await.ok()?;
    let mut message = BytesMut::new();
    frontend::cancel_request(place.process_id, place.secret_key, &mut message);
    poll_fn(|cx| session.poll_write(cx, &message)).await.ok()?;
    poll_fn(|cx| session.poll_flush(cx)).await.ok()?;
    let mut nothing = [0; 1];
    poll_fn(|cx| session.poll_read(cx, &mut ReadBuf::new(&mut nothing)))
        .await
        .ok()
}

#[cfg(test)]
mod tests;
