//! The parts in a stream of bytes.
//!
//! ```text
//!            line --boundary            empty line
//! Outside ─────────────────────> Head ───────────> Content ──┐
//!    ^  │                          ^                  │      │ line --boundary
//!    │  └ after --boundary--, a    │                  └──────┴──> Head
//!    │    line "Content-…"─────────┘                  │
//!    └──────────────────────────────────────────line --boundary--
//! ```
//!
//! Outside of parts lines are passed over, within a bound. In the content of a part the boundary is searched by an
//! algorithm that is linear whatever the bytes are, and never twice in the same ones.

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use memchr::memmem::Finder;
use thiserror::Error;

use super::header::{Head, is_token};
use super::transfer::{Decoder, Garbled};

/// Spaces after a boundary. Gateways add a few.
const MOST_PADDING: usize = 128;

/// What may stand around the content of parts.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes before the first part, and between the end of a closed boundary and what follows it: one sentence, in practice.
    pub outside: usize,
    /// Bytes in the head of a part.
    pub head: usize,
}

impl Limits {
    /// Four lines make a head, and the longest of them has a path in it: 4 KiB on Linux, three times that when it is
    /// percent-encoded.
    pub const DEFAULT: Self = Self { outside: 16 << 10, head: 16 << 10 };
}

/// What comes out of a body, in its order.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Begin(Head),
    /// Some of its content, as it was before it was encoded for the way.
    Data(Bytes),
    /// All of its content has come.
    End,
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("no part begins in its first {0} bytes: each does with a line of two hyphens and the boundary")]
    NoPart(usize),
    #[error("more than {0} bytes that belong to no part follow a closed boundary")]
    Junk(usize),
    #[error("it ends before its first part: none of its lines is two hyphens and the boundary")]
    Empty,
    #[error("it ends in the middle of part {0}: its boundary does not follow")]
    CutOff(usize),
    #[error("the head of part {part} is longer than {most} bytes")]
    LongHead { part: usize, most: usize },
    #[error("the head of part {part} cannot be read: {problem}")]
    Head { part: usize, problem: String },
    #[error("part {part} says that it is {encoding}, and is not")]
    Garbled { part: usize, encoding: &'static str },
    #[error("more than {MOST_PADDING} spaces follow the boundary after part {0}")]
    Padding(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Outside {
        /// Bytes that have been passed over.
        passed: usize,
        /// A boundary has been closed: the body may end here.
        closed: bool,
        /// Nothing but empty lines has followed it, and then bytes of so many fields that have been looked at.
        fresh: Option<usize>,
    },
    Head {
        /// Where the line begins that has not been looked at.
        line: usize,
    },
    Content {
        /// Nothing of it has been looked at yet: the boundary may come without a line break before it.
        fresh: bool,
    },
}

/// Finds the parts of a body. It is fed by whoever reads the body, and asked for what there is.
#[derive(Debug)]
pub struct Parser {
    /// A line feed, two hyphens, and the boundary.
    delimiter: Finder<'static>,
    limits: Limits,
    /// What has come and was not given out.
    buffer: BytesMut,
    /// Of the buffer: there is no line feed in them.
    scanned: usize,
    state: State,
    /// Of the part that is read, or was read last, from 1 on.
    part: usize,
    /// The line that began the part ended with CRLF, and so the one before its end does.
    has_crlf: bool,
    encoding: &'static str,
    decoder: Decoder,
    is_over: bool,
}

/// What follows two hyphens and the boundary.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    /// It is the line that begins the next part. Its bytes that are left, and whether they end with CRLF.
    Opens(usize, bool),
    /// It is the line that ends the last part, or each of them.
    Closes(usize),
    /// A longer word, and content like any other.
    Nothing,
    /// More must come before it can be said.
    Unsure,
    Padded,
}

impl Parser {
    pub fn new(boundary: &str, limits: Limits) -> Self {
        let delimiter = Finder::new(format!("\n--{boundary}").as_bytes()).into_owned();
        Self {
            delimiter,
            limits,
            buffer: BytesMut::new(),
            scanned: 0,
            state: State::Outside { passed: 0, closed: false, fresh: None },
            part: 0,
            has_crlf: true,
            encoding: "",
            decoder: Decoder::Plain,
            is_over: false,
        }
    }

    /// Takes the next bytes of the body. [`next_event`](Self::next_event) is then to be called until it has no more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Nothing comes any more.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// Bytes that have come and were not given out.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The part that is read, or was read last, from 1 on.
    pub fn part(&self) -> usize {
        self.part
    }

    /// The next event; `None` if more must be fed first, or, after [`end`](Self::end), if that was all.
    pub fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        loop {
            match self.state {
                State::Outside { passed, closed, fresh } => {
                    if !self.pass_over(passed, closed, fresh)? {
                        return Ok(None);
                    }
                }
                State::Head { line } => return Ok(self.read_head(line)?.map(Event::Begin)),
                State::Content { fresh } => return self.read_content(fresh),
            }
        }
    }

    /// The length of the first line with its end, from `from` on; at the end of the body also of one that has none.
    fn line(&mut self, from: usize) -> Option<usize> {
        let start = self.scanned.max(from);
        let found = memchr(b'\n', &self.buffer[start..]).map(|at| start + at + 1 - from);
        match found {
            Some(length) => Some(length),
            None if self.is_over && self.buffer.len() > from => Some(self.buffer.len() - from),
            None => {
                self.scanned = self.buffer.len();
                None
            }
        }
    }

    fn drop_front(&mut self, length: usize) -> BytesMut {
        self.scanned = 0;
        self.buffer.split_to(length)
    }

    /// Looks at one line that is in no part. False if there is none yet.
    fn pass_over(&mut self, passed: usize, closed: bool, fresh: Option<usize>) -> Result<bool, Malformed> {
        let most = self.limits.outside;
        let line = self.line(0);
        if passed + line.unwrap_or(self.buffer.len()) > most {
            return Err(if closed { Malformed::Junk(most) } else { Malformed::NoPart(most) });
        }
        let Some(length) = line else {
            return if self.is_over && !closed { Err(Malformed::Empty) } else { Ok(false) };
        };
        let text = &self.buffer[..length];
        let has_crlf = text.ends_with(b"\r\n");
        let begins = fresh.map_or(Begins::Nothing, |looked_at| self.head_begins(looked_at));
        // The needle without its line feed.
        let mark = match text.strip_prefix(&self.delimiter.needle()[1..]) {
            Some(rest) => mark(rest, true),
            None => Mark::Nothing,
        };
        match mark {
            Mark::Opens(..) => {
                self.drop_front(length);
                self.begin_head(has_crlf);
            }
            Mark::Closes(_) => {
                self.drop_front(length);
                self.state = State::Outside { passed: 0, closed: true, fresh: Some(0) };
            }
            Mark::Padded => return Err(Malformed::Padding(self.part)),
            // As in the reference: the next part follows a boundary that was closed. Its head begins with this line.
            Mark::Nothing | Mark::Unsure => match begins {
                Begins::Head => self.begin_head(has_crlf),
                Begins::Unsure(looked_at) => {
                    self.state = State::Outside { passed, closed, fresh: Some(looked_at) };
                    return Ok(false);
                }
                Begins::Nothing => {
                    let fresh = fresh.filter(|_| text.trim_ascii().is_empty()).map(|_| 0);
                    self.drop_front(length);
                    self.state = State::Outside { passed: passed + length, closed, fresh };
                }
            },
        }
        Ok(true)
    }

    /// Whether the lines after a closed boundary are the head of a part: fields, of which one is of its content. Those in front of `from`
    /// are fields, and of nothing else.
    fn head_begins(&self, mut from: usize) -> Begins {
        loop {
            let rest = &self.buffer[from..];
            let line = memchr(b'\n', rest).map(|at| at + 1);
            if from + line.unwrap_or(rest.len()) > self.limits.outside {
                return Begins::Nothing;
            }
            let Some(length) = line.or_else(|| (self.is_over && !rest.is_empty()).then_some(rest.len())) else {
                return if self.is_over { Begins::Nothing } else { Begins::Unsure(from) };
            };
            match Line::of(&rest[..length]) {
                Line::Content => return Begins::Head,
                Line::Field => {}
                Line::Folded if from > 0 => {}
                Line::Folded | Line::Other => return Begins::Nothing,
            }
            from += length;
        }
    }

    fn begin_head(&mut self, has_crlf: bool) {
        self.part += 1;
        self.has_crlf = has_crlf;
        self.scanned = 0;
        self.state = State::Head { line: 0 };
    }

    fn read_head(&mut self, mut from: usize) -> Result<Option<Head>, Malformed> {
        let (part, most) = (self.part, self.limits.head);
        loop {
            let line = self.line(from);
            if from + line.unwrap_or(self.buffer.len() - from) > most {
                return Err(Malformed::LongHead { part, most });
            }
            let Some(length) = line else {
                return if self.is_over { Err(Malformed::CutOff(part)) } else { Ok(None) };
            };
            // Some fill up the empty line with spaces, as the reference does in print.
            if self.buffer[from..from + length].trim_ascii().is_empty() {
                let head = Head::read(&self.buffer[..from]).map_err(|problem| Malformed::Head { part, problem })?;
                self.drop_front(from + length);
                self.encoding = head.encoding.name();
                self.decoder = Decoder::new(head.encoding);
                self.state = State::Content { fresh: true };
                return Ok(Some(head));
            }
            from += length;
            self.state = State::Head { line: from };
        }
    }

    fn read_content(&mut self, fresh: bool) -> Result<Option<Event>, Malformed> {
        let needle = self.delimiter.needle().len();
        if fresh {
            let bare = &self.delimiter.needle()[1..];
            if let Some(rest) = self.buffer.strip_prefix(bare) {
                match mark(rest, self.is_over) {
                    Mark::Nothing => {}
                    Mark::Unsure => return Ok(None),
                    known => return self.end_part(bare.len(), known).map(Some),
                }
            } else if !self.is_over && bare.starts_with(&self.buffer) {
                return Ok(None);
            }
            self.state = State::Content { fresh: false };
        }
        let mut from = 0;
        while let Some(found) = self.delimiter.find(&self.buffer[from..]) {
            let at = from + found;
            match mark(&self.buffer[at + needle..], self.is_over) {
                Mark::Nothing => from = at + needle,
                known => {
                    let has_return = self.has_crlf && self.buffer[..at].ends_with(b"\r");
                    let content = at - usize::from(has_return);
                    return match known {
                        _ if content > 0 => self.give(content),
                        Mark::Unsure => Ok(None),
                        known => self.end_part(at + needle, known).map(Some),
                    };
                }
            }
        }
        if self.is_over {
            return Err(Malformed::CutOff(self.part));
        }
        // A boundary, and the return before it, may have begun.
        let sure = self.buffer.len().saturating_sub(needle).max(from);
        if sure > 0 { self.give(sure) } else { Ok(None) }
    }

    /// Gives out the first bytes of the buffer, decoded.
    fn give(&mut self, length: usize) -> Result<Option<Event>, Malformed> {
        let bytes = self.drop_front(length);
        let decoded = self.decoder.decode(&bytes).map_err(|garbled| self.garbled(garbled))?;
        match decoded {
            None => Ok(Some(Event::Data(bytes.freeze()))),
            Some(decoded) => Ok(Some(Event::Data(decoded.into()))),
        }
    }

    /// Passes the line that ends a part, of which `before` bytes stand before what follows the boundary.
    fn end_part(&mut self, before: usize, mark: Mark) -> Result<Event, Malformed> {
        let decoder = std::mem::replace(&mut self.decoder, Decoder::Plain);
        decoder.finish().map_err(|garbled| self.garbled(garbled))?;
        match mark {
            Mark::Opens(length, has_crlf) => {
                self.drop_front(before + length);
                self.begin_head(has_crlf);
            }
            Mark::Closes(length) => {
                self.drop_front(before + length);
                self.state = State::Outside { passed: 0, closed: true, fresh: Some(0) };
            }
            Mark::Nothing | Mark::Unsure | Mark::Padded => return Err(Malformed::Padding(self.part)),
        }
        Ok(Event::End)
    }

    fn garbled(&self, _: Garbled) -> Malformed {
        Malformed::Garbled { part: self.part, encoding: self.encoding }
    }
}

/// What the bytes behind a boundary make of it. `is_all` if no more come.
fn mark(rest: &[u8], is_all: bool) -> Mark {
    let (closes, tail) = match rest {
        [b'-', b'-', tail @ ..] => (true, tail),
        [] | [b'-'] if !is_all => return Mark::Unsure,
        tail => (false, tail),
    };
    let padding = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if padding > MOST_PADDING {
        return Mark::Padded;
    }
    let end = match &tail[padding..] {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        [] | [b'\r'] if !is_all => return Mark::Unsure,
        // The last line of a body need not end, but the body cannot end with the line that begins a part.
        end @ ([] | [b'\r']) if closes => end.len(),
        _ => return Mark::Nothing,
    };
    let length = rest.len() - tail.len() + padding + end;
    if closes { Mark::Closes(length) } else { Mark::Opens(length, end == 2) }
}

/// What the lines after a closed boundary are.
enum Begins {
    Head,
    Nothing,
    /// Fields, so many bytes of them. More must come before it can be said.
    Unsure(usize),
}

/// What a line may be in the head of a part.
enum Line {
    /// A field of its content, as the head of each part has one.
    Content,
    Field,
    /// More of the field before it.
    Folded,
    Other,
}

impl Line {
    fn of(line: &[u8]) -> Self {
        const CONTENT: &[u8] = b"content-";
        let Some(end) = memchr(b':', line) else {
            let is_empty = line.trim_ascii().is_empty();
            return if !is_empty && matches!(line[0], b' ' | b'\t') { Self::Folded } else { Self::Other };
        };
        let name = line[..end].trim_ascii_end();
        if matches!(line[0], b' ' | b'\t') {
            Self::Folded
        } else if !is_token(name) {
            Self::Other
        } else if name.get(..CONTENT.len()).is_some_and(|start| start.eq_ignore_ascii_case(CONTENT)) {
            Self::Content
        } else {
            Self::Field
        }
    }
}
