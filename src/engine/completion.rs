//! Completion URLs: httpCompletionUrl and postHttpUrl, requested when a job is done.
//!
//! The reference leaves method and body open; clients use the address as a web hook. A GET with no body asks the least of
//! them. Any answer below 400 counts as heard; 4xx but 408 and 429 will not get better by repetition. The addresses come
//! from users, so the same guard stands before them as before addresses to fetch.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{StatusCode, header};
use url::Url;

use super::notifier::{CallUrl, Undelivered, UrlAnswer};
use crate::outward::{self, Guard};
use crate::store::jobs::outbox::Outgoing;

/// Requests addresses over HTTP.
pub struct HttpCompletion {
    client: reqwest::Client,
    guard: Guard,
    max_redirects: u32,
}

impl HttpCompletion {
    pub fn new(guard: Guard, timeout: Duration, max_redirects: u32) -> Result<Self, reqwest::Error> {
        Ok(Self { client: guard.client().timeout(timeout).build()?, guard, max_redirects })
    }

    /// The status of an address, behind all redirects.
    async fn ask(&self, address: &str) -> Result<StatusCode, Undelivered> {
        let lasting = |error: &dyn std::fmt::Display| Undelivered::Permanent(error.to_string());
        let mut url = Url::parse(address).map_err(|e| lasting(&e))?;
        for _ in 0..=self.max_redirects {
            self.guard.check(&url).map_err(|e| lasting(&e))?;
            let response = self.client.get(url.clone()).send().await.map_err(failed)?;
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            match location.filter(|_| response.status().is_redirection()) {
                Some(location) => url = url.join(location).map_err(|e| lasting(&e))?,
                None => return Ok(response.status()),
            }
        }
        Err(Undelivered::Permanent(format!("it was redirected more than {} times", self.max_redirects)))
    }
}

fn failed(error: reqwest::Error) -> Undelivered {
    match outward::refusal(&error) {
        Some(refusal) => Undelivered::Permanent(refusal.to_string()),
        None => Undelivered::Transient(outward::chain(&error.without_url())),
    }
}

#[async_trait]
impl CallUrl for HttpCompletion {
    async fn call(&self, message: &Outgoing) -> UrlAnswer {
        let status = self.ask(&message.recipient).await?;
        if status.as_u16() < 400 {
            Ok(())
        } else if status.is_client_error() && !matches!(status.as_u16(), 408 | 429) {
            Err(Undelivered::Permanent(format!("the server answered {status}")))
        } else {
            Err(Undelivered::Transient(format!("the server answered {status}")))
        }
    }
}
