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
fn a_large_value_comes_out_whole() {
    let batch = |values: &[&[u8]]| {
        let mut bytes = b"before".to_vec();
        for value in values {
            bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bytes.extend_from_slice(value);
        }
        let row = 6..bytes.len();
        bytes.extend_from_slice(b"after");
        Batch::new(
            bytes,
            Places::from_buf([row]),
            Rc::from([]),
            Reading {
                formats: Format::Binary.into(),
                style: None,
                encoding: Encoding::UTF8,
            },
            0,
            "".into(),
        )
    };
    for size in [LARGE, LARGE + PIECE - 1, LARGE + PIECE, 3 * LARGE + 7] {
        let value: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let large = batch(&[b"first", &value]).into_large_value();
        let Ok(large) = large else {
            panic!("{size} is large");
        };
        assert!(large.bytes() == value);
        let mut copy = vec![0; size];
        large.drain(|at, piece| copy[at..at + piece.len()].copy_from_slice(piece));
        assert!(copy == value, "{size}");
        assert!(batch(&[&value, b"last"]).into_large_value().is_err());
    }
    let small = batch(&[&vec![1; LARGE - 1]]).into_large_value();
    assert_eq!(small.err().map(|batch| batch.len()), Some(1));
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

#[test]
fn only_text_is_looked_at_for_more_than_ascii() {
    const INT8: u32 = 20;
    const TEXT: u32 = 25;
    let depends = |formats: Format, type_oid, value: &[u8]| {
        let mut bytes = (value.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(value);
        let row = 0..bytes.len();
        let column = ColumnDescription {
            name: Box::from(*b"a"),
            type_oid,
        };
        let reading = Reading {
            formats: formats.into(),
            style: None,
            encoding: Encoding::UTF8,
        };
        let rows = Places::from_buf([row]);
        Batch::new(bytes, rows, Rc::new([column]), reading, 0, "".into()).depends_on_encoding()
    };
    assert!(!depends(Format::Text, TEXT, b"a"));
    assert!(depends(Format::Text, TEXT, b"\xe9"));
    assert!(depends(Format::Text, INT8, b"\xe9"));
    assert!(depends(Format::Binary, TEXT, b"\xe9"));
    // A yen sign and an overline in SJIS.
    assert!(depends(Format::Text, TEXT, b"a\\"));
    assert!(depends(Format::Binary, TEXT, b"~"));
    assert!(!depends(Format::Binary, TEXT, b"a"));
    assert!(!depends(
        Format::Binary,
        INT8,
        b"\xff\xff\xff\xff\xff\xff\xff\xff"
    ));
}
