//! Whether a certificate names the host, by libpq's rules (its `fe-secure-common.c` and `fe-secure-openssl.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openssl::nid::Nid;
use openssl::x509::X509Ref;
use plproxy_core::conninfo::{Host, HostName};

use super::channel_binding::{any_element, element};

/// How much of a name is shown.
const SHOWN: usize = 200;

/// The host as it was written, if it was: an address given by `hostaddr` alone is not verified.
pub(super) fn written(host: &Host) -> Option<String> {
    match &host.name {
        _ if !host.named => None,
        HostName::Name(name) => Some(name.clone()),
        HostName::Unix(path) => Some(path.display().to_string()),
    }
}

/// Refuses a certificate that does not name the host.
pub(super) fn check(certificate: &X509Ref, host: &Host) -> Result<(), String> {
    let Some(name) = written(host) else {
        return Err("host name must be specified for a verified SSL connection".into());
    };
    let mut seen = Seen::default();
    if seen.matches(certificate, &name)? {
        return Ok(());
    }
    let host = host.shown();
    Err(match (seen.first, seen.count.saturating_sub(1)) {
        (None, _) => "could not get server's host name from server certificate".into(),
        (Some(first), 0) => {
            format!("server certificate for \"{first}\" does not match host name \"{host}\"")
        }
        (Some(first), others) => format!(
            "server certificate for \"{first}\" (and {others} other name{}) does not match host name \"{host}\"",
            if others == 1 { "" } else { "s" }
        ),
    })
}

/// The names that were compared.
#[derive(Default)]
struct Seen {
    first: Option<String>,
    count: usize,
}

impl Seen {
    fn matches(&mut self, certificate: &X509Ref, host: &str) -> Result<bool, String> {
        let ip = address(host);
        // The common name counts only where no alternative name of the host's own kind is there.
        let mut common_name = true;
        for name in certificate.subject_alt_names().iter().flatten() {
            let found = if let Some(dns) = name.dnsname() {
                common_name &= ip.is_some();
                self.name(dns.as_bytes(), host)?
            } else if let Some(octets) = name.ipaddress() {
                common_name &= ip.is_none();
                self.ip(octets, ip)?
            } else {
                // openssl does not give a DNS name that is not valid text, but it counts as one.
                common_name &= ip.is_some() || !has_dns_name(certificate);
                continue;
            };
            if found {
                return Ok(true);
            }
        }
        if !common_name {
            return Ok(false);
        }
        match certificate
            .subject_name()
            .entries_by_nid(Nid::COMMONNAME)
            .next()
        {
            Some(entry) => self.name(entry.data().as_slice(), host),
            None => Ok(false),
        }
    }

    fn name(&mut self, name: &[u8], host: &str) -> Result<bool, String> {
        // Otherwise `good.example\0.evil.example` would match its first half.
        if name.contains(&0) {
            return Err("SSL certificate's name contains embedded null".into());
        }
        self.examined(&String::from_utf8_lossy(name));
        Ok(name.eq_ignore_ascii_case(host.as_bytes()) || wildcard(name, host.as_bytes()))
    }

    fn ip(&mut self, octets: &[u8], host: Option<IpAddr>) -> Result<bool, String> {
        let ip = if let Ok(octets) = <[u8; 4]>::try_from(octets) {
            IpAddr::from(octets)
        } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
            IpAddr::from(octets)
        } else {
            return Err(format!(
                "certificate contains IP address with invalid length {}",
                octets.len()
            ));
        };
        self.examined(&ip.to_string());
        Ok(host == Some(ip))
    }

    fn examined(&mut self, name: &str) {
        self.count += 1;
        if self.first.is_none() {
            let printable = |char: char| if char.is_control() { '?' } else { char };
            self.first = Some(name.chars().take(SHOWN).map(printable).collect());
        }
    }
}

/// Whether there is a DNS name among the alternative names, whatever its bytes. What cannot be read may have one.
fn has_dns_name(certificate: &X509Ref) -> bool {
    let der = certificate.to_der().unwrap_or_default();
    alternative_names(&der).is_none_or(|names| elements(names).any(|(tag, _)| tag == 0x82))
}

/// The content of the extension: in `Certificate { tbs { …, [3] SEQUENCE { SEQUENCE { oid, [critical], OCTET STRING }, … } }, … }`.
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const OID: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x11];
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (tbs, _) = element(certificate, SEQUENCE)?;
    let (_, extensions) = elements(tbs).find(|(tag, _)| *tag == 0xa3)?;
    let (extensions, _) = element(extensions, SEQUENCE)?;
    let (_, extension) = elements(extensions).find(|(_, content)| content.starts_with(OID))?;
    let (_, value) = elements(extension).find(|(tag, _)| *tag == 0x04)?;
    element(value, SEQUENCE).map(|(names, _)| names)
}

/// The tags and contents of all elements in `der`.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = any_element(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// Whether `*.rest` stands for the name: the star is one whole label, the leftmost, and nothing else.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let Some(rest) = pattern.strip_prefix(b"*").filter(|rest| rest.len() > 1) else {
        return false;
    };
    if rest.first() != Some(&b'.') || pattern.len() > name.len() {
        return false;
    }
    let (label, end) = name.split_at(name.len() - rest.len());
    end.eq_ignore_ascii_case(rest) && !label.contains(&b'.')
}

/// The address that a host is, as `inet_aton` and `inet_pton` read it.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse::<Ipv6Addr>() {
        return Some(ip.into());
    }
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    // The last part fills the remaining bytes.
    let room = 32 - 8 * bytes.len() as u32;
    if room < 32 && *last >> room != 0 {
        return None;
    }
    let high = bytes
        .iter()
        .zip([24, 16, 8])
        .fold(0, |sum, (byte, shift)| sum | byte << shift);
    Some(Ipv4Addr::from(high | last).into())
}

/// A number as C writes it: decimal, octal or hexadecimal.
fn number(text: &str) -> Option<u32> {
    if !text.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with(|char: char| char.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::{Asn1Object, Asn1OctetString};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509Extension, X509Name};

    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*.example.com", "a.example.com", true),
            ("*.EXAMPLE.com", "A.example.COM", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("a*.example.com", "ab.example.com", false),
            ("*", "com", false),
            ("*.", "a.", false),
            ("*.com", "example.com", true),
            ("a.*.com", "a.b.com", false),
        ] {
            let found = wildcard(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("127.1", Some("127.0.0.1")),
            ("0x7f.1", Some("127.0.0.1")),
            ("0177.0.0.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("127.0.0.256", None),
            ("1.2.3.4.5", None),
            ("127.0.0.1.", None),
            ("+1.2.3.4", None),
            ("0x", None),
            ("", None),
            ("example.com", None),
            ("::1", Some("::1")),
            ("fe80::1%eth0", None),
        ] {
            let expected: Option<IpAddr> = expected.map(|text| text.parse().unwrap());
            assert_eq!(address(text), expected, "{text}");
        }
    }

    /// A certificate with a common name and that alternative name, in DER.
    fn certificate(common_name: &str, alternative: &[u8]) -> X509 {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, common_name)
            .unwrap();
        let mut names = vec![0x30, alternative.len() as u8];
        names.extend_from_slice(alternative);
        let names = Asn1OctetString::new_from_bytes(&names).unwrap();
        let oid = Asn1Object::from_str("2.5.29.17").unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        builder
            .append_extension(X509Extension::new_from_der(&oid, false, &names).unwrap())
            .unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        builder.build()
    }

    #[test]
    fn a_name_that_is_no_text_is_a_name() {
        for (alternative, alone) in [
            (&b"\x82\x01a"[..], false),
            (b"\x82\x01\xff", false),
            (b"\x87\x04\x7f\0\0\x01", true),
            // An address for mail that is no text.
            (b"\x81\x01\xff", true),
            (b"\x88\x01\x2a", true),
        ] {
            let certificate = certificate("good.test", alternative);
            let found = Seen::default().matches(&certificate, "good.test");
            assert_eq!(found, Ok(alone), "{alternative:?}");
        }
    }
}
