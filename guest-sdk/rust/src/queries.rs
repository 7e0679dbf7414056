//! What others ask a run: queries, answered from what the workflow knows, by an instance that is thrown away.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::refrain::workflow::definition::MessageType;
use crate::bindings::refrain::workflow::messages;
use crate::bindings::refrain::workflow::types::Payload;
use crate::failure::{Context, FailureKind};
use crate::{Failure, host, payload, workflow};

/// A kind of query: its name, what it is asked with, and what is answered.
///
/// The workflow shares what it knows with the handler. Set it before the first `await`, so that it is there
/// whenever someone asks.
///
/// ```
/// # use std::cell::Cell;
/// # use std::rc::Rc;
/// # use refrain_sdk::*;
/// const LEFT: Query<(), u32> = Query::new("left").doc("How many days are left.");
///
/// #[workflow(queries(LEFT))]
/// async fn countdown(days_left: u32) -> Result<(), Failure> {
///     let left = Rc::new(Cell::new(days_left));
///     LEFT.handle({
///         let left = left.clone();
///         move |()| left.get()
///     });
///     while left.get() > 0 {
///         sleep(days(1)).await;
///         left.set(left.get() - 1);
///     }
///     Ok(())
/// }
/// ```
///
/// Each query is asked in an instance of its own, which is brought to where the run stands, asked, and thrown
/// away: what a handler changes is gone, and one that starts, cancels or waits for anything fails its query
/// (`query-tried-to-change`). A panic fails the query and nothing else. A run that has ended is asked too, by the
/// handlers that it had; so is any moment of its past.
pub struct Query<I, O> {
    name: &'static str,
    doc: &'static str,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Clone for Query<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O> Copy for Query<I, O> {}

impl<I, O> Query<I, O> {
    /// The query of that name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, doc: "", types: PhantomData }
    }

    /// What it tells, for people who may ask.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

impl<I: DeserializeOwned + 'static, O: Serialize + 'static> Query<I, O> {
    /// Answers this query from now on, in place of the handler before, if there was one.
    pub fn handle(&self, handler: impl Fn(I) -> O + 'static) {
        self.try_handle(move |input| Ok(handler(input)));
    }

    /// As [`handle`](Self::handle), for what cannot always be answered: who asks gets the failure.
    pub fn try_handle(&self, handler: impl Fn(I) -> Result<O, Failure> + 'static) {
        let name = self.name;
        let handler = move |input: &Payload| {
            let input = payload::decode(input).context(format!("input of query `{name}`"))?;
            payload::encode(&handler(input)?).context(format!("answer to query `{name}`"))
        };
        HANDLERS.with_borrow_mut(|handlers| {
            handlers.retain(|(known, _)| *known != name);
            handlers.push((name, Rc::new(handler)));
        });
    }
}

impl<I: JsonSchema, O: JsonSchema> Query<I, O> {
    #[doc(hidden)]
    #[must_use]
    pub fn describe(&self) -> MessageType {
        MessageType {
            name: self.name.to_owned(),
            doc: self.doc.to_owned(),
            input_schema: Some(workflow::schema::<I>()),
            output_schema: Some(workflow::schema::<O>()),
        }
    }
}

type Handler = Rc<dyn Fn(&Payload) -> Result<Payload, Failure>>;

thread_local! {
    /// They outlive the workflow's own code: a run that has ended is asked too.
    static HANDLERS: RefCell<Vec<(&'static str, Handler)>> = RefCell::default();
}

/// Forgets all handlers: a new run begins.
pub(crate) fn open() {
    drop(HANDLERS.take());
}

/// Whether any query has a handler.
pub(crate) fn are_handled() -> bool {
    HANDLERS.with_borrow(|handlers| !handlers.is_empty())
}

/// Answers a query that a wait has delivered.
pub(crate) fn answer(query: &messages::Query) {
    let found = HANDLERS.with_borrow(|handlers| {
        handlers.iter().find(|(name, _)| *name == query.name).map(|(_, handler)| handler.clone())
    });
    let answer = match found {
        // Compiled to WebAssembly a panic traps, which ends this instance and the query with it.
        Some(handler) => catch_unwind(AssertUnwindSafe(|| handler(&query.input)))
            .unwrap_or_else(|panic| Err(panicked(&*panic))),
        None => Err(unknown(&query.name)),
    };
    host::with(|host| host.answer(query.request, answer.map_err(Failure::into_wire)));
}

fn unknown(name: &str) -> Failure {
    let known: Vec<_> = HANDLERS.with_borrow(|handlers| handlers.iter().map(|(name, _)| *name).collect());
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message = format!("the workflow answers no query `{name}`; it answers {known}");
    Failure::of(FailureKind::Host, "not-found".to_owned(), message)
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let literal = panic.downcast_ref::<&str>().copied();
    let message = literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
    let message = format!("the workflow's code trapped: {message}");
    Failure::of(FailureKind::Host, "query-failed".to_owned(), message)
}
