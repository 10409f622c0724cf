//! Real TLS in front of the server without: with any certificate and any manners.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::{
    AlpnError, NameType, Ssl, SslAcceptor, SslContext, SslFiletype, SslMethod, SslStream,
    SslVerifyMode, SslVersion, select_next_proto,
};
use plproxy_core::conninfo::parse;

use crate::oracle::{file, without_tls};

const REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What a relay saw.
#[derive(Default)]
pub struct Seen {
    pub tls: AtomicU32,
    pub plain: AtomicU32,
    pub cancels: AtomicU32,
    /// Sessions that the client ended as one should.
    pub farewells: AtomicU32,
    pub names: Mutex<Vec<Option<String>>>,
}

/// A relay to be started.
#[derive(Clone)]
pub struct Relay {
    certificate: &'static str,
    versions: (SslVersion, SslVersion),
    direct: bool,
    protocol: Option<&'static [u8]>,
    asks: bool,
    flood: Option<&'static [u8]>,
}

impl Relay {
    pub fn new(certificate: &'static str) -> Relay {
        Relay {
            certificate,
            versions: (SslVersion::TLS1_2, SslVersion::TLS1_3),
            direct: false,
            protocol: None,
            asks: false,
            flood: None,
        }
    }

    /// Instead of the server's answers the first statement gets this message, again and again.
    pub fn floods(self, message: &'static [u8]) -> Relay {
        Relay {
            flood: Some(message),
            ..self
        }
    }

    pub fn versions(self, min: SslVersion, max: SslVersion) -> Relay {
        Relay {
            versions: (min, max),
            ..self
        }
    }

    /// No request is awaited; the protocol to agree on, with its length before it.
    pub fn direct(self, protocol: Option<&'static [u8]>) -> Relay {
        Relay {
            direct: true,
            protocol,
            ..self
        }
    }

    /// The client is asked for a certificate, which may be none.
    pub fn asks(self) -> Relay {
        Relay { asks: true, ..self }
    }

    fn context(&self) -> SslContext {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        builder
            .set_certificate_chain_file(file(&format!("{}.crt", self.certificate)))
            .unwrap();
        let key = file(&format!("{}.key", self.certificate));
        builder.set_private_key_file(key, SslFiletype::PEM).unwrap();
        builder
            .set_min_proto_version(Some(self.versions.0))
            .unwrap();
        builder
            .set_max_proto_version(Some(self.versions.1))
            .unwrap();
        builder.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
        if let Some(protocol) = self.protocol {
            builder.set_alpn_select_callback(move |_, client| {
                select_next_proto(protocol, client).ok_or(AlpnError::NOACK)
            });
        }
        if self.asks {
            builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
        builder.build().into_context()
    }

    /// Starts it; its port.
    pub fn start(self) -> (u16, Arc<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let (context, counts) = (self.context(), seen.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (context, relay, seen) = (context.clone(), self.clone(), counts.clone());
                std::thread::spawn(move || relay.serve(client, &context, &seen));
            }
        });
        (port, seen)
    }

    fn serve(&self, mut client: TcpStream, context: &SslContext, seen: &Seen) {
        client.set_nodelay(true).unwrap();
        if !self.direct {
            let mut request = [0; 8];
            if client.read_exact(&mut request).is_err() {
                return;
            }
            if request != REQUEST {
                seen.plain.fetch_add(1, SeqCst);
                return;
            }
            if client.write_all(b"S").is_err() {
                return;
            }
        }
        let Ok(mut tls) = SslStream::new(Ssl::new(context).unwrap(), client) else {
            return;
        };
        if tls.accept().is_err() {
            return;
        }
        seen.tls.fetch_add(1, SeqCst);
        let name = tls.ssl().servername(NameType::HOST_NAME);
        seen.names.lock().unwrap().push(name.map(str::to_owned));
        if let Some(message) = self.flood {
            return flood(tls, message);
        }
        let params = parse(&without_tls()).unwrap();
        let port: u16 = params.get("port").unwrap().parse().unwrap();
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
            return;
        };
        server.set_nodelay(true).unwrap();
        pass_on(tls, server, seen);
    }
}

/// Greets as a server does, and says the same without end from the first statement on.
fn flood(mut tls: SslStream<TcpStream>, message: &[u8]) {
    const GREETING: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x07Z\0\0\0\x05I";
    let mut buffer = [0; 1024];
    let much = message.repeat(16 * 1024 / message.len());
    let begun = tls.ssl_read(&mut buffer).is_ok()
        && tls.write_all(GREETING).is_ok()
        && tls.ssl_read(&mut buffer).is_ok();
    while begun && tls.write_all(&much).is_ok() {}
}

/// Passes on what either side says, until one is done.
fn pass_on(mut tls: SslStream<TcpStream>, mut server: TcpStream, seen: &Seen) {
    let short = Some(Duration::from_millis(1));
    tls.get_ref().set_read_timeout(short).unwrap();
    server.set_read_timeout(short).unwrap();
    let mut buffer = vec![0; 16 * 1024];
    let mut fresh = true;
    loop {
        match tls.ssl_read(&mut buffer) {
            Ok(length) => {
                let bytes = &buffer[..length];
                if fresh && bytes.starts_with(&[0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e]) {
                    seen.cancels.fetch_add(1, SeqCst);
                }
                fresh = false;
                if bytes.ends_with(b"X\0\0\0\x04") {
                    seen.farewells.fetch_add(1, SeqCst);
                }
                if server.write_all(bytes).is_err() {
                    break;
                }
            }
            Err(error) if is_pause(error.io_error()) => {}
            Err(_) => break,
        }
        match server.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                if tls.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            Err(error) if is_pause(Some(&error)) => {}
            Err(_) => break,
        }
    }
    let _ = tls.shutdown();
    let _ = tls.get_ref().shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn is_pause(error: Option<&std::io::Error>) -> bool {
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Through the relay on that port, by that name.
pub fn through(port: u16, host: &str) -> String {
    format!(
        "{} host={host} hostaddr=127.0.0.1 port={port}",
        without_tls()
    )
}
