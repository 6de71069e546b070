//! A file that is not read on once the work is to stop. Every decoder reads through it, so that none goes on for long with
//! what a file claims, whatever loop it is in.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::error::MediaError;
use super::Cancel;

#[derive(Clone)]
pub(crate) struct Watched<'a, R> {
    inner: R,
    cancel: Cancel<'a>,
}

impl<'a, R> Watched<'a, R> {
    pub fn new(inner: R, cancel: Cancel<'a>) -> Self {
        Self { inner, cancel }
    }

    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.cancel)() { Err(MediaError::Cancelled.carried()) } else { self.inner.read(buffer) }
    }
}

impl<R: Seek> Seek for Watched<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
