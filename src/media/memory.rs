//! The one place where memory is taken whose size a file has a say in.
//!
//! An allocation that fails ends the process, and nothing catches that; so what a file asks for is held against the share of
//! its picture first, and then is taken in a way that answers with an error when the machine has none. Elsewhere in this
//! module counts are literals, or a remark on the line (`bounded:`) says what bounds them; a test of the source looks for it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::MediaError;
use super::limits::Limits;

/// The memory of one picture. Its clones draw on the same.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    limit: u64,
    held: Arc<AtomicU64>,
}

/// A part of a share that is kept for something that stays. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Share,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Share {
    pub fn of(limits: &Limits) -> Self {
        Self { limit: limits.max_memory, held: Arc::default() }
    }

    /// Answers with what is asked for in all, if that is too much.
    pub fn check(&self, bytes: u64) -> Result<(), MediaError> {
        let needed = self.held.load(Ordering::Relaxed).saturating_add(bytes);
        if needed > self.limit { Err(MediaError::TooMuchMemory { needed, limit: self.limit }) } else { Ok(()) }
    }

    /// Keeps `bytes` for what stays while other memory is taken: rows, tables, profiles.
    pub fn hold(&self, bytes: u64) -> Result<Held, MediaError> {
        self.check(bytes)?;
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(Held { share: self.clone(), bytes })
    }

    /// An empty list with room for so many.
    pub fn vec<T>(&self, count: u64) -> Result<Vec<T>, MediaError> {
        let mut vec = Vec::new();
        self.grow(&mut vec, count)?;
        Ok(vec)
    }

    /// So many zeros.
    pub fn bytes(&self, count: u64) -> Result<Vec<u8>, MediaError> {
        let mut bytes = Vec::new();
        self.lengthen(&mut bytes, count)?;
        Ok(bytes)
    }

    /// Makes room for so many more.
    pub fn grow<T>(&self, vec: &mut Vec<T>, more: u64) -> Result<(), MediaError> {
        let bytes = (vec.len() as u64).saturating_add(more).saturating_mul(size_of::<T>() as u64);
        self.check(bytes)?;
        let room = usize::try_from(more).map(|more| vec.try_reserve_exact(more));
        if let Ok(Ok(())) = room { Ok(()) } else { Err(none_left(bytes)) }
    }

    /// Appends so many zeros.
    pub fn lengthen<T: Default + Clone>(&self, vec: &mut Vec<T>, more: u64) -> Result<(), MediaError> {
        self.grow(vec, more)?;
        vec.resize(vec.len() + more as usize, T::default());
        Ok(())
    }

    /// The next bytes of `input`, at most `most` of them. Memory is taken as they arrive, so that a length that is only claimed
    /// costs nothing.
    pub fn read(&self, input: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
        self.check(most).map_err(MediaError::carried)?;
        read_at_most(input, most)
    }
}

fn none_left(bytes: u64) -> MediaError {
    MediaError::Io {
        doing: format!("get {bytes} bytes of memory for the picture"),
        source: io::ErrorKind::OutOfMemory.into(),
    }
}

/// The next bytes of `input`, at most `most` of them, for whoever has a limit that is no picture's. Memory is taken as they
/// arrive.
pub(crate) fn read_at_most(input: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    const FIRST: u64 = 1 << 16;
    let mut bytes = Vec::new();
    loop {
        // As many again as there are: what has arrived bears out what is asked for next.
        let step = (bytes.len() as u64).max(FIRST).min(most - bytes.len() as u64);
        bytes.try_reserve_exact(step as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let before = bytes.len();
        input.take(step).read_to_end(&mut bytes)?;
        if ((bytes.len() - before) as u64) < step || bytes.len() as u64 == most {
            return Ok(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(limit: u64) -> Share {
        Share::of(&Limits { max_memory: limit, ..Limits::default() })
    }

    #[test]
    fn what_is_held_is_missing_until_it_is_given_back() {
        let share = share(1000);
        let held = share.clone().hold(600).unwrap();
        let Err(MediaError::TooMuchMemory { needed, limit }) = share.bytes(401) else { panic!("more than there is") };
        assert_eq!((needed, limit), (1001, 1000));
        assert_eq!(share.bytes(400).unwrap(), [0; 400]);
        assert!(share.hold(401).is_err() && share.vec::<u64>(51).is_err());
        drop(held);
        assert_eq!(share.vec::<u64>(125).unwrap().capacity(), 125);
    }

    #[test]
    fn a_list_grows_within_the_share_and_no_further() {
        let share = share(10);
        let mut bytes = vec![7_u8; 4];
        share.lengthen(&mut bytes, 6).unwrap();
        assert_eq!(bytes, [7, 7, 7, 7, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(share.lengthen(&mut bytes, 1), Err(MediaError::TooMuchMemory { needed: 11, limit: 10 })));
        assert_eq!(bytes.len(), 10);
        assert!(share.grow(&mut Vec::<u64>::new(), u64::MAX).is_err(), "no overflow");
    }

    #[test]
    fn what_no_machine_has_is_an_error_and_not_the_end() {
        let error = share(u64::MAX).bytes(1 << 62).unwrap_err();
        assert!(matches!(error, MediaError::Io { .. }) && error.to_string().contains("bytes of memory"), "{error}");
    }

    #[test]
    fn a_length_that_is_only_claimed_takes_no_memory() {
        let long = vec![5; 300_000];
        for (input, most) in [(&long[..], 1 << 40), (&long, 300_000), (&long, 200_000), (&long[..10], 10), (&[], 5)] {
            let read = share(1 << 50).read(&mut { input }, most).unwrap();
            assert_eq!(read, input[..input.len().min(most as usize)]);
            assert!(read.capacity() <= 2 * read.len().max(1 << 15), "{} for {}", read.capacity(), read.len());
        }
        let error = MediaError::reading(super::super::Format::Png, share(10).read(&mut &long[..], 11).unwrap_err());
        assert!(matches!(error, MediaError::TooMuchMemory { needed: 11, limit: 10 }), "{error}");
    }
}
