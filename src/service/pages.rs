//! Answers that are too long to be held in memory as a whole.
//!
//! What belongs to the answer is decided at once: the numbers of its rows are read in one statement, eight bytes each. The
//! rows follow page by page, as fast as the reader takes them, and between two pages nothing of the database is held: no
//! connection, and no transaction, which would keep the write-ahead log from being written back. Whatever happens
//! meanwhile, a row that is there from the beginning to the end comes once.

use std::num::NonZeroUsize;
use std::vec;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};

use super::Error;

/// Rows in a page: a megabyte or two.
pub const PAGE: NonZeroUsize = NonZeroUsize::new(100).expect("more than none");

/// A list of which the first page is there.
pub struct Pages<T> {
    pub first: Vec<T>,
    pub rest: Rest<T>,
}

/// What follows the first page.
pub enum Rest<T> {
    Nothing,
    Pages(BoxStream<'static, Result<Vec<T>, Error>>),
}

impl<T: Send + 'static> Pages<T> {
    /// The rows of these numbers as `read` has them. What is wrong with the first page is an error, and with a later one
    /// of the stream.
    pub async fn read<N, F>(numbers: Vec<N>, mut read: F) -> Result<Self, Error>
    where
        N: Send + 'static,
        F: FnMut(Vec<N>) -> BoxFuture<'static, Result<Vec<T>, Error>> + Send + 'static,
    {
        let mut numbers = numbers.into_iter();
        let first = match page(&mut numbers) {
            Some(page) => read(page).await?,
            None => Vec::new(),
        };
        if numbers.len() == 0 {
            return Ok(Self { first, rest: Rest::Nothing });
        }
        let rest = stream::unfold(Some((numbers, read)), |state| async {
            let (mut numbers, mut read) = state?;
            match read(page(&mut numbers)?).await {
                Ok(rows) => Some((Ok(rows), Some((numbers, read)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Self { first, rest: Rest::Pages(rest.boxed()) })
    }

    /// All of it, for who wants it in memory.
    pub async fn all(self) -> Result<Vec<T>, Error> {
        let mut rows = self.first;
        if let Rest::Pages(mut pages) = self.rest {
            while let Some(page) = pages.next().await {
                rows.extend(page?);
            }
        }
        Ok(rows)
    }
}

fn page<N>(numbers: &mut vec::IntoIter<N>) -> Option<Vec<N>> {
    let page: Vec<N> = numbers.take(PAGE.get()).collect();
    (!page.is_empty()).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_row_comes_once_and_an_error_ends_it() {
        for length in [0, 1, PAGE.get(), PAGE.get() + 1, 3 * PAGE.get() + 7] {
            let numbers: Vec<usize> = (0..length).collect();
            let pages = Pages::read(numbers.clone(), |page| Box::pin(async { Ok(page) })).await.unwrap();
            assert_eq!(matches!(pages.rest, Rest::Nothing), length <= PAGE.get());
            assert_eq!(pages.all().await.unwrap(), numbers);
        }
        let broken = |at: usize| {
            Pages::read((0..5 * PAGE.get()).collect(), move |page: Vec<usize>| {
                let broken = page.contains(&at);
                Box::pin(async move { if broken { Err(Error::Internal("broken".to_owned())) } else { Ok(page) } })
            })
        };
        assert!(broken(3).await.is_err(), "the first page is an answer or an error");
        let Rest::Pages(rest) = broken(2 * PAGE.get()).await.unwrap().rest else { panic!("there is more") };
        let rest: Vec<bool> = rest.map(|page| page.is_ok()).collect().await;
        assert_eq!(rest, [true, false], "nothing follows an error");
    }
}
