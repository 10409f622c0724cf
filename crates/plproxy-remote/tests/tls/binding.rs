//! Logging in tied to the TLS session.

use plproxy_test_kit::wait_until;

use crate::harness::*;
use crate::oracle::*;

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn every_wish_with_every_login() {
    let _turn = turn();
    for user in ["scram_user", "md5_user", "password_user", "any"] {
        for mode in ["disable", "allow", "prefer", "require"] {
            for wish in ["disable", "prefer", "require"] {
                let connstr = format!(
                    "{} password=sesame sslmode={mode} channel_binding={wish}",
                    with_tls(user)
                );
                let found = both(&connstr);
                let can = wish != "require"
                    || user == "scram_user" && matches!(mode, "prefer" | "require");
                assert_eq!(found.is_ok(), can, "{connstr}: {found:?}");
            }
        }
    }
    let wrong = format!(
        "{} password=wrong channel_binding=require",
        with_tls("scram_user")
    );
    both_fail(
        &wrong,
        "password authentication failed for user \"scram_user\"",
    );
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn with_required_ways() {
    let _turn = turn();
    // libpq 15 does not know require_auth.
    let bound = |user: &str, more: &str| {
        let connstr = format!("{} password=sesame sslmode=require {more}", with_tls(user));
        ours(&remote(), &connstr, PROTECTION)
    };
    let scram = "require_auth=scram-sha-256 channel_binding=require";
    assert_eq!(bound("scram_user", scram).unwrap(), "TLSv1.3");
    for (user, more, words) in [
        (
            "password_user",
            scram,
            "authentication method requirement \"scram-sha-256\" failed: server requested a cleartext password",
        ),
        (
            "any",
            scram,
            "authentication method requirement \"scram-sha-256\" failed: server did not complete authentication",
        ),
        (
            "md5_user",
            "require_auth=md5 channel_binding=require",
            "channel binding required but not supported by server's authentication request",
        ),
        (
            "any",
            "require_auth=none channel_binding=require",
            "channel binding required, but server authenticated client without channel binding",
        ),
    ] {
        let error = bound(user, more).unwrap_err();
        assert!(error.ends_with(words), "{user} {more}: {error}");
    }
}

/// Gives the server another certificate, and waits until it has it.
fn give(certificate: &str) {
    let remote = remote();
    let server = endpoint(&remote, "server", &with_tls("postgres"));
    for (setting, end) in [("ssl_cert_file", "crt"), ("ssl_key_file", "key")] {
        let path = file(&format!("server/{certificate}.{end}"));
        execute(
            &remote,
            &server,
            &format!("alter system set {setting} = '{path}'"),
        );
    }
    execute(&remote, &server, "select pg_reload_conf()");
    let root = match certificate {
        "cn" => file("ca.crt"),
        own => file(&format!("{own}.crt")),
    };
    let verified = format!("{} sslmode=verify-ca sslrootcert={root}", with_tls("any"));
    wait_until(&format!("{certificate} is in use"), || {
        ours(&super::harness::remote(), &verified, PROTECTION).is_ok()
    });
}

#[test]
#[ignore = "needs the servers of scripts/test.d/25-tls.sh"]
fn every_kind_of_certificate() {
    let _turn = turn();
    let bound = format!(
        "{} password=sesame sslmode=require channel_binding=require",
        with_tls("scram_user")
    );
    for certificate in ["rsa512", "pss"] {
        give(certificate);
        assert_eq!(both(&bound).unwrap(), "TLSv1.3", "{certificate}");
    }
    // Its signature has no hash to be used; libpq cannot do it either.
    give("self-ed");
    both_fail(&bound, "could not find digest for NID UNDEF");
    let unbound = format!(
        "{} password=sesame sslmode=require channel_binding=disable",
        with_tls("scram_user")
    );
    assert_eq!(both(&unbound).unwrap(), "TLSv1.3");
    give("cn");
}
