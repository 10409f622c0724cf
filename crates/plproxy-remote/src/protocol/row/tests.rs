//! Tests of rows.

use super::*;

thread_local! {
    /// How many values were looked for.
    pub(super) static SPLITS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn values(body: &[u8], columns: usize) -> Option<Vec<Option<&[u8]>>> {
    Some(Row::of_message(body, columns)?.values().collect())
}

#[test]
fn rows_are_read_as_they_are_written() {
    let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
    assert_eq!(
        values(body, 3),
        Some(vec![Some(&b"ab"[..]), None, Some(b"")])
    );
    let row = Row::of_message(body, 3).unwrap();
    assert_eq!((row.get(0), row.get(1)), (Some(&b"ab"[..]), None));
    assert_eq!(row.get(3), None);
    assert_eq!(values(b"\0\0", 0), Some(vec![]));
}

#[test]
fn a_row_is_walked_once_for_any_order_of_columns() {
    const COLUMNS: u16 = 1600;
    let mut body = COLUMNS.to_be_bytes().to_vec();
    for column in 0..COLUMNS {
        body.extend_from_slice(&2_u32.to_be_bytes());
        body.extend_from_slice(&column.to_be_bytes());
    }
    let row = Row::of_message(&body, COLUMNS.into()).unwrap();
    let reversed: Vec<usize> = (0..usize::from(COLUMNS)).rev().collect();
    SPLITS.set(0);
    let picked: Vec<_> = row.pick(&reversed).map(|value| value.unwrap()).collect();
    assert!(SPLITS.get() <= reversed.len() + 1, "{}", SPLITS.get());
    let expected = (0..COLUMNS).rev().map(u16::to_be_bytes);
    assert!(picked.into_iter().eq(expected));
    let row = Row::of_message(b"\0\x02\0\0\0\x01a\xff\xff\xff\xff", 2).unwrap();
    let picked: Vec<_> = row.pick(&[1, 0, 2, 0]).collect();
    assert_eq!(picked, [None, Some(&b"a"[..]), None, Some(b"a")]);
}

#[test]
fn malformed_rows_are_none() {
    for (body, columns) in [
        (&b""[..], 0),
        (b"\0", 0),
        (b"\0\x01\0\0\0\x01a", 2),
        (b"\0\x02\0\0\0\x01a", 2),
        (b"\0\x01\0\0\0\x02a", 1),
        (b"\0\x01\0\0\0\x01ab", 1),
        (b"\0\x01\0\0\0", 1),
        (b"\0\x01\xff\xff\xff\xfea", 1),
        (b"\0\x01\x7f\xff\xff\xffa", 1),
    ] {
        assert_eq!(values(body, columns), None, "{body:?}");
    }
}
