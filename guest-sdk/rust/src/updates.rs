//! What others ask a run to do: updates, let in or turned down, worked on, and answered.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::refrain::workflow::definition::MessageType;
use crate::bindings::refrain::workflow::messages;
use crate::bindings::refrain::workflow::types::Payload;
use crate::failure::{Context, FailureKind};
use crate::handlers::UpdateCode;
use crate::{Failure, handlers, host, payload, workflow};

/// A kind of update: its name, what it is sent with, and what is answered.
///
/// An update is a request that changes the run: it is checked, let in or turned down, worked on by its handler, and
/// answered. Set the handler before the first `await`, so that it is there whenever one comes; the run may even
/// have been started by it.
///
/// ```
/// # use std::cell::RefCell;
/// # use std::rc::Rc;
/// # use refrain_sdk::*;
/// const ADD: Update<String, usize> = Update::new("add").doc("Adds to the cart; how much is in it then.");
/// const PAY: Signal<()> = Signal::new("pay");
///
/// #[workflow(updates(ADD), signals(PAY))]
/// async fn cart() -> Result<Vec<String>, Failure> {
///     let cart = Rc::new(RefCell::new(Vec::new()));
///     ADD.handle_validated(
///         |thing| match thing.as_str() {
///             "" => Err(Failure::typed("Nothing", "say what to add")),
///             _ => Ok(()),
///         },
///         {
///             let cart = cart.clone();
///             async move |thing| {
///                 activity::<()>("reserve", &thing).start_to_close(secs(10)).await?;
///                 cart.borrow_mut().push(thing);
///                 Ok(cart.borrow().len())
///             }
///         },
///     );
///     PAY.recv().await;
///     wait_condition(all_handlers_finished).await;
///     Ok(cart.take())
/// }
///
/// let ended = testing::Env::new()
///     .activity("reserve", |_: String| Ok(()))
///     .update(secs(1), "add", &"apple")
///     .update(secs(2), "add", &"")
///     .signal(secs(3), "pay", &())
///     .run::<cart>(&());
/// assert_eq!(ended.update_result::<usize>(0).unwrap(), 1);
/// assert_eq!(ended.update_stage(1), testing::UpdateStage::Rejected);
/// assert_eq!(ended.result::<Vec<String>>().unwrap(), ["apple"]);
/// ```
///
/// The compiler holds what is listed against its kind:
///
/// ```compile_fail,E0308
/// # use refrain_sdk::*;
/// const PAY: Signal<()> = Signal::new("pay");
///
/// #[workflow(updates(PAY))]
/// async fn cart() -> Result<(), Failure> {
///     Ok(())
/// }
/// ```
///
/// Each update is handled by a task of its own, so that several may be under way at once. It begins when all that
/// the same wait delivered was taken in and everything that could go on because of it has run; the updates of one
/// wait in their order, each up to where it waits. One for which there is no handler then is rejected
/// (`not-handled`): updates do not wait for a handler, as signals do. So is one whose input does not fit.
///
/// Who sent an update that was let in gets what the handler returns; a run that ends before that answers with a
/// failure (`run-ended`): wait for [`all_handlers_finished`](crate::all_handlers_finished). A panic in a handler is
/// the workflow's own.
pub struct Update<I, O> {
    name: &'static str,
    doc: &'static str,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Clone for Update<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O> Copy for Update<I, O> {}

impl<I, O> Update<I, O> {
    /// The update of that name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, doc: "", types: PhantomData }
    }

    /// What it does, for people who may send it.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

impl<I: DeserializeOwned + 'static, O: Serialize + 'static> Update<I, O> {
    /// Handles this update from now on, in place of the handler before, if there was one. Every one whose input
    /// fits is let in.
    pub fn handle(&self, handler: impl AsyncFn(I) -> Result<O, Failure> + 'static) {
        self.handle_validated(|_| Ok(()), handler);
    }

    /// As [`handle`](Self::handle), for those that `validate` lets in. Who sent another gets its failure, and the
    /// run forgets about it. The validator sees the run as it is when the handler would begin. It only looks: it
    /// changes nothing, and starts nothing.
    pub fn handle_validated(
        &self,
        validate: impl Fn(&I) -> Result<(), Failure> + 'static,
        handler: impl AsyncFn(I) -> Result<O, Failure> + 'static,
    ) {
        let name = self.name;
        let handler = Rc::new(handler);
        let begin = move |input: &Payload| -> Result<Answer, Failure> {
            let input: I = payload::decode(input).map_err(|why| bad_input(name, why))?;
            validate(&input)?;
            let handler = handler.clone();
            Ok(Box::pin(async move {
                let output = (*handler)(input).await?;
                payload::encode(&output).with_context(|| format!("answer to update `{name}`"))
            }))
        };
        handlers::handle_updates_by(UpdateCode { handle, close });
        let replaced = HANDLERS.with_borrow_mut(|handlers| {
            let place = handlers.iter().position(|(known, _)| *known == name);
            let replaced = place.map(|place| handlers.remove(place));
            handlers.push((name, Rc::new(begin)));
            replaced
        });
        drop(replaced);
    }
}

impl<I: JsonSchema, O: JsonSchema> Update<I, O> {
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

type Answer = Pin<Box<dyn Future<Output = Result<Payload, Failure>>>>;

/// Lets an update with that input in, or turns it down.
type Begin = Rc<dyn Fn(&Payload) -> Result<Answer, Failure>>;

thread_local! {
    static HANDLERS: RefCell<Vec<(&'static str, Begin)>> = RefCell::default();
    static CURRENT: RefCell<Option<UpdateInfo>> = const { RefCell::new(None) };
}

/// Forgets all handlers: the run has ended.
fn close() {
    drop(HANDLERS.take());
}

/// Accepts or rejects an update that a wait has delivered.
fn handle(update: messages::Update) {
    let messages::Update { request, update_id, name, input } = update;
    let found = HANDLERS.with_borrow(|handlers| {
        handlers.iter().find(|(known, _)| *known == name).map(|(known, begin)| (*known, begin.clone()))
    });
    let Some((name, begin)) = found else {
        return host::with(|host| host.reject(request, not_handled(&name).into_wire()));
    };
    let current = UpdateInfo { id: update_id, name };
    let begun = {
        let _current = Current::enter(&current);
        begin(&input)
    };
    match begun {
        Ok(answer) => {
            host::with(|host| host.accept(request));
            handlers::run(("update", name), async move {
                let answer = Handling { current, answer }.await;
                host::with(|host| host.complete(request, answer.map_err(Failure::into_wire)));
            });
        }
        Err(reason) => host::with(|host| host.reject(request, reason.into_wire())),
    }
}

fn bad_input(name: &str, why: Failure) -> Failure {
    Failure::typed("bad-input", format!("input of update `{name}`")).caused_by(why).non_retryable()
}

fn not_handled(name: &str) -> Failure {
    let known: Vec<_> = HANDLERS.with_borrow(|handlers| handlers.iter().map(|(name, _)| *name).collect());
    let message = format!("the workflow takes no update `{name}` now; it takes {}", known.join(", "));
    Failure::of(FailureKind::Host, "not-handled".to_owned(), message)
}

/// Which update is handled; see [`current_update`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateInfo {
    /// Its id: the same in whatever way and however often its sender asks for it.
    pub id: String,
    /// Its name.
    pub name: &'static str,
}

/// The update whose validator or handler this is called from; `None` anywhere else, also in tasks that a handler
/// has spawned.
#[must_use]
pub fn current_update() -> Option<UpdateInfo> {
    CURRENT.with_borrow(Clone::clone)
}

/// While it lives, an update is the current one. Nothing nests: handlers are tasks.
struct Current;

impl Current {
    fn enter(current: &UpdateInfo) -> Self {
        CURRENT.set(Some(current.clone()));
        Self
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// A handler's future, with its update as the current one.
struct Handling {
    current: UpdateInfo,
    answer: Answer,
}

impl Future for Handling {
    type Output = Result<Payload, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let _current = Current::enter(&self.current);
        self.answer.as_mut().poll(cx)
    }
}
