//! See [`crate::fuzzing`].

use super::{Event, Head, Limits, Malformed, MediaType, Parser};

/// A part: what it says of itself, and its content.
type Part = (Head, Vec<u8>);

/// A body of parts behind a line with its media type. However it is cut up on its way, it is the same body.
pub fn body(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, body) = bytes.split_at(end);
    let Some(Ok(media_type)) = MediaType::read(line) else { return };
    let whole = parts(&media_type.boundary, body, body.len().max(1));
    for piece in [1, 7, 1000] {
        let cut = parts(&media_type.boundary, body, piece);
        assert_eq!(cut.as_ref().ok(), whole.as_ref().ok(), "{piece} bytes at a time: {cut:?} {whole:?}");
    }
}

fn parts(boundary: &str, body: &[u8], piece: usize) -> Result<Vec<Part>, Malformed> {
    let mut parser = Parser::new(boundary, Limits::DEFAULT);
    let mut pieces = body.chunks(piece);
    let (mut parts, mut is_open, mut is_over): (Vec<Part>, _, _) = (Vec::new(), false, false);
    loop {
        match parser.next_event()? {
            Some(Event::Begin(head)) => {
                assert!(!is_open, "a part begins in another");
                parts.push((head, Vec::new()));
                is_open = true;
            }
            Some(Event::Data(data)) => {
                assert!(is_open, "content belongs to no part");
                parts.iter_mut().last().into_iter().for_each(|(_, content)| content.extend_from_slice(&data));
            }
            Some(Event::End) => {
                assert!(is_open, "no part ends");
                is_open = false;
            }
            None if is_over => {
                assert!(!is_open && parser.part() == parts.len(), "a part does not end");
                return Ok(parts);
            }
            None => {
                let most = Limits::DEFAULT.outside.max(Limits::DEFAULT.head);
                assert!(parser.held() <= most, "{} bytes are held", parser.held());
                match pieces.next() {
                    Some(piece) => parser.feed(piece),
                    None => {
                        parser.end();
                        is_over = true;
                    }
                }
            }
        }
    }
}
