//! What a session's state becomes by the messages of its server.

use super::*;

fn ready(state: &mut SessionState, transaction: u8) {
    state.rounds_sent(1);
    state.ready_for_query(&[transaction]).unwrap();
}

fn started(encoding: Encoding) -> SessionState {
    let mut state = SessionState::new(encoding);
    let status = format!("client_encoding\0{}\0", encoding.name());
    state.parameter_status(status.as_bytes()).unwrap();
    state
        .backend_key_data(&[0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe])
        .unwrap();
    state.ready_for_query(b"I").unwrap();
    state
}

#[test]
fn the_start_up_is_the_first_round() {
    let mut state = started(Encoding::UTF8);
    assert_eq!((state.process_id(), state.secret_key()), (258, -2));
    assert!(state.is_idle());
    state.rounds_sent(2);
    assert!(!state.is_answered());
    state.ready_for_query(b"I").unwrap();
    state.ready_for_query(b"T").unwrap();
    assert!(state.is_answered() && !state.is_idle());
    assert!(state.ready_for_query(b"I").is_err(), "nobody asked");
}

#[test]
fn another_encoding_than_agreed_is_noticed() {
    let check = |agreed: Encoding, reported: &[&str], expected: bool| {
        let mut state = started(agreed);
        for name in reported {
            let report = format!("client_encoding\0{name}\0");
            state.parameter_status(report.as_bytes()).unwrap();
            ready(&mut state, b'I');
        }
        assert_eq!(state.is_idle(), expected, "{agreed:?} {reported:?}");
    };
    check(Encoding::UTF8, &[], true);
    check(Encoding::UTF8, &["LATIN1"], false);
    check(Encoding::UTF8, &["SQL_ASCII"], false);
    check(Encoding::UTF8, &["LATIN1", "UTF8"], true);
    check(Encoding::SQL_ASCII, &["SQL_ASCII"], true);
    check(Encoding::SQL_ASCII, &["SQL_ASCII", "UTF8"], false);
}

#[test]
fn styles_and_the_version_are_learnt() {
    let mut state = started(Encoding::UTF8);
    assert_eq!(state.nonstandard_style(), None);
    state
        .parameter_status(b"server_version\x0015.4 (Debian)\0")
        .unwrap();
    assert_eq!(state.server_version(), "15.4 (Debian)");
    state.parameter_status(b"DateStyle\0German, DMY\0").unwrap();
    let style = state.nonstandard_style().unwrap();
    assert_eq!(style.dates, "German, DMY");
    state.parameter_status(b"DateStyle\0ISO, DMY\0").unwrap();
    assert_eq!(state.nonstandard_style(), None);
    assert_eq!(state.style().dates, "ISO, DMY");
}

#[test]
fn what_no_server_reports_is_refused() {
    let mut state = started(Encoding::UTF8);
    assert!(state.backend_key_data(&[0; 7]).is_err());
    assert!(state.backend_key_data(&[0; 9]).is_err());
    assert!(state.ready_for_query(b"").is_err());
    assert!(state.ready_for_query(b"II").is_err());
    let long = [&b"x\0"[..], &[b'y'; STATUS_LIMIT / 2], b"\0"].concat();
    state.parameter_status(&long).unwrap();
    assert!(state.parameter_status(&long).is_err());
    // Round by round there is no end to what may change.
    let mut state = started(Encoding::UTF8);
    for _ in 0..4 {
        state.parameter_status(&long).unwrap();
        ready(&mut state, b'I');
    }
}
