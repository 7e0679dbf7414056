//! Several futures at once: all of them, the first of them, or many with a limit.
//!
//! What is given is turned into futures in the order in which it is given (so activities start in that
//! order), each is polled once in that order, and from then on in the order in which events wake them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::wakes::{Child, Wakes};

/// Waits for all; gives the outputs in the order of the futures, whatever the order in which they ended.
pub fn join_all<I>(futures: I) -> JoinAll<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    join_bounded(usize::MAX, futures)
}

/// As [`join_all`], with at most `limit` at once: the next is taken from the iterator when one has ended.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example(urls: Vec<String>) {
/// let fetches = urls.iter().map(|url| activity::<String>("fetch", url).start_to_close(secs(30)));
/// let pages: Vec<Result<String, Failure>> = join_bounded(8, fetches).await;
/// # }
/// ```
///
/// # Panics
///
/// When `limit` is 0.
pub fn join_bounded<I>(limit: usize, futures: I) -> JoinAll<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    JoinAll { futures: FanOut::new(limit, futures.into_iter()), outputs: Outputs::new() }
}

/// As [`join_all`], and ends with the first error; what still runs is dropped then.
pub fn try_join_all<I, T, E>(futures: I) -> TryJoinAll<I::IntoIter, T, E>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    try_join_bounded(usize::MAX, futures)
}

/// As [`join_bounded`], and ends with the first error; what still runs is dropped then.
///
/// # Panics
///
/// When `limit` is 0.
pub fn try_join_bounded<I, T, E>(limit: usize, futures: I) -> TryJoinAll<I::IntoIter, T, E>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    let futures = FanOut::new(limit, futures.into_iter());
    TryJoinAll { futures, outputs: Outputs::new(), error: PhantomData }
}

/// Waits for the first of many: its place and its output. The others are dropped.
///
/// # Panics
///
/// When there are none, as that would wait for ever.
pub fn select_all<I>(futures: I) -> SelectAll<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    SelectAll { futures: FanOut::new(usize::MAX, futures.into_iter()) }
}

type FutureOf<I> = <<I as Iterator>::Item as IntoFuture>::IntoFuture;
type OutputOf<I> = <<I as Iterator>::Item as IntoFuture>::Output;

/// A future and what its waker points to.
type Running<F> = (Pin<Box<F>>, Arc<Child>);

/// The futures of an iterator, at most `limit` of them at once.
struct FanOut<I: Iterator<Item: IntoFuture>> {
    limit: usize,
    /// Boxed, so that what holds it may be moved whatever the iterator is.
    source: Option<Box<I>>,
    started: usize,
    running: BTreeMap<usize, Running<FutureOf<I>>>,
    wakes: Wakes,
}

impl<I: Iterator<Item: IntoFuture>> FanOut<I> {
    fn new(limit: usize, source: I) -> Self {
        assert!(limit > 0, "a fan-out needs a limit of at least 1");
        let running = BTreeMap::new();
        Self { limit, source: Some(Box::new(source)), started: 0, running, wakes: Wakes::default() }
    }

    /// Hands each output to `take` until it breaks; ready with `None` when all have ended.
    fn poll<B>(
        &mut self,
        cx: &Context<'_>,
        mut take: impl FnMut(usize, OutputOf<I>) -> ControlFlow<B>,
    ) -> Poll<Option<B>> {
        self.wakes.set_parent(cx.waker());
        loop {
            self.fill();
            let woken = self.wakes.len();
            let before = self.running.len();
            for _ in 0..woken {
                let Some(index) = self.wakes.pop() else { break };
                let Some((future, child)) = self.running.get_mut(&index) else { continue };
                let waker = Waker::from(child.clone());
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    self.running.remove(&index);
                    if let ControlFlow::Break(result) = take(index, output) {
                        return Poll::Ready(Some(result));
                    }
                }
            }
            if self.running.is_empty() && self.source.is_none() {
                return Poll::Ready(None);
            }
            // Those that ended made room for others, which want their first poll.
            if self.running.len() == before || self.source.is_none() {
                return Poll::Pending;
            }
        }
    }

    /// Starts futures up to the limit.
    fn fill(&mut self) {
        while self.running.len() < self.limit {
            let Some(source) = &mut self.source else { return };
            let Some(future) = source.next() else {
                self.source = None;
                return;
            };
            let child = self.wakes.child(self.started);
            self.running.insert(self.started, (Box::pin(future.into_future()), child));
            self.started += 1;
        }
    }
}

/// Outputs that arrived, by place.
type Outputs<T> = BTreeMap<usize, T>;

fn in_order<T>(outputs: &mut Outputs<T>) -> Vec<T> {
    std::mem::take(outputs).into_values().collect()
}

/// Made by [`join_all`] and [`join_bounded`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinAll<I: Iterator<Item: IntoFuture>> {
    futures: FanOut<I>,
    outputs: Outputs<OutputOf<I>>,
}

impl<I: Iterator<Item: IntoFuture>> Unpin for JoinAll<I> {}

impl<I: Iterator<Item: IntoFuture>> Future for JoinAll<I> {
    type Output = Vec<OutputOf<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { futures, outputs } = &mut *self;
        let ended = futures.poll(cx, |index, output| {
            outputs.insert(index, output);
            ControlFlow::<()>::Continue(())
        });
        ended.map(|_| in_order(outputs))
    }
}

/// Made by [`try_join_all`] and [`try_join_bounded`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct TryJoinAll<I: Iterator<Item: IntoFuture<Output = Result<T, E>>>, T, E> {
    futures: FanOut<I>,
    outputs: Outputs<T>,
    error: PhantomData<fn() -> E>,
}

impl<I: Iterator<Item: IntoFuture<Output = Result<T, E>>>, T, E> Unpin for TryJoinAll<I, T, E> {}

impl<I: Iterator<Item: IntoFuture<Output = Result<T, E>>>, T, E> Future for TryJoinAll<I, T, E> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { futures, outputs, .. } = &mut *self;
        let ended = futures.poll(cx, |index, output| match output {
            Ok(output) => {
                outputs.insert(index, output);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        });
        ended.map(|error| match error {
            Some(error) => Err(error),
            None => Ok(in_order(outputs)),
        })
    }
}

/// Made by [`select_all`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct SelectAll<I: Iterator<Item: IntoFuture>> {
    futures: FanOut<I>,
}

impl<I: Iterator<Item: IntoFuture>> Unpin for SelectAll<I> {}

impl<I: Iterator<Item: IntoFuture>> Future for SelectAll<I> {
    type Output = (usize, OutputOf<I>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let first = self.futures.poll(cx, |index, output| ControlFlow::Break((index, output)));
        first.map(|first| first.expect("select_all needs at least one future"))
    }
}

/// A few futures of different types, each with its waker: what [`join!`](crate::join) and
/// [`select!`](crate::select) are made of.
struct Together<F, S> {
    futures: F,
    state: S,
    children: Vec<Arc<Child>>,
    wakes: Wakes,
}

impl<F, S> Together<F, S> {
    fn new(futures: F, state: S, count: usize) -> Self {
        let wakes = Wakes::default();
        let children = (0..count).map(|index| wakes.child(index)).collect();
        Self { futures, state, children, wakes }
    }
}

/// One future of [`Together`].
type Member<F> = Option<Pin<Box<<F as IntoFuture>::IntoFuture>>>;

fn poll_member<F: Future>(member: &mut Option<Pin<Box<F>>>, child: &Arc<Child>) -> Option<F::Output> {
    let waker = Waker::from(child.clone());
    match member.as_mut()?.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => {
            *member = None;
            Some(output)
        }
        Poll::Pending => None,
    }
}

/// Tuples that [`join!`](crate::join) waits for.
#[doc(hidden)]
pub trait Join {
    type Output;
    fn join(self) -> impl Future<Output = Self::Output>;
}

/// Tuples of which [`select!`](crate::select) takes the first to end.
#[doc(hidden)]
pub trait Select {
    type Output;
    fn select(self) -> impl Future<Output = Self::Output>;
}

/// No value: the type of the places that a shorter [`select!`](crate::select) does not have.
#[doc(hidden)]
pub enum Nobody {}

/// Which branch of a [`select!`](crate::select) was first.
#[doc(hidden)]
pub enum First<A, B, C = Nobody, D = Nobody, E = Nobody, F = Nobody> {
    A(A),
    B(B),
    C(C),
    D(D),
    E(E),
    F(F),
}

macro_rules! tuples {
    ($count:literal: $($future:ident $place:tt $branch:ident),+) => {
        impl<$($future: IntoFuture),+> Join for ($($future,)+) {
            type Output = ($($future::Output,)+);

            fn join(self) -> impl Future<Output = Self::Output> {
                let futures = ($(Some(Box::pin(self.$place.into_future())),)+);
                let outputs = ($(None::<$future::Output>,)+);
                let mut all: Together<($(Member<$future>,)+), _> = Together::new(futures, outputs, $count);
                std::future::poll_fn(move |cx| {
                    all.wakes.set_parent(cx.waker());
                    for _ in 0..all.wakes.len() {
                        match all.wakes.pop() {
                            $(Some($place) => {
                                if let Some(output) = poll_member(&mut all.futures.$place, &all.children[$place]) {
                                    all.state.$place = Some(output);
                                }
                            })+
                            _ => break,
                        }
                    }
                    if $(all.futures.$place.is_some())||+ {
                        return Poll::Pending;
                    }
                    match ($(all.state.$place.take(),)+) {
                        ($(Some($branch),)+) => Poll::Ready(($($branch,)+)),
                        _ => panic!("`join!` was polled after its end"),
                    }
                })
            }
        }

        impl<$($future: IntoFuture),+> Select for ($($future,)+) {
            type Output = First<$($future::Output),+>;

            fn select(self) -> impl Future<Output = Self::Output> {
                let futures = ($(Some(Box::pin(self.$place.into_future())),)+);
                let mut all: Together<($(Member<$future>,)+), ()> = Together::new(futures, (), $count);
                std::future::poll_fn(move |cx| {
                    all.wakes.set_parent(cx.waker());
                    for _ in 0..all.wakes.len() {
                        match all.wakes.pop() {
                            $(Some($place) => {
                                if let Some(output) = poll_member(&mut all.futures.$place, &all.children[$place]) {
                                    // The others are dropped here, before the branch's code runs.
                                    all.futures = Default::default();
                                    return Poll::Ready(First::$branch(output));
                                }
                            })+
                            _ => break,
                        }
                    }
                    Poll::Pending
                })
            }
        }
    };
}

#[allow(non_snake_case, reason = "the type parameters' names serve as variables")]
mod tuples {
    use super::*;
    tuples!(2: FA 0 A, FB 1 B);
    tuples!(3: FA 0 A, FB 1 B, FC 2 C);
    tuples!(4: FA 0 A, FB 1 B, FC 2 C, FD 3 D);
    tuples!(5: FA 0 A, FB 1 B, FC 2 C, FD 3 D, FE 4 E);
    tuples!(6: FA 0 A, FB 1 B, FC 2 C, FD 3 D, FE 4 E, FF 5 F);
}

/// Waits for two to six futures of any types: `let (a, b) = join!(a, b);`.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let price = activity::<u64>("price", "apple").start_to_close(secs(5));
/// let stock = activity::<bool>("in-stock", "apple").start_to_close(secs(5));
/// let (price, stock) = join!(price, stock);
/// if stock? {
///     info!(price = price?, "there are apples");
/// }
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),+ $(,)?) => {
        $crate::__private::Join::join(($($future,)+)).await
    };
}

/// Waits for the first of two to six futures and runs its branch; the others are dropped before that.
///
/// The one whose event happened first wins. Of those that are ready from the start, the uppermost wins.
/// `break`, `return` and `?` work in the branches.
///
/// ```
/// # use refrain_sdk::*;
/// # const ANSWER: Signal<String> = Signal::new("answer");
/// # async fn example() {
/// let answer = select! {
///     answer = ANSWER.recv() => Some(answer),
///     _ = sleep(days(7)) => None,
/// };
/// # }
/// ```
#[macro_export]
macro_rules! select {
    // Branches as `pattern = future => body`: a block may go without a comma.
    (@branches [$($done:tt)*]) => { $crate::select!(@places [$($done)*] [A B C D E F] []) };
    (@branches [$($done:tt)*] $pattern:pat = $future:expr => $body:block $(,)? $($rest:tt)*) => {
        $crate::select!(@branches [$($done)* ($pattern, $future, $body)] $($rest)*)
    };
    (@branches [$($done:tt)*] $pattern:pat = $future:expr => $body:expr $(, $($rest:tt)*)?) => {
        $crate::select!(@branches [$($done)* ($pattern, $future, $body)] $($($rest)*)?)
    };
    // Each branch gets its place.
    (@places [($($branch:tt)*) $($rest:tt)*] [$place:ident $($places:ident)*] [$($done:tt)*]) => {
        $crate::select!(@places [$($rest)*] [$($places)*] [$($done)* ($place, $($branch)*)])
    };
    (@places [] [$($places:ident)*] [$(($place:ident, $pattern:pat, $future:expr, $body:expr))+]) => {
        match $crate::__private::Select::select(($($future,)+)).await {
            $($crate::__private::First::$place($pattern) => $body,)+
        }
    };
    ($($branches:tt)+) => { $crate::select!(@branches [] $($branches)+) };
}
