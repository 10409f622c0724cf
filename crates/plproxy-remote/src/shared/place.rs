//! Where a connection leads, as bytes that other processes read.

use std::net::IpAddr;
use std::path::PathBuf;

use plproxy_core::conninfo::{Host, HostName};

use crate::net::address::Address;
use crate::shared::bytes::{Reader, Writer};

/// Where a connection leads: what stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// The session speaks UTF-8, where the host's encoding is another.
    pub(crate) is_utf8: bool,
    pub(crate) process_id: i32,
    pub(crate) secret_key: i32,
    pub(crate) server_version: String,
    pub(crate) address: Address,
    pub(crate) host: Host,
    /// Its share of a lifetime.
    pub(crate) share: u32,
    pub(crate) dbname: String,
    pub(crate) user: String,
    /// The version of TLS that protects it.
    pub(crate) tls: Option<String>,
}

impl Place {
    /// None where something cannot be written as text.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let mut out = Writer::default();
        out.number(u32::from(self.is_utf8));
        out.number(self.process_id.cast_unsigned());
        out.number(self.secret_key.cast_unsigned());
        out.text(&self.server_version);
        match &self.address {
            Address::Tcp(address) => {
                out.number(0);
                out.text(&address.to_string());
            }
            Address::Unix(path) => {
                out.number(1);
                out.text(path.to_str()?);
            }
        }
        match &self.host.name {
            _ if self.host.hidden => {
                out.number(0);
                out.text(&self.host.shown());
            }
            HostName::Name(name) => {
                out.number(0);
                out.text(name);
            }
            HostName::Unix(path) => {
                out.number(1);
                out.text(path.to_str()?);
            }
        }
        out.number(u32::from(self.host.named));
        let hostaddr = self.host.hostaddr.filter(|_| !self.host.hidden);
        out.maybe(hostaddr.map(|address| address.to_string()).as_deref());
        out.number(if self.host.hidden {
            0
        } else {
            u32::from(self.host.port)
        });
        out.number(u32::from(self.host.hidden));
        out.number(self.share);
        out.text(&self.dbname);
        out.text(&self.user);
        out.maybe(self.tls.as_deref());
        Some(out.bytes())
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Place> {
        let mut from = Reader::new(bytes);
        let is_utf8 = from.flag()?;
        let process_id = from.number()?.cast_signed();
        let secret_key = from.number()?.cast_signed();
        let server_version = from.text()?;
        let address = match from.number()? {
            0 => Address::Tcp(from.text()?.parse().ok()?),
            _ => Address::Unix(PathBuf::from(from.text()?)),
        };
        let name = match from.number()? {
            0 => HostName::Name(from.text()?),
            _ => HostName::Unix(PathBuf::from(from.text()?)),
        };
        let named = from.flag()?;
        let hostaddr = match from.maybe()? {
            Some(text) => Some(text.parse::<IpAddr>().ok()?),
            None => None,
        };
        let port = u16::try_from(from.number()?).ok()?;
        let hidden = from.flag()?;
        Some(Place {
            is_utf8,
            process_id,
            secret_key,
            server_version,
            address,
            host: Host {
                name,
                named,
                hostaddr,
                port,
                hidden,
                password: None,
            },
            share: from.number()?,
            dbname: from.text()?,
            user: from.text()?,
            tls: from.maybe()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_they_were() {
        for (address, name, hostaddr) in [
            (
                Address::Tcp("127.0.0.1:5432".parse().unwrap()),
                HostName::Name("db.example".into()),
                None,
            ),
            (
                Address::Tcp("[::1]:5433".parse().unwrap()),
                HostName::Name("::1".into()),
                Some("::1".parse().unwrap()),
            ),
            (
                Address::Unix("/tmp/.s.PGSQL.5432".into()),
                HostName::Unix("/tmp".into()),
                None,
            ),
        ] {
            let place = Place {
                is_utf8: true,
                process_id: 4711,
                secret_key: -5,
                server_version: "18.1 (Débian)".into(),
                address,
                host: Host {
                    name,
                    named: true,
                    hostaddr,
                    port: 5432,
                    hidden: false,
                    password: None,
                },
                share: 1000,
                dbname: "db".into(),
                user: "u".into(),
                tls: Some("TLSv1.3".into()),
            };
            let bytes = place.write().unwrap();
            assert_eq!(Place::read(&bytes), Some(place));
            assert_eq!(Place::read(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_written() {
        let place = Place {
            is_utf8: false,
            process_id: 1,
            secret_key: 2,
            server_version: String::new(),
            address: Address::Tcp("127.0.0.1:5432".parse().unwrap()),
            host: Host {
                name: HostName::Name("Sesame42".into()),
                named: true,
                hostaddr: None,
                port: 4242,
                hidden: true,
                password: None,
            },
            share: 1,
            dbname: "***".into(),
            user: "u".into(),
            tls: None,
        };
        let bytes = place.write().unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("Sesame42"));
        assert_eq!(Place::read(&bytes).unwrap().host.port, 0);
    }
}
