//! Servers that are not to be trusted, or not any more, and versions of the protocol.

use openssl::ssl::SslVersion;

use crate::harness::*;
use crate::oracle::*;
use crate::relay::{Relay, through};

/// Connects with verification to a relay with that certificate.
fn verified(certificate: &'static str, more: &str) -> String {
    let (port, _) = Relay::new(certificate).start();
    let server = through(port, "good.test");
    format!(
        "{server} sslmode=verify-full sslrootcert={} {more}",
        file("ca.crt")
    )
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn bad_certificates() {
    let _turn = turn();
    assert_eq!(both(&verified("cn", "")).unwrap(), "plain");
    for (certificate, why) in [
        ("expired", "certificate has expired"),
        ("future", "certificate is not yet valid"),
        ("foreign", "unable to get local issuer certificate"),
        ("rsa512", "self-signed certificate"),
    ] {
        both_fail(
            &verified(certificate, ""),
            &format!("SSL error: certificate verify failed: {why}"),
        );
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn revoked_certificates() {
    let _turn = turn();
    let revoked = "SSL error: certificate verify failed: certificate revoked";
    assert_eq!(both(&verified("revoked", "")).unwrap(), "plain");
    for list in [
        format!("sslcrl={}", file("ca.crl")),
        format!("sslcrldir={}", file("crldir")),
    ] {
        both_fail(&verified("revoked", &list), revoked);
        assert_eq!(both(&verified("cn", &list)).unwrap(), "plain");
    }
    let empty = format!("sslcrl={}", file("empty.crl"));
    assert_eq!(both(&verified("revoked", &empty)).unwrap(), "plain");
    // One that is not there is no list, as documented; it matters only where there are authorities.
    let missing = format!("sslcrl={}", file("missing"));
    assert_eq!(both(&verified("revoked", &missing)).unwrap(), "plain");
    // What is no list is not passed over, which libpq does.
    std::fs::write(file("no.crl"), "no list\n").unwrap();
    let garbage = verified("revoked", &format!("sslcrl={}", file("no.crl")));
    assert_eq!(theirs(&garbage, "select 1").unwrap(), "1");
    fails(&garbage, "could not read certificate revocation list file");
    let directory = format!("sslcrl={}", file("crldir"));
    fails(&verified("revoked", &directory), "not a regular file");
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn versions() {
    let _turn = turn();
    let range = |min, max| Relay::new("cn").versions(min, max).start().0;
    let (old, new) = (
        range(SslVersion::TLS1_2, SslVersion::TLS1_2),
        range(SslVersion::TLS1_3, SslVersion::TLS1_3),
    );
    let hint =
        "This may indicate that the server does not support any SSL protocol version between ";
    for (port, limits, hinted) in [
        (old, "", None),
        (new, "", None),
        (old, "ssl_max_protocol_version=TLSv1.2", None),
        (
            new,
            "ssl_max_protocol_version=TLSv1.2",
            Some("TLSv1.2 and TLSv1.2."),
        ),
        (
            old,
            "ssl_min_protocol_version=TLSv1.3",
            Some("TLSv1.3 and TLSv1.3."),
        ),
        (new, "ssl_min_protocol_version=TLSv1.3", None),
        (
            new,
            "ssl_min_protocol_version=TLSv1.1 ssl_max_protocol_version=TLSv1.2",
            Some("TLSv1.1 and TLSv1.2."),
        ),
    ] {
        let connstr = format!("{} sslmode=require {limits}", through(port, "h"));
        match (both(&connstr), hinted) {
            (Ok(_), None) => {}
            (Err(error), Some(range)) => {
                assert!(error.ends_with(&format!("\n{hint}{range}")), "{error}");
            }
            (found, _) => panic!("{limits}: {found:?}"),
        }
    }
    let remote = remote();
    for (port, version) in [(old, "TLSv1.2"), (new, "TLSv1.3")] {
        let connstr = format!("{} sslmode=require", through(port, version));
        ours(&remote, &connstr, "select 1").unwrap();
        let known = remote.connections();
        let one = known.iter().find(|known| known.host == version).unwrap();
        assert_eq!(one.tls.as_deref(), Some(version));
    }
    ours(&remote, &without_tls(), "select 1").unwrap();
    assert!(remote.connections().iter().any(|known| known.tls.is_none()));
}
