//! Kinds of jobs that are accepted and checked, but not carried out yet.

use async_trait::async_trait;

use super::{Context, Executor, Failure};
use crate::model::log::Message;

pub struct NotAvailable;

#[async_trait]
impl Executor for NotAvailable {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        let kind = context.run.spec.kind();
        Err(Failure::Fatal(Message::new("not-available").with("kind", kind.type_name())))
    }
}
