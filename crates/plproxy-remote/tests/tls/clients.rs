//! The client's own certificate and key.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::*;
use crate::oracle::*;
use crate::relay::{Relay, through};

fn client(cert: &str, key: &str, more: &str) -> String {
    format!(
        "{} sslmode=require sslcert={} sslkey={} {more}",
        with_tls("cert_user"),
        file(cert),
        file(key)
    )
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn a_certificate_is_a_login() {
    let _turn = turn();
    for key in ["client.key", "client.der"] {
        assert_eq!(both(&client("client.crt", key, "")).unwrap(), "TLSv1.3");
    }
    let encrypted = client("client.crt", "client-enc.key", "sslpassword='open sesame'");
    assert_eq!(both(&encrypted).unwrap(), "TLSv1.3");
    assert!(both(&format!("{} sslmode=require", with_tls("cert_user"))).is_err());
    // Signed by somebody whom the server does not know. It says so after the handshake, and hangs up, which may overtake
    // its words.
    for _ in 0..10 {
        let error = ours(
            &remote(),
            &client("stranger.crt", "stranger.key", ""),
            PROTECTION,
        )
        .unwrap_err();
        assert!(
            [
                "SSL error: tlsv1 alert unknown ca",
                "Connection reset by peer"
            ]
            .iter()
            .any(|words| error.ends_with(words)),
            "{error}"
        );
    }
    // And of another user.
    both_fail(
        &client("nobody.crt", "nobody.key", ""),
        "certificate authentication failed for user \"cert_user\"",
    );
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn bad_keys() {
    let _turn = turn();
    let missing = client("missing", "client.key", "");
    both_fail(&missing, "connection requires a valid client certificate");
    let wrong = client("client.crt", "client-enc.key", "sslpassword=hunter2");
    both_fail(&wrong, "could not load private key file");
    assert!(!both(&wrong).unwrap_err().contains("hunter2"));
    // libpq would ask at a terminal.
    fails(
        &client("client.crt", "client-enc.key", ""),
        "could not load private key file",
    );
    let rule = "has group or world access; file must have permissions u=rw (0600) or less";
    both_fail(&client("client.crt", "client-open.key", ""), rule);
    both_fail(&client("client.crt", "client-group.key", ""), rule);
    // 0640 is for keys that root owns.
    let shared = file("shared.key");
    fs::copy(file("client.key"), &shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o640)).unwrap();
    let root = fs::metadata(&shared)
        .map(|file| std::os::unix::fs::MetadataExt::uid(&file))
        .unwrap()
        == 0;
    match both(&client("client.crt", "shared.key", "")) {
        Ok(_) => assert!(root),
        Err(error) => assert!(!root && error.contains(rule), "{error}"),
    }
    if root {
        std::os::unix::fs::chown(&shared, Some(65534), None).unwrap();
        both_fail(&client("client.crt", "shared.key", ""), rule);
    }
    fs::remove_file(&shared).unwrap();
    both_fail(
        &client("client.crt", "cn.key", ""),
        "cn.key\": key values mismatch",
    );
    both_fail(
        &client("client.crt", "missing", ""),
        "certificate present, but not private key file",
    );
    both_fail(&client("client.crt", "crldir", ""), "is not a regular file");
    both_fail(&client("client.crt", "client.crt", ""), "private key file");
    both_fail(
        &client("client.key", "client.key", ""),
        "could not read certificate file",
    );
    fails(
        &client("client.crt", "client.key", "sslkey='pkcs11:pin-value=1234'"),
        "sslkey names a key of an OpenSSL engine, which is not supported",
    );
    // The weakest mode that has TLS goes on without, as with any failure.
    let weak = format!(
        "{} sslmode=prefer sslcert={} sslkey={}",
        with_tls("any"),
        file("client.crt"),
        file("client-open.key")
    );
    assert_eq!(both(&weak).unwrap(), "plain");
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn whether_to_show_it() {
    use openssl::ssl::SslVersion;
    let _turn = turn();
    // libpq 15 has no such keyword.
    fails(
        &client("client.crt", "client.key", "sslcertmode=disable"),
        "connection requires a valid client certificate",
    );
    let login = client("client.crt", "client.key", "sslcertmode=require");
    assert_eq!(ours(&remote(), &login, PROTECTION).unwrap(), "TLSv1.3");
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let relay = Relay::new("cn").versions(version, version);
        let (silent, asking) = (relay.clone().start().0, relay.asks().start().0);
        let shown = |port, more: &str| {
            let connstr = format!(
                "{} sslmode=require sslcertmode=require {more}",
                through(port, "h")
            );
            ours(&remote(), &connstr, "select 'in'")
        };
        let cert = format!(
            "sslcert={} sslkey={}",
            file("client.crt"),
            file("client.key")
        );
        assert_eq!(shown(asking, &cert).unwrap(), "in");
        let error = shown(asking, "").unwrap_err();
        assert!(
            error.contains("server accepted connection without a valid SSL certificate"),
            "{error}"
        );
        for more in ["", &cert] {
            let error = shown(silent, more).unwrap_err();
            assert!(
                error.contains("server did not request an SSL certificate"),
                "{error}"
            );
        }
    }
    fails(
        &format!("{} sslcertmode=require", without_tls()),
        "server did not request an SSL certificate",
    );
}
