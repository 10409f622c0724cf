use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use openssl::x509::{X509, X509NameBuilder};
use plproxy_core::conninfo::{HostName, TlsMode};

use super::*;
use crate::shared::channel::{pass, receive};
use crate::shared::tls_request::LONGEST_ANSWER;

/// A server, and its certificate.
fn server() -> (TcpListener, SslAcceptor, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "good.test")
        .unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    certificate.set_serial_number(&serial).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    let (before, after) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(9));
    certificate.set_not_before(&before.unwrap()).unwrap();
    certificate.set_not_after(&after.unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = certificate.build();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener, acceptor.build(), certificate.to_pem().unwrap())
}

fn request(host: &str, root: Vec<u8>) -> TlsRequest {
    TlsRequest {
        host: Host {
            name: HostName::Name(host.into()),
            named: true,
            hostaddr: None,
            port: 1,
            hidden: false,
            password: None,
        },
        material: Material {
            mode: TlsMode::VerifyFull,
            negotiation: TlsNegotiation::Postgres,
            sni: true,
            min_protocol: None,
            max_protocol: None,
            root: Root::File(root),
            revoked: None,
            certificate: None,
            key: Vec::new(),
        },
    }
}

/// Sends the request, with a socket that leads there.
fn ask_for(listener: &TcpListener, request: &TlsRequest, control: &UnixStream) {
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let request = request.write().unwrap();
    let bytes = &request.0;
    let header = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    assert_eq!(
        pass(control.as_fd(), &header, Some(socket.as_fd())).unwrap(),
        4
    );
    let mut control = control;
    control.write_all(bytes).unwrap();
}

/// Waits for the answer.
fn answer_of(mut control: &UnixStream) -> (Answer, Option<OwnedFd>) {
    let mut header = [0; 4];
    // It may be longer than a moment until there is one.
    let descriptor = loop {
        match receive(control.as_fd(), &mut header).unwrap() {
            Some((length, descriptor)) => {
                assert_eq!(length, 4);
                break descriptor;
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let length = usize::try_from(u32::from_le_bytes(header)).unwrap();
    assert!(length <= LONGEST_ANSWER);
    let mut bytes = vec![0; length];
    control.read_exact(&mut bytes).unwrap();
    (Answer::read(&bytes).unwrap(), descriptor)
}

fn ends() -> TlsEnds {
    TlsEnds::new(Channel::leaked(), || false).unwrap()
}

/// A conversation begins; the other side of it.
fn begin(ends: &mut TlsEnds, slot: u32) -> UnixStream {
    let (ours, theirs) = stream().unwrap();
    ends.begin(slot, 1, theirs);
    let ours = UnixStream::from(ours);
    ours.set_nonblocking(false).unwrap();
    ours
}

/// Runs the ends while somebody else is at work.
fn run_while<T>(ends: &mut TlsEnds, work: JoinHandle<T>) -> T {
    while !work.is_finished() {
        // Over at once: what a task had begun then goes on next time.
        ends.leave(&[], Duration::from_secs(60));
        ends.run(Duration::from_millis(5));
    }
    work.join().unwrap()
}

fn run_until_over(ends: &mut TlsEnds, slot: u32) {
    let since = Instant::now();
    while !ends.are_over(slot, 1) {
        assert!(since.elapsed() < Duration::from_secs(60), "it does not end");
        ends.run(Duration::from_millis(5));
    }
}

fn accepted(listener: &TcpListener, acceptor: &SslAcceptor) -> SslStream<TcpStream> {
    let (socket, _) = listener.accept().unwrap();
    acceptor.accept(socket).unwrap()
}

/// Does a handshake; gives the sessions' end, and the server's.
fn connected(
    ends: &mut TlsEnds,
    slot: u32,
    listener: TcpListener,
    acceptor: SslAcceptor,
    root: Vec<u8>,
) -> (UnixStream, UnixStream, SslStream<TcpStream>, TcpListener) {
    let control = begin(ends, slot);
    let work = thread::spawn(move || {
        ask_for(&listener, &request("good.test", root), &control);
        let server = accepted(&listener, &acceptor);
        let (answer, descriptor) = answer_of(&control);
        assert!(
            matches!(&answer, Answer::Done(facts) if facts.version == "TLSv1.3"
                && facts.binding.as_ref().is_ok_and(|hash| hash.len() == 32)),
            "{answer:?}"
        );
        let session = UnixStream::from(descriptor.unwrap());
        session.set_nonblocking(false).unwrap();
        (session, control, server, listener)
    });
    run_while(ends, work)
}

#[test]
fn what_goes_in_comes_out_however_slowly_it_is_taken() {
    const SIZE: usize = 12 << 20;
    let (listener, acceptor, root) = server();
    let mut ends = ends();
    let (session, control, mut server, _listener) =
        connected(&mut ends, 0, listener, acceptor, root);
    drop(control);
    let pattern = |seed: u8| -> Vec<u8> { (seed..251).cycle().take(SIZE).collect() };
    let up = pattern(1);
    let expected = up.clone();
    let echo = thread::spawn(move || {
        let mut got = vec![0; SIZE];
        // Nothing is taken for a while: the sender has to wait.
        thread::sleep(Duration::from_millis(200));
        server.read_exact(&mut got).unwrap();
        assert!(got == expected);
        server
            .write_all(&(2..251).cycle().take(SIZE).collect::<Vec<u8>>())
            .unwrap();
        // The end of what sessions send arrives as such.
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        server.write_all(b"last words").unwrap();
    });
    let work = thread::spawn(move || {
        let mut session = &session;
        session.write_all(&up).unwrap();
        thread::sleep(Duration::from_millis(200));
        let mut got = vec![0; SIZE];
        session.read_exact(&mut got).unwrap();
        assert!(got == (2..251).cycle().take(SIZE).collect::<Vec<u8>>());
        session.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        session.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"last words");
        echo.join().unwrap();
    });
    run_while(&mut ends, work);
    run_until_over(&mut ends, 0);
    ends.run(Duration::from_millis(1));
    assert!(ends.is_at_rest());
}

#[test]
fn what_a_handshake_fails_for_is_told() {
    let (_, _, other_root) = server();
    let (listener, acceptor, root) = server();
    let mut ends = ends();
    for (slot, host, root, why) in [
        (
            0,
            "good.test",
            other_root,
            "SSL error: certificate verify failed: ",
        ),
        (
            1,
            "bad.test",
            root,
            "server certificate for \"good.test\" does not match host name \"bad.test\"",
        ),
        (2, "good.test", b"no certificate".to_vec(), "could not read"),
    ] {
        let control = begin(&mut ends, slot);
        let listener = listener.try_clone().unwrap();
        let acceptor = acceptor.clone();
        let work = thread::spawn(move || {
            ask_for(&listener, &request(host, root), &control);
            // It may fail on this side, too.
            let (socket, _) = listener.accept().unwrap();
            let _server = acceptor.accept(socket);
            answer_of(&control)
        });
        let (answer, descriptor) = run_while(&mut ends, work);
        let (Answer::Failed(words) | Answer::Unable(words)) = answer else {
            panic!("{answer:?}");
        };
        assert!(words.starts_with(why) && descriptor.is_none(), "{words}");
        run_until_over(&mut ends, slot);
    }
}

#[test]
fn a_silent_server_is_left_with_the_session_that_waits_for_it_and_holds_nobody_up() {
    let (silent, _, _) = server();
    let (listener, acceptor, root) = server();
    let mut ends = ends();
    let waits = begin(&mut ends, 0);
    ask_for(&silent, &request("good.test", root.clone()), &waits);
    let (session, control, server, _listener) = connected(&mut ends, 1, listener, acceptor, root);
    assert!(!ends.are_over(0, 1));
    drop(waits);
    run_until_over(&mut ends, 0);
    assert!(!ends.are_over(1, 1));
    // A session that is gone before it has shared the connection takes it along.
    drop((session, control));
    let work = thread::spawn(move || {
        let mut server = server;
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    });
    run_while(&mut ends, work);
    run_until_over(&mut ends, 1);
    // Who says nothing, or nonsense, is not listened to.
    drop(begin(&mut ends, 2));
    run_until_over(&mut ends, 2);
    let mut nonsense = begin(&mut ends, 3);
    nonsense.write_all(&[0xff; 100]).unwrap();
    run_until_over(&mut ends, 3);
}

#[test]
fn a_server_that_ends_ends_the_connection_with_all_that_it_said() {
    let (listener, acceptor, root) = server();
    let mut ends = ends();
    let (mut session, control, mut server, _listener) =
        connected(&mut ends, 0, listener, acceptor, root);
    server.write_all(b"bye").unwrap();
    // No record of TLS.
    server.get_ref().write_all(b"no record at all").unwrap();
    run_until_over(&mut ends, 0);
    let mut said = Vec::new();
    session.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"bye");
    let (answer, _) = answer_of(&control);
    assert!(
        matches!(&answer, Answer::Lost { number: 0, words } if words.starts_with("SSL error: ")),
        "{answer:?}"
    );
}

#[test]
fn a_cancel_request_goes_over_tls_by_the_same_rules() {
    let (listener, acceptor, root) = server();
    let address = listener.local_addr().unwrap();
    let mut ends = ends();
    let (_session, _control, _server, listener) =
        connected(&mut ends, 0, listener, acceptor.clone(), root);
    let place = Place {
        is_utf8: true,
        process_id: 4711,
        secret_key: 42,
        server_version: String::new(),
        address: Address::Tcp(address),
        host: request("good.test", Vec::new()).host,
        share: 1,
        dbname: String::new(),
        user: String::new(),
        tls: Some("TLSv1.3".into()),
    };
    // Nothing is known of that connection.
    ends.cancel(0, 2, place.clone());
    ends.cancel(0, 1, place);
    let work = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        socket.read_exact(&mut request).unwrap();
        assert_eq!(request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
        socket.write_all(b"S").unwrap();
        let mut tls = acceptor.accept(socket).unwrap();
        let mut request = [0; 16];
        tls.read_exact(&mut request).unwrap();
        assert_eq!(
            request,
            [
                0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0x12, 0x67, 0, 0, 0, 42
            ]
        );
    });
    run_while(&mut ends, work);
}

#[test]
fn the_end_of_the_keeper_is_told_to_servers() {
    let (listener, acceptor, root) = server();
    let mut ends = ends();
    let (session, _control, mut server, _listener) =
        connected(&mut ends, 0, listener, acceptor, root);
    let mut sender = &session;
    sender.write_all(b"X\0\0\0\x04").unwrap();
    session.shutdown(Shutdown::Write).unwrap();
    ends.leave(&[0, 5], Duration::from_secs(60));
    drop(ends);
    let mut said = Vec::new();
    server.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"X\0\0\0\x04");
}
