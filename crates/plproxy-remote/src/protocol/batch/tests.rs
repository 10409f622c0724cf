//! Tests of batches.

use super::*;

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
            RowRanges::from_buf([row]),
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
        let rows = RowRanges::from_buf([row]);
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
