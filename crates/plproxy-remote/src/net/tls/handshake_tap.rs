//! Whether the client has sent a certificate, by the records that it sends during the handshake.
//!
//! OpenSSL's own answer cannot be had without unsafe code. Up to TLS 1.2 the messages can be read. In TLS 1.3
//! they are encrypted, but each is a record of its own: `Finished` alone where the server did not ask for a certificate, an empty
//! `Certificate` before it where there was none to give, `Certificate` and `CertificateVerify` where there was one. Should
//! that ever be otherwise, fewer records are seen, and the connection is refused.

/// What became of the client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// The server did not ask.
    Unasked,
    /// The server asked and got none.
    NotSent,
    /// The server asked and got one.
    Sent,
}

const CHANGE_CIPHER: u8 = 20;
const HANDSHAKE: u8 = 22;
const ENCRYPTED: u8 = 23;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_VERIFY: u8 = 15;

/// What went out so far.
#[derive(Default)]
pub(super) struct HandshakeTap {
    record: Vec<u8>,
    ciphered: bool,
    encrypted: usize,
    asked: bool,
    proved: bool,
}

impl HandshakeTap {
    /// Looks at bytes that go out.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.record.extend_from_slice(bytes);
        while let Some((header, rest)) = self.record.split_first_chunk::<5>() {
            let [kind, _, _, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(body) = rest.get(..length) else {
                return;
            };
            match kind {
                CHANGE_CIPHER => self.ciphered = true,
                ENCRYPTED => self.encrypted += 1,
                // After the change of cipher there is `Finished` only, which cannot be read.
                HANDSHAKE if !self.ciphered => {
                    self.asked |= body.first() == Some(&CERTIFICATE);
                    self.proved |= body.first() == Some(&CERTIFICATE_VERIFY);
                }
                _ => {}
            }
            self.record.drain(..5 + length);
        }
    }

    /// What became of the certificate, once the handshake is over.
    pub(super) fn certificate(&self) -> Certificate {
        match self.encrypted {
            0 if self.proved => Certificate::Sent,
            0 if self.asked => Certificate::NotSent,
            0 | 1 => Certificate::Unasked,
            2 => Certificate::NotSent,
            _ => Certificate::Sent,
        }
    }
}
