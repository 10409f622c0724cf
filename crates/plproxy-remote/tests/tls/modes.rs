//! `sslmode`, against servers of every kind, and what may be lacking.

use std::fs;
use std::path::PathBuf;

use crate::harness::*;
use crate::oracle::*;
use crate::relay::{Relay, through};

const MODES: &[&str] = &[
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn every_mode_against_every_server() {
    let _turn = turn();
    let mut seen = Vec::new();
    let root = file("ca.crt");
    for mode in MODES {
        let tls = format!("sslmode={mode} sslrootcert={root} host=good.test hostaddr=127.0.0.1");
        let mut row = vec![*mode];
        for (user, short) in [("ssl_only", "s"), ("plain_only", "p"), ("any", "a")] {
            row.push(
                match both(&format!("{} {tls}", with_tls(user))).as_deref() {
                    Ok("plain") => "plain",
                    Ok("TLSv1.3") => "tls",
                    Ok(other) => panic!("{other} {short}"),
                    Err(_) => "-",
                },
            );
        }
        row.push(match both(&format!("{} {tls}", without_tls())).as_deref() {
            Ok("plain") => "plain",
            Ok(other) => panic!("{other}"),
            Err(_) => "-",
        });
        // Both ways fail, and both are told.
        both(&format!("{} {tls}", with_tls("rejected"))).unwrap_err();
        seen.push(row.join(" "));
    }
    assert_eq!(
        seen,
        [
            "disable - plain plain plain",
            "allow tls plain plain plain",
            "prefer tls plain tls plain",
            "require tls - tls -",
            "verify-ca tls - tls -",
            "verify-full tls - tls -",
        ]
    );
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn both_failures_are_told() {
    let _turn = turn();
    for mode in ["allow", "prefer"] {
        let connstr = format!("{} sslmode={mode}", with_tls("rejected"));
        let error = both(&connstr).unwrap_err();
        assert!(
            error.contains("SSL encryption") && error.contains("no encryption"),
            "{error}"
        );
        assert_eq!(error.lines().count(), 2, "{error}");
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn authorities() {
    let _turn = turn();
    let garbage = file("garbage");
    fs::write(&garbage, "no certificate\n").unwrap();
    let missing = file("missing");
    for mode in MODES {
        for root in ["ca.crt", "other-ca.crt", "both.crt", "garbage", "missing"] {
            let connstr = format!(
                "{} sslmode={mode} sslrootcert={} host=good.test hostaddr=127.0.0.1",
                with_tls("any"),
                file(root)
            );
            let found = both(&connstr);
            let expected = match (*mode, root) {
                ("disable" | "allow", _) => Ok("plain"),
                (_, "ca.crt" | "both.crt") => Ok("TLSv1.3"),
                // A root file that is there counts in every mode, and then the weak one goes on without TLS.
                ("prefer", "other-ca.crt" | "garbage") => Ok("plain"),
                ("prefer" | "require", "missing") => Ok("TLSv1.3"),
                (_, "other-ca.crt") => Err("SSL error: certificate verify failed: "),
                (_, "garbage") => Err("could not read root certificate file"),
                _ => Err("does not exist\nEither provide the file"),
            };
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{mode} {root}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{mode} {root}: {found:?}, not {expected:?}"),
            }
        }
    }
    fs::remove_file(&garbage).unwrap();
    assert!(!fs::exists(&missing).unwrap());
    let directory = format!(
        "{} sslmode=verify-ca sslrootcert={}",
        with_tls("any"),
        file("crldir")
    );
    fails(&directory, "\": not a regular file");
    // A changed file counts from the next connection on, also where others made by the old one live.
    let changing = file("changing.crt");
    fs::copy(file("ca.crt"), &changing).unwrap();
    let remote = remote();
    let verified = format!(
        "{} sslmode=verify-ca sslrootcert={changing}",
        with_tls("any")
    );
    let first = endpoint(&remote, "first", &verified);
    assert_eq!(ask(&remote, &first, PROTECTION), "TLSv1.3");
    fs::copy(file("other-ca.crt"), &changing).unwrap();
    let error = ours(&remote, &verified, PROTECTION).unwrap_err();
    assert!(error.contains("certificate verify failed"), "{error}");
    assert_eq!(ask(&remote, &first, PROTECTION), "TLSv1.3");
}

/// The user's own directory, for as long as the test runs.
struct Defaults(PathBuf);

impl Defaults {
    fn new() -> Defaults {
        let dir = PathBuf::from(variable("HOME")).join(".postgresql");
        fs::create_dir(&dir).unwrap();
        Defaults(dir)
    }

    fn put(&self, from: &str, name: &str) {
        fs::copy(file(from), self.0.join(name)).unwrap();
    }
}

impl Drop for Defaults {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn default_files() {
    let _turn = turn();
    let defaults = Defaults::new();
    let named = |user, mode| {
        let server = with_tls(user);
        both(&format!(
            "{server} sslmode={mode} host=good.test hostaddr=127.0.0.1"
        ))
    };
    assert!(
        named("any", "verify-ca")
            .unwrap_err()
            .contains("root.crt\" does not exist")
    );
    assert_eq!(named("any", "require").unwrap(), "TLSv1.3");
    defaults.put("other-ca.crt", "root.crt");
    // So require means verify-ca.
    let error = named("any", "require").unwrap_err();
    assert!(error.contains("certificate verify failed"), "{error}");
    defaults.put("ca.crt", "root.crt");
    assert_eq!(named("any", "verify-full").unwrap(), "TLSv1.3");
    assert!(named("cert_user", "require").is_err());
    defaults.put("client.crt", "postgresql.crt");
    let error = named("cert_user", "require").unwrap_err();
    assert!(error.contains("but not private key file"), "{error}");
    defaults.put("client.key", "postgresql.key");
    assert_eq!(named("cert_user", "require").unwrap(), "TLSv1.3");
    defaults.put("all.crl", "root.crl");
    let error = named("any", "require").unwrap_err();
    assert!(error.contains("certificate revoked"), "{error}");
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn the_systems_authorities() {
    let _turn = turn();
    // libpq 15 knows no such value. `SSL_CERT_FILE` makes our authority the system's.
    assert_eq!(variable("SSL_CERT_FILE"), file("ca.crt"));
    let system = format!("{} sslrootcert=system hostaddr=127.0.0.1", with_tls("any"));
    let good = format!("{system} host=good.test");
    assert_eq!(ours(&remote(), &good, PROTECTION).unwrap(), "TLSv1.3");
    fails(
        &format!("{system} host=bad.test"),
        "does not match host name \"bad.test\"",
    );
    fails(
        &format!("{system} sslmode=require"),
        "weak sslmode \"require\" may not be used with sslrootcert=system",
    );
    let (port, _) = Relay::new("foreign").start();
    let foreign = format!("{} sslrootcert=system", through(port, "good.test"));
    fails(&foreign, "SSL error: certificate verify failed: ");
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn gss_is_not_offered() {
    let _turn = turn();
    fails(
        &format!("{} gssencmode=require", with_tls("any")),
        "gssencmode value \"require\" is not supported",
    );
    for mode in ["disable", "prefer"] {
        let connstr = format!("{} gssencmode={mode} krbsrvname=x", with_tls("any"));
        assert_eq!(both(&connstr).unwrap(), "TLSv1.3");
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn unix_sockets_have_none() {
    let _turn = turn();
    let directory = variable("PLPROXY_TEST_SOCKET");
    for mode in MODES {
        let connstr = format!("{} sslmode={mode} host={directory}", with_tls("any"));
        assert_eq!(both(&connstr).unwrap(), "plain", "{mode}");
    }
    let me = variable("PLPROXY_TEST_SERVER_USER");
    let connstr = format!("{} host={directory}", with_tls("any"));
    assert_eq!(
        both(&format!("{connstr} requirepeer={me}")).unwrap(),
        "plain"
    );
    both_fail(
        &format!("{connstr} requirepeer=no_such_user"),
        &format!("requirepeer specifies \"no_such_user\", but actual peer user name is \"{me}\""),
    );
    // Of no meaning over TCP.
    let tcp = format!("{} requirepeer=no_such_user", with_tls("any"));
    assert_eq!(both(&tcp).unwrap(), "TLSv1.3");
}
