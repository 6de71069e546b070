//! Replies, those too long for the memory too: they are written while the list is read.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;

use crate::contract::{Operation, Version};
use crate::transport::budget::Charge;

use super::{
    encode::{Encoded, Frame, frame},
    envelope,
    fault::{Fault, Framing},
    gzip::Compressor,
};

/// What goes into the body of a reply.
pub enum Reply {
    /// With the charge for it.
    Whole(String, Charge),
    Listed(Listed),
}

/// A list, with what stands around it.
pub struct Listed {
    operation: &'static Operation,
    version: Version,
    frame: Frame,
    pages: BoxStream<'static, Result<Vec<Value>, Fault>>,
    /// Whose pieces are charged for, each until it is sent.
    charge: Charge,
}

impl Listed {
    pub fn new(
        operation: &'static Operation,
        field: &'static str,
        version: Version,
        pages: BoxStream<'static, Result<Vec<Value>, Fault>>,
        charge: Charge,
    ) -> Result<Self, Fault> {
        let result = &operation.result;
        let frame = frame(&result.name, result, field, version).ok_or_else(|| {
            tracing::error!(operation = operation.name, field, "an answer is not the list that it was said to be");
            Fault::exception("Internal error: the server's log has more")
        })?;
        Ok(Self { operation, version, frame, pages, charge })
    }

    /// The whole document. A fault in a later page ends it without its end, and the connection with it: a list that is
    /// short but well-formed would pass for the whole.
    pub fn body(self, framing: Framing, compresses: bool) -> Body {
        let Self { operation, version, frame, pages, charge } = self;
        let (before, after) = envelope::around(framing);
        let (head, tail) = (format!("{before}{}", frame.head), format!("{}{after}", frame.tail));
        let items = pages.map(move |page| match page {
            Ok(items) => Ok(complete(frame.items(&items), operation, version)),
            Err(fault) => {
                tracing::error!(operation = operation.name, %fault, "a reply was cut off: its next page cannot be read");
                Err(io::Error::other(fault.to_string()))
            }
        });
        let document = stream::iter([Ok(head)]).chain(items).chain(stream::iter([Ok(tail)])).map_ok(Bytes::from);
        let pieces = if compresses { compressed(document) } else { document.boxed() };
        Body::from_stream(up_to_an_error(charged(pieces, operation, charge)))
    }
}

/// The XML of an answer. What a service forgot is filled in, so that the caller gets a whole reply; a test gets a failure.
pub fn complete(encoded: Encoded, operation: &Operation, version: Version) -> String {
    for defect in &encoded.defects {
        tracing::error!(operation = operation.name, %version, defect, "an answer does not fit the contract");
    }
    debug_assert!(encoded.defects.is_empty(), "{} in {version}: {:?}", operation.name, encoded.defects);
    encoded.xml
}

type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// Pieces that hold what they are charged with until they are sent.
fn charged(
    pieces: Pieces,
    operation: &'static Operation,
    charge: Charge,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::unfold((pieces, charge), move |(mut pieces, charge)| async move {
        let piece = match pieces.next().await? {
            Ok(piece) => charge.piece(piece.len() as u64).await.map(|charge| charge.around(piece)).map_err(|busy| {
                tracing::error!(operation = operation.name, %busy, "a reply was cut off: there is no room for its next page");
                io::Error::other(busy)
            }),
            Err(error) => Err(error),
        };
        Some((piece, (pieces, charge)))
    })
}

/// Nothing follows an error.
fn up_to_an_error(pieces: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Pieces {
    let pieces = Some(pieces.boxed());
    stream::unfold(pieces, |pieces| async {
        let mut pieces = pieces?;
        let piece = pieces.next().await?;
        let rest = piece.is_ok().then_some(pieces);
        Some((piece, rest))
    })
    .boxed()
}

fn compressed(pieces: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Pieces {
    let state = Some((up_to_an_error(pieces), Compressor::new()));
    stream::unfold(state, |state| async {
        let (mut pieces, mut compressor) = state?;
        loop {
            match pieces.next().await {
                Some(Ok(piece)) => match compressor.write(&piece) {
                    // It keeps small pieces until they are worth a block.
                    Ok(ready) if ready.is_empty() => {}
                    Ok(ready) => return Some((Ok(Bytes::from(ready)), Some((pieces, compressor)))),
                    Err(error) => return Some((Err(error), None)),
                },
                Some(Err(error)) => return Some((Err(error), None)),
                None => return Some((compressor.finish().map(Bytes::from), None)),
            }
        }
    })
    .boxed()
}
