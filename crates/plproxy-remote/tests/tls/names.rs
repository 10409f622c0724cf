//! `verify-full`: which names a certificate stands for.

use crate::harness::*;
use crate::oracle::*;
use crate::relay::{Relay, through};

fn check(certificate: &'static str, hosts: &[(&str, &str)]) {
    let (port, _) = Relay::new(certificate).start();
    let verified = format!("sslmode=verify-full sslrootcert={}", file("ca.crt"));
    for (host, words) in hosts {
        let connstr = format!("{} {verified}", through(port, host));
        match both_ask(&connstr, "select 'in'") {
            Ok(_) => assert_eq!(*words, "", "{certificate} {host}"),
            Err(error) => assert!(
                !words.is_empty() && error.contains(words),
                "{certificate} {host}: {error}"
            ),
        }
        // Only the name is wrong.
        let weaker = connstr.replace("verify-full", "verify-ca");
        assert_eq!(both_ask(&weaker, "select 'in'").unwrap(), "in");
    }
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn certificates_name_hosts() {
    let _turn = turn();
    let wrong = "does not match host name";
    check(
        "cn",
        &[
            ("good.test", ""),
            ("GOOD.Test", ""),
            ("bad.test", wrong),
            ("x.good.test", wrong),
        ],
    );
    check(
        "san",
        &[
            ("a.test", ""),
            ("c.test", ""),
            (
                "cn.test",
                "server certificate for \"a.test\" (and 2 other names) does not match host name \"cn.test\"",
            ),
            ("d.test", wrong),
        ],
    );
    check(
        "wildcard",
        &[
            ("x.wild.test", ""),
            ("X.WILD.test", ""),
            ("wild.test", wrong),
            ("a.b.wild.test", wrong),
            ("xwild.test", wrong),
        ],
    );
    check("cnwild", &[("x.wild.test", ""), ("a.b.wild.test", wrong)]);
    check(
        "ip",
        &[
            ("127.0.0.1", ""),
            ("::1", ""),
            ("127.1", ""),
            ("0x7f.1", ""),
            ("127.0.0.2", wrong),
            // Of another kind than the alternative names, so that the common name counts.
            ("cn.test", ""),
        ],
    );
    check("ipcn", &[("127.0.0.1", ""), ("127.1", wrong)]);
    check(
        "ipdns",
        &[("127.0.0.1", ""), ("a.test", ""), ("b.test", wrong)],
    );
    check(
        "onlyip",
        &[("good.test", ""), ("127.0.0.1", ""), ("::1", wrong)],
    );
    check(
        "unnamed",
        &[(
            "good.test",
            "could not get server's host name from server certificate",
        )],
    );
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn an_address_alone_is_no_name() {
    let _turn = turn();
    let (port, _) = Relay::new("ip").start();
    let connstr = format!(
        "hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
        file("ca.crt")
    );
    both_fail(
        &connstr,
        "host name must be specified for a verified SSL connection",
    );
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn the_server_is_told_the_name() {
    let _turn = turn();
    let (port, seen) = Relay::new("cn").start();
    let told = |connstr: &str| {
        assert_eq!(ours(&remote(), connstr, "select 'in'").unwrap(), "in");
        seen.names.lock().unwrap().pop().unwrap()
    };
    let required = |host| format!("{} sslmode=require", through(port, host));
    assert_eq!(told(&required("good.test")).as_deref(), Some("good.test"));
    assert_eq!(told(&format!("{} sslsni=0", required("good.test"))), None);
    assert_eq!(told(&required("127.0.0.1")), None);
    assert_eq!(told(&required("::1")), None);
}
