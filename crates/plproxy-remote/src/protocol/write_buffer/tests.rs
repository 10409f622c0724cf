//! What goes out, whole and in its order.

use std::task::Waker;

use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A message that binds these parameters.
fn bound(params: &[Param], results: &ResultFormats) -> Vec<u8> {
    let count = (params.len() as u16).to_be_bytes();
    let mut body = [b"\0s1\0", &count[..]].concat();
    for param in params {
        body.extend_from_slice(&[0, u8::from(matches!(param, Param::Binary(_)))]);
    }
    body.extend_from_slice(&count);
    for param in params {
        match param {
            Param::Null => body.extend_from_slice(&[0xff; 4]),
            Param::Text(value) | Param::Binary(value) => {
                body.extend_from_slice(&(value.len() as u32).to_be_bytes());
                body.extend_from_slice(value);
            }
        }
    }
    let codes: Vec<i16> = results.codes().collect();
    body.extend_from_slice(&(codes.len() as u16).to_be_bytes());
    codes
        .iter()
        .for_each(|code| body.extend_from_slice(&code.to_be_bytes()));
    message(b'B', &body)
}

/// Takes so many bytes at a time, and is busy every other time.
struct Slow(Vec<u8>, usize, bool);

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.2 = !this.2;
        if this.2 {
            return Poll::Pending;
        }
        let taken = bytes.len().min(this.1);
        this.0.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn values_of_all_sizes_go_out_whole() {
    let check = |params: Vec<Param>, results: &ResultFormats| {
        let mut write_buffer = WriteBuffer::default();
        let shared: Rc<[Param]> = params.clone().into();
        write_buffer.parse("s1", "select").unwrap();
        write_buffer.bind("s1", &shared, results).unwrap();
        write_buffer.execute().unwrap();
        write_buffer.begin();
        let mut socket = Slow(Vec::new(), 100_000, false);
        let mut cx = Context::from_waker(Waker::noop());
        while write_buffer
            .poll_send(&mut cx, Pin::new(&mut socket))
            .is_pending()
        {
            assert!(!write_buffer.is_sent());
        }
        assert!(write_buffer.is_sent());
        assert_eq!(Rc::strong_count(&shared), 1);
        let execute = message(b'E', b"\0\0\0\0\0");
        let wanted = [
            message(b'P', b"s1\0select\0\0\0"),
            bound(&params, results),
            execute,
            message(b'S', b""),
        ];
        assert!(socket.0 == wanted.concat(), "{params:?} {results:?}");
    };
    let small = || Param::Text(b"small".to_vec());
    let large = |byte| Param::Binary(vec![byte; LARGE]);
    for results in [
        &Format::Binary.into(),
        &Format::Text.into(),
        &ResultFormats::of_columns([Format::Text, Format::Binary, Format::Text]),
    ] {
        check(vec![], results);
        check(vec![small(), Param::Null], results);
        check(vec![large(1)], results);
        check(vec![small(), large(1), Param::Null], results);
        check(vec![large(1), large(2), small(), large(3)], results);
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let zero = WriteBuffer::default().parse("s1", "select '\0'");
    assert!(matches!(zero, Err(ErrorKind::Encode(_))), "{zero:?}");
    let half = Param::Text(vec![0; LIMIT / 2 + 1]);
    let both: Rc<[Param]> = vec![half.clone(), half].into();
    let both = WriteBuffer::default().bind("s1", &both, &Format::Binary.into());
    assert!(matches!(both, Err(ErrorKind::Encode(_))), "{both:?}");
}
