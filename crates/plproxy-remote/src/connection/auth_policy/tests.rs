//! Which authentication requests may be answered.

use super::*;

const PLAIN: &[u8] = b"SCRAM-SHA-256\0\0";
const BOTH: &[u8] = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";

fn check(
    encrypted: bool,
    wanted: ChannelBinding,
    code: u32,
    body: &[u8],
    expected: Result<(), &str>,
) {
    let channel = Channel {
        encrypted,
        wanted,
        unbindable: None,
    };
    let mut policy = AuthPolicy::new(RequireAuth::Any, channel);
    let found = policy.check(&[&code.to_be_bytes(), body].concat());
    assert_eq!(
        found,
        expected.map_err(str::to_owned),
        "{encrypted} {wanted:?} {code}"
    );
}

#[test]
fn channel_binding_is_kept_to() {
    use ChannelBinding::{Disable, Prefer, Require};
    for wanted in [Disable, Prefer] {
        check(false, wanted, 10, PLAIN, Ok(()));
        check(true, wanted, 10, BOTH, Ok(()));
        check(true, wanted, 3, b"", Ok(()));
        check(false, wanted, 0, b"", Ok(()));
        check(
            false,
            wanted,
            10,
            BOTH,
            Err("server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection"),
        );
    }
    check(true, Require, 10, BOTH, Ok(()));
    check(
        true,
        Require,
        10,
        PLAIN,
        Err(
            "channel binding is required, but server did not offer an authentication method \
             that supports channel binding",
        ),
    );
    check(
        false,
        Require,
        10,
        BOTH,
        Err("channel binding required, but SSL not in use"),
    );
    check(
        true,
        Require,
        0,
        b"",
        Err("channel binding required, but server authenticated client without channel binding"),
    );
    for code in [3, 5, 7, 9] {
        check(
            true,
            Require,
            code,
            b"salt",
            Err("channel binding required but not supported by server's authentication request"),
        );
    }
    check(
        true,
        Disable,
        10,
        b"SCRAM-SHA-256-PLUS\0\0",
        Err("none of the server's SASL authentication mechanisms are supported"),
    );
}

#[test]
fn gss_sspi_and_kerberos_are_refused() {
    let prefer = ChannelBinding::Prefer;
    let gss = Err("GSSAPI authentication not supported");
    check(true, prefer, 7, b"", gss);
    let sspi = Err("SSPI authentication not supported");
    check(true, prefer, 9, b"", sspi);
    let kerberos = Err("Kerberos 5 authentication not supported");
    check(true, prefer, 2, b"", kerberos);
}

#[test]
fn a_binding_that_cannot_be_computed_is_refused() {
    let channel = Channel {
        encrypted: true,
        wanted: ChannelBinding::Prefer,
        unbindable: Some("could not find digest for NID UNDEF".into()),
    };
    let mut policy = AuthPolicy::new(RequireAuth::Any, channel);
    let message = [&10_u32.to_be_bytes(), BOTH].concat();
    assert_eq!(
        policy.check(&message),
        Err("could not find digest for NID UNDEF".into())
    );
}
