//! Whether what a page draws can be read: hayro draws what there is of it, without a word.

use flate2::{Decompress, FlushDecompress, Status};
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::object::{Array, MaybeRef, Object, Stream};
use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{Filter, Pdf};

/// What there is to say of a page whose content streams are not whole. A reference to no object is null, and so is nothing
/// (ISO 32000-2, 7.3.10).
pub fn note(pdf: &Pdf, page: &Page<'_>) -> Option<String> {
    let stream = |entry: MaybeRef<Object<'_>>| pdf.xref().get::<Stream<'_>>(entry.as_obj_ref()?.into());
    let streams: Vec<Stream<'_>> = match page.raw().get::<Array<'_>>(keys::CONTENTS) {
        Some(list) => list.raw_iter().filter_map(stream).collect(),
        None => page.raw().get::<Stream<'_>>(keys::CONTENTS).into_iter().collect(),
    };
    match (streams.iter().filter(|stream| !is_whole(stream)).count(), streams.len()) {
        (0, _) => None,
        (1, 1) => Some("what it draws cannot be read as a whole, and is drawn as far as it can".to_owned()),
        (damaged, count) => Some(format!("{damaged} of {count} pieces of what it draws cannot be read as a whole")),
    }
}

fn is_whole(stream: &Stream<'_>) -> bool {
    match *stream.filters() {
        [] => true,
        [Filter::FlateDecode] => !breaks_off(&stream.raw_data()),
        _ => stream.decoded_data().is_ok(),
    }
}

/// Whether a stream ends before it says so. Some programs write a wrong checksum behind its end, and some none: only what stands in
/// front of that is looked at (RFC 1950, RFC 1951). Others end with what is written so that a reader has all there is so far.
fn breaks_off(data: &[u8]) -> bool {
    const HEADER: usize = 2;
    const FLUSHED: &[u8] = &[0, 0, 0xff, 0xff];
    if data.trim_ascii().is_empty() || data.trim_ascii_end().ends_with(FLUSHED) {
        return false;
    }
    let mut left = data.get(HEADER..).unwrap_or_default();
    let mut inflate = Decompress::new(false);
    let mut piece = [0; 1 << 14];
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        match inflate.decompress(left, &mut piece, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return false,
            Err(_) => return true,
            Ok(_) if inflate.total_in() == read && inflate.total_out() == written => return true,
            Ok(_) => left = left.get((inflate.total_in() - read) as usize..).unwrap_or_default(),
        }
    }
}
