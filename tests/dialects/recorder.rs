//! What calls of tests send to the database: sqlx tells each statement to `tracing`, the store tells its own text of it, and a span
//! says which call of which test sent it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Mutex, Once};

use tracing::Instrument;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

/// The statements of a test.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// As they were sent, and by which calls.
    pub sent: BTreeMap<String, BTreeSet<String>>,
    /// As the source has them.
    pub written: BTreeSet<String>,
}

static RECORDED: Mutex<BTreeMap<String, Recorded>> = Mutex::new(BTreeMap::new());

const SPAN: &str = "recorded";

/// Makes a call of a test whose statements are written down.
pub async fn call<T>(test: &str, name: &str, work: impl Future<Output = T>) -> T {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let ours = filter::filter_fn(|told| {
            told.name() == SPAN || ["sqlx::query", "prepress::store::sql::query"].contains(&told.target())
        });
        let subscriber = tracing_subscriber::registry().with(Recorder.with_filter(ours));
        tracing::subscriber::set_global_default(subscriber).expect("nothing else in this binary listens");
    });
    work.instrument(tracing::debug_span!("recorded", test, call = name)).await
}

/// What the calls of a test have sent.
pub fn recorded(test: &str) -> Recorded {
    RECORDED.lock().unwrap().get(test).cloned().unwrap_or_default()
}

struct Recorder;

struct CallOf {
    test: String,
    call: String,
}

#[derive(Default)]
struct Texts(BTreeMap<&'static str, String>);

impl Visit for Texts {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, id: &tracing::Id, context: Context<'_, S>) {
        let mut texts = Texts::default();
        attributes.record(&mut texts);
        if let (Some(span), Some(test), Some(call)) = (context.span(id), texts.0.remove("test"), texts.0.remove("call"))
        {
            span.extensions_mut().insert(CallOf { test, call });
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let spans = context.event_scope(event).into_iter().flatten();
        let Some(span) = spans.into_iter().find(|span| span.name() == SPAN) else { return };
        let extensions = span.extensions();
        let Some(CallOf { test, call }) = extensions.get::<CallOf>() else { return };
        let mut texts = Texts::default();
        event.record(&mut texts);
        let mut recorded = RECORDED.lock().unwrap();
        let recorded = recorded.entry(test.clone()).or_default();
        if let Some(text) = texts.0.remove("text") {
            recorded.written.insert(text);
            return;
        }
        // A statement of few words is its own summary.
        let whole = texts.0.remove("db.statement").filter(|sql| !sql.is_empty());
        let Some(sql) = whole.or_else(|| texts.0.remove("summary")) else { return };
        recorded.sent.entry(sql.trim().to_owned()).or_default().insert(call.clone());
    }
}
