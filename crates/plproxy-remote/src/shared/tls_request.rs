//! What a session asks the keeper for, to be the end of a connection's TLS, and what it is told: as bytes.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use openssl::sha::sha256;
use plproxy_core::conninfo::{Host, HostName, TlsMode, TlsNegotiation, TlsVersion};
use plproxy_core::room::copy;

use crate::net::tls::handshake_tap::Certificate;
use crate::net::tls::material::{LIMIT, Material, Root};
use crate::net::tls::protection::TlsFacts;
use crate::shared::bytes::{Reader, Writer};

/// The most that a request holds: three files' worth, a key, and names.
pub(crate) const LONGEST_REQUEST: usize = 4 * LIMIT;
/// The same of an answer.
pub(crate) const LONGEST_ANSWER: usize = 64 * 1024;

/// With whom to do the handshake, and how.
#[derive(Debug, PartialEq)]
pub(crate) struct TlsRequest {
    pub(crate) host: Host,
    pub(crate) material: Material,
}

/// What is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// The handshake is done, and a socket comes with this.
    Done(TlsFacts),
    /// It has failed.
    Failed(String),
    /// It could not be done for a reason that has to do with no server.
    Unable(String),
    /// The connection has ended since.
    Lost { number: i32, words: String },
}

const MODES: &[TlsMode] = &[
    TlsMode::Disable,
    TlsMode::Allow,
    TlsMode::Prefer,
    TlsMode::Require,
    TlsMode::VerifyCa,
    TlsMode::VerifyFull,
];
const VERSIONS: &[Option<TlsVersion>] = &[
    None,
    Some(TlsVersion::V1_0),
    Some(TlsVersion::V1_1),
    Some(TlsVersion::V1_2),
    Some(TlsVersion::V1_3),
];
const CERTIFICATES: &[Certificate] = &[
    Certificate::Unasked,
    Certificate::NotSent,
    Certificate::Sent,
];

/// A value's place in a list of all.
fn number_of<T: PartialEq>(all: &[T], value: &T) -> u32 {
    let place = all.iter().position(|one| one == value);
    place.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
}

fn value_of<T: Copy>(all: &[T], number: u32) -> Option<T> {
    all.get(usize::try_from(number).ok()?).copied()
}

fn maybe_piece(out: &mut Writer, piece: Option<&[u8]>) {
    out.number(u32::from(piece.is_some()));
    out.piece(piece.unwrap_or_default());
}

fn read_maybe_piece(from: &mut Reader<'_>) -> Option<Option<Vec<u8>>> {
    let is_there = from.flag()?;
    let piece = copy(from.piece()?).ok()?;
    Some(is_there.then_some(piece))
}

/// Bytes that hold a private key: none of them is left behind.
pub(crate) struct Secret(pub(crate) Vec<u8>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
    }
}

impl TlsRequest {
    /// None where there is no memory for it.
    pub(crate) fn write(&self) -> Option<Secret> {
        let Material {
            mode,
            negotiation,
            sni,
            min_protocol,
            max_protocol,
            root,
            revoked,
            certificate,
            key,
        } = &self.material;
        let root = match root {
            Root::None => (0, &[][..]),
            Root::System => (1, &[][..]),
            Root::File(content) => (2, content.as_slice()),
        };
        let pieces = [
            root.1.len(),
            revoked.as_ref().map_or(0, Vec::len),
            certificate.as_ref().map_or(0, Vec::len),
            key.len(),
        ];
        let name = match &self.host.name {
            HostName::Name(name) => (0, name.as_bytes()),
            HostName::Unix(path) => (1, path.as_os_str().as_bytes()),
        };
        // So that no piece of a key is left behind where the bytes were before they grew.
        let mut out = Writer::of(pieces.iter().sum::<usize>() + name.1.len() + 256)?;
        out.number(number_of(MODES, mode));
        out.number(u32::from(*negotiation == TlsNegotiation::Direct));
        out.number(u32::from(*sni));
        out.number(number_of(VERSIONS, min_protocol));
        out.number(number_of(VERSIONS, max_protocol));
        out.number(root.0);
        out.piece(root.1);
        maybe_piece(&mut out, revoked.as_deref());
        maybe_piece(&mut out, certificate.as_deref());
        out.piece(key);
        out.number(name.0);
        out.piece(name.1);
        out.number(u32::from(self.host.named));
        let hostaddr = self.host.hostaddr.map(|address| address.to_string());
        out.maybe(hostaddr.as_deref());
        out.number(u32::from(self.host.port));
        out.number(u32::from(self.host.hidden));
        Some(Secret(out.bytes()))
    }

    /// With a hash of all that makes a context.
    pub(crate) fn read(bytes: &[u8]) -> Option<(TlsRequest, [u8; 32])> {
        let mut from = Reader::new(bytes);
        let mode = value_of(MODES, from.number()?)?;
        let negotiation = match from.flag()? {
            true => TlsNegotiation::Direct,
            false => TlsNegotiation::Postgres,
        };
        let sni = from.flag()?;
        let min_protocol = value_of(VERSIONS, from.number()?)?;
        let max_protocol = value_of(VERSIONS, from.number()?)?;
        let kind = from.number()?;
        let content = from.piece()?;
        let root = match kind {
            0 => Root::None,
            1 => Root::System,
            _ => Root::File(copy(content).ok()?),
        };
        let material = Material {
            mode,
            negotiation,
            sni,
            min_protocol,
            max_protocol,
            root,
            revoked: read_maybe_piece(&mut from)?,
            certificate: read_maybe_piece(&mut from)?,
            key: copy(from.piece()?).ok()?,
        };
        let digest = sha256(bytes.get(..bytes.len() - from.left())?);
        let is_name = from.number()? == 0;
        let name = copy(from.piece()?).ok()?;
        let name = if is_name {
            HostName::Name(String::from_utf8(name).ok()?)
        } else {
            HostName::Unix(PathBuf::from(OsStr::from_bytes(&name)))
        };
        let named = from.flag()?;
        let hostaddr = match from.maybe()? {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        let request = TlsRequest {
            host: Host {
                name,
                named,
                hostaddr,
                port: u16::try_from(from.number()?).ok()?,
                hidden: from.flag()?,
                password: None,
            },
            material,
        };
        Some((request, digest))
    }
}

impl Answer {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Answer::Done(facts) => {
                out.number(0);
                out.text(&facts.version);
                out.number(number_of(CERTIFICATES, &facts.certificate));
                match &facts.binding {
                    Ok(hash) => {
                        out.number(1);
                        out.piece(hash);
                    }
                    Err(words) => {
                        out.number(0);
                        out.text(words);
                    }
                }
            }
            Answer::Failed(words) => {
                out.number(1);
                out.text(words);
            }
            Answer::Unable(words) => {
                out.number(2);
                out.text(words);
            }
            Answer::Lost { number, words } => {
                out.number(3);
                out.number(number.cast_unsigned());
                out.text(words);
            }
        }
        out.bytes()
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Answer> {
        let mut from = Reader::new(bytes);
        match from.number()? {
            0 => Some(Answer::Done(TlsFacts {
                version: from.text()?,
                certificate: value_of(CERTIFICATES, from.number()?)?,
                binding: if from.flag()? {
                    Ok(copy(from.piece()?).ok()?)
                } else {
                    Err(from.text()?)
                },
            })),
            1 => Some(Answer::Failed(from.text()?)),
            2 => Some(Answer::Unable(from.text()?)),
            3 => Some(Answer::Lost {
                number: from.number()?.cast_signed(),
                words: from.text()?,
            }),
            _ => None,
        }
    }

    /// That of an error.
    pub(crate) fn lost(error: &io::Error) -> Answer {
        Answer::Lost {
            number: error.raw_os_error().unwrap_or(0),
            words: error.to_string(),
        }
    }

    /// The error again.
    pub(crate) fn error(self) -> Option<io::Error> {
        match self {
            Answer::Lost { number: 0, words } => {
                Some(io::Error::new(io::ErrorKind::InvalidData, words))
            }
            Answer::Lost { number, .. } => Some(io::Error::from_raw_os_error(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_they_were() {
        for (root, revoked, certificate, name, hostaddr) in [
            (Root::None, None, None, HostName::Name("::1".into()), None),
            (
                Root::System,
                Some(Vec::new()),
                Some(b"certificate".to_vec()),
                HostName::Unix("/tmp".into()),
                Some("::1".parse().unwrap()),
            ),
            (
                Root::File(vec![7; 300_000]),
                Some(vec![8; 10]),
                None,
                HostName::Name("db.example".into()),
                Some("127.0.0.1".parse().unwrap()),
            ),
        ] {
            let request = TlsRequest {
                host: Host {
                    name,
                    named: true,
                    hostaddr,
                    port: 5432,
                    hidden: true,
                    password: None,
                },
                material: Material {
                    mode: TlsMode::VerifyFull,
                    negotiation: TlsNegotiation::Direct,
                    sni: true,
                    min_protocol: Some(TlsVersion::V1_2),
                    max_protocol: None,
                    root,
                    revoked,
                    certificate,
                    key: b"key".to_vec(),
                },
            };
            let Secret(bytes) = &request.write().unwrap();
            let (read, _) = TlsRequest::read(bytes).unwrap();
            assert_eq!(read, request);
            assert!(TlsRequest::read(&bytes[..bytes.len() - 1]).is_none());
            assert!(!format!("{request:?}").contains("107, 101, 121"));
        }
    }

    #[test]
    fn answers_are_what_they_were() {
        for answer in [
            Answer::Done(TlsFacts {
                version: "TLSv1.3".into(),
                certificate: Certificate::Sent,
                binding: Ok(vec![1; 32]),
            }),
            Answer::Done(TlsFacts {
                version: "TLSv1.2".into(),
                certificate: Certificate::NotSent,
                binding: Err("none".into()),
            }),
            Answer::Failed("why".into()),
            Answer::Unable("why".into()),
            Answer::Lost {
                number: 104,
                words: String::new(),
            },
        ] {
            let bytes = answer.write();
            assert_eq!(Answer::read(&bytes).as_ref(), Some(&answer));
            assert_eq!(Answer::read(&bytes[..bytes.len() - 1]), None);
        }
    }
}
