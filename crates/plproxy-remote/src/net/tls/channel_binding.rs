//! Channel binding of the type `tls-server-end-point`: a hash of the server's certificate, made as RFC 5929 says.

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509Ref;

/// The hash, by the algorithm that the certificate is signed with; or why there is none, in libpq's words.
pub(super) fn end_point(certificate: &X509Ref) -> Result<Vec<u8>, String> {
    let signature = certificate.signature_algorithm().object().nid();
    let algorithm = if signature == Nid::RSASSAPSS {
        let der = certificate.to_der().unwrap_or_default();
        pss_digest(&der)
            .ok_or("could not determine server certificate signature algorithm".to_owned())?
    } else {
        signature
            .signature_algorithms()
            .map_or(Nid::UNDEF, |algorithms| algorithms.digest)
    };
    let digest = match algorithm {
        // RFC 5929 replaces MD5 and SHA-1 by SHA-256.
        Nid::MD5 | Nid::SHA1 => Some(MessageDigest::sha256()),
        other => MessageDigest::from_nid(other),
    };
    let digest = digest.ok_or_else(|| {
        let name = algorithm.short_name().unwrap_or("UNDEF");
        format!("could not find digest for NID {name}")
    })?;
    let hash = certificate.digest(digest);
    hash.map(|hash| hash.to_vec())
        .map_err(|_| "could not generate peer certificate hash".into())
}

/// RSA-PSS has its hash algorithm in the parameters: `Certificate { tbs, SEQUENCE { oid, SEQUENCE { [0] SEQUENCE { oid,
/// … }, … } }, … }`, in DER.
fn pss_digest(certificate: &[u8]) -> Option<Nid> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT: u8 = 0x06;
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (_, rest) = element(algorithm, OBJECT)?;
    let (parameters, _) = element(rest, SEQUENCE)?;
    let Some((hash, _)) = element(parameters, 0xa0) else {
        // Left out, it is SHA-1.
        return Some(Nid::SHA1);
    };
    let (hash, _) = element(hash, SEQUENCE)?;
    let (object, _) = element(hash, OBJECT)?;
    match object.strip_prefix(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02]) {
        Some([1]) => Some(Nid::SHA256),
        Some([2]) => Some(Nid::SHA384),
        Some([3]) => Some(Nid::SHA512),
        Some([4]) => Some(Nid::SHA224),
        _ if object == [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Nid::SHA1),
        _ => None,
    }
}

/// The content of the element that `der` begins with, if it has that tag, and what follows it.
pub(super) fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any_element(der)
        .filter(|(first, _, _)| *first == tag)
        .map(|(_, content, rest)| (content, rest))
}

/// The tag and the content of the element that `der` begins with, and what follows it.
pub(super) fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let tagged = |(content, rest)| (*tag, content, rest);
    if *length < 0x80 {
        return rest.split_at_checked(usize::from(*length)).map(tagged);
    }
    let (digits, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
    if digits.len() > 4 {
        return None;
    }
    let length = digits
        .iter()
        .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    rest.split_at_checked(length).map(tagged)
}
