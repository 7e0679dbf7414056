//! What others tell a run: signals, and the wish that it end.

use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::refrain::workflow::definition::MessageType;
use crate::inbox::SignalHandler;
use crate::{Execution, Failure, Sent, handlers, inbox, payload, workflow};

/// A kind of signal: its name and its type. All with one name are one queue.
///
/// ```
/// # use refrain_sdk::*;
/// const APPROVED: Signal<bool> = Signal::new("approved").doc("Whether the order may be sent.");
///
/// #[workflow(signals(APPROVED))]
/// async fn order() -> Result<&'static str, Failure> {
///     Ok(if APPROVED.recv().await { "sent" } else { "refused" })
/// }
/// ```
///
/// Signals that come while nobody waits are kept, and those that are still unread when the run
/// [continues as new](crate::continue_as_new) are the first that the next one gets. In any other case they end with
/// the run, and a warning in its log says so.
///
/// What is done for each signal may also be a [handler](Signal::handle) beside the workflow's own thread of
/// thought, and other workflows may be [sent](Signal::send_to) one.
pub struct Signal<T> {
    name: &'static str,
    doc: &'static str,
    input: PhantomData<fn() -> T>,
}

impl<T> Clone for Signal<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Signal<T> {}

impl<T> Signal<T> {
    /// The signal of that name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, doc: "", input: PhantomData }
    }

    /// What it means, for people who may send it.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

impl<T: DeserializeOwned> Signal<T> {
    /// Waits for the next one. One whose input does not fit `T` is passed over, with an error in the run's
    /// log: who sends nonsense must not be able to end a workflow.
    pub fn recv(&self) -> Recv<T> {
        Recv { signal: *self, ticket: None }
    }

    /// The next one, if it is there.
    #[must_use]
    pub fn try_recv(&self) -> Option<T> {
        loop {
            let input = inbox::take_signal(self.name)?;
            match payload::decode(&input) {
                Ok(value) => return Some(value),
                Err(failure) => pass_over(self.name, &failure),
            }
        }
    }

    /// All that are there, in the order in which they came.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// const ORDER: Signal<String> = Signal::new("order");
    ///
    /// /// Works on what came in an hour as one batch.
    /// #[workflow(signals(ORDER))]
    /// async fn batches() -> Result<Next<()>, Failure> {
    ///     sleep(hours(1)).await;
    ///     activity::<()>("work", &ORDER.drain()).start_to_close(hours(1)).await?;
    ///     Ok(continue_as_new(&()).into())
    /// }
    /// ```
    #[must_use = "what is drained is nowhere else"]
    pub fn drain(&self) -> Vec<T> {
        std::iter::from_fn(|| self.try_recv()).collect()
    }
}

fn pass_over(signal: &str, failure: &Failure) {
    crate::error!(signal = signal, "signal passed over: {failure}");
}

impl<T: DeserializeOwned + 'static> Signal<T> {
    /// Handles this signal from now on, in place of the handler before, if there was one: each by a task of its
    /// own, so that several may be under way at once. They begin in the order in which the signals came, those
    /// that are unread first. [`recv`](Self::recv) gets none any more.
    ///
    /// One whose input does not fit `T` is passed over, with an error in the run's log. A workflow that ends cuts
    /// its handlers off: wait for [`all_handlers_finished`](crate::all_handlers_finished).
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// const NOTE: Signal<String> = Signal::new("note");
    ///
    /// #[workflow(signals(NOTE))]
    /// async fn takes_notes() -> Result<(), Failure> {
    ///     NOTE.handle(async |note| {
    ///         let kept = activity::<()>("keep", &note).start_to_close(secs(10)).await;
    ///         if let Err(failure) = kept {
    ///             warn!("lost a note: {failure}");
    ///         }
    ///     });
    ///     sleep(days(1)).await;
    ///     wait_condition(all_handlers_finished).await;
    ///     Ok(())
    /// }
    /// ```
    pub fn handle(&self, handler: impl AsyncFn(T) + 'static) {
        let name = self.name;
        let handler = Rc::new(handler);
        let handle: SignalHandler = Rc::new(move |input| match payload::decode(input) {
            Ok(value) => {
                let handler = handler.clone();
                handlers::run(("signal", name), async move { (*handler)(value).await });
            }
            Err(failure) => pass_over(name, &failure),
        });
        inbox::handle_signal(name, &handle);
    }
}

impl<T: Serialize> Signal<T> {
    /// Sends it to another execution: [`Execution::signal`] with the name and the type of this one.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// # const APPROVED: Signal<bool> = Signal::new("approved");
    /// # async fn example() -> Result<(), Failure> {
    /// APPROVED.send_to(&external("order-7"), &true).await?;
    /// # Ok(()) }
    /// ```
    pub fn send_to(&self, target: &Execution, input: &T) -> Sent {
        target.signal(self.name, input)
    }
}

impl<T: JsonSchema> Signal<T> {
    #[doc(hidden)]
    #[must_use]
    pub fn describe(&self) -> MessageType {
        MessageType {
            name: self.name.to_owned(),
            doc: self.doc.to_owned(),
            input_schema: Some(workflow::schema::<T>()),
            output_schema: None,
        }
    }
}

/// Made by [`Signal::recv`]. Dropping it takes no signal.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Recv<T> {
    signal: Signal<T>,
    ticket: Option<u64>,
}

impl<T: DeserializeOwned> Future for Recv<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.signal.try_recv() {
            Some(value) => Poll::Ready(value),
            None => {
                inbox::register_for_signal(self.signal.name, &mut self.ticket, cx);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Recv<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            inbox::unregister_for_signal(self.signal.name, ticket);
        }
    }
}

/// Whether someone asked this run to end early.
#[must_use]
pub fn is_cancel_requested() -> bool {
    inbox::cancel_reason().is_some()
}

/// Waits until someone asks this run to end early; gives the reason.
///
/// Nothing is canceled by itself: the workflow hears of it here or through [`or_canceled`], and cleans up.
pub fn canceled() -> Canceled {
    Canceled { ticket: None }
}

/// Made by [`canceled`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Canceled {
    ticket: Option<u64>,
}

impl Future for Canceled {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<String> {
        match inbox::cancel_reason() {
            Some(reason) => Poll::Ready(reason),
            None => {
                inbox::register_for_cancel(&mut self.ticket, cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Canceled {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            inbox::unregister_for_cancel(ticket);
        }
    }
}

/// The output of `future`, or a failure of kind canceled as soon as someone asks this run to end.
///
/// With `?` it is all that most workflows need: the failure passes through the [sagas](crate::saga), which
/// undo, and a workflow that returns it ends as canceled. Starts nothing when the request is already there.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// or_canceled(sleep(days(30))).await?;
/// # Ok(()) }
/// ```
pub fn or_canceled<F: IntoFuture>(future: F) -> OrCanceled<F::IntoFuture> {
    let future = (!is_cancel_requested()).then(|| Box::pin(future.into_future()));
    OrCanceled { canceled: canceled(), future }
}

/// Made by [`or_canceled`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct OrCanceled<F> {
    canceled: Canceled,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for OrCanceled<F> {
    type Output = Result<F::Output, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(future) = &mut self.future {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
        }
        let reason = ready!(Pin::new(&mut self.canceled).poll(cx));
        self.future = None;
        Poll::Ready(Err(Failure::canceled(reason)))
    }
}
