//! Activities with their types erased, so that the host can keep any number of them by name.

use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ActivityError, Context, Payload};

/// A set of activities that are offered together.
pub trait Plugin: Send + Sync + 'static {
    /// The plugin's name. By convention its activities' names begin with it: `fs` offers `fs.list`.
    fn name(&self) -> &str;

    /// The activities that the plugin offers. The host asks once, when it starts.
    fn activities(&self) -> Vec<Activity>;
}

impl<P: Plugin + ?Sized> Plugin for Box<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn activities(&self) -> Vec<Activity> {
        (**self).activities()
    }
}

/// Where the host has to run an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On an async task: it never blocks for long.
    Async,
    /// On a thread where blocking is allowed.
    Blocking,
}

type Call = dyn Fn(Context, Payload) -> BoxFuture<'static, Result<Payload, ActivityError>> + Send + Sync;

/// One activity: a name and the code behind it. Cloning is cheap.
#[derive(Clone)]
pub struct Activity {
    name: String,
    kind: Kind,
    call: Arc<Call>,
}

impl Activity {
    /// An async activity. Input and output are JSON; an input that does not fit fails as
    /// [`ActivityError::INVALID_INPUT`] before `run` is called.
    pub fn new<I, O, F, Fut>(name: impl Into<String>, run: F) -> Activity
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, ActivityError>> + Send + 'static,
    {
        Activity::raw(name, move |ctx, input| {
            let running = read_input(&ctx, &input).map(|input| run(ctx, input));
            async move { write_output(&running?.await?) }
        })
    }

    /// An activity that blocks its thread: files, computing, libraries without async. It should call
    /// [`Context::check_cancelled`] between pieces of work, since a thread cannot be stopped from outside.
    pub fn blocking<I, O, F>(name: impl Into<String>, run: F) -> Activity
    where
        I: DeserializeOwned,
        O: Serialize,
        F: Fn(Context, I) -> Result<O, ActivityError> + Send + Sync + 'static,
    {
        let run = Arc::new(run);
        let call = move |ctx: Context, input: Payload| {
            let run = run.clone();
            async move {
                let input = read_input(&ctx, &input)?;
                write_output(&run(ctx, input)?)
            }
            .boxed()
        };
        Activity { name: name.into(), kind: Kind::Blocking, call: Arc::new(call) }
    }

    /// An async activity on payloads as they are, for content that is not JSON.
    pub fn raw<F, Fut>(name: impl Into<String>, run: F) -> Activity
    where
        F: Fn(Context, Payload) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Payload, ActivityError>> + Send + 'static,
    {
        Activity {
            name: name.into(),
            kind: Kind::Async,
            call: Arc::new(move |ctx, input| run(ctx, input).boxed()),
        }
    }

    /// The name by which workflows start it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where [`call`](Activity::call)'s future has to be polled.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Begins an attempt. The future of a [`Kind::Blocking`] activity does all of its work in its first poll:
    /// poll it on a thread where blocking is allowed. Panics of the plugin's code pass through.
    pub fn call(&self, ctx: Context, input: Payload) -> BoxFuture<'static, Result<Payload, ActivityError>> {
        (self.call)(ctx, input)
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activity").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn read_input<I: DeserializeOwned>(ctx: &Context, input: &Payload) -> Result<I, ActivityError> {
    input.parse().map_err(|error| {
        ActivityError::invalid_input(format!("input of activity `{}`: {error}", ctx.activity()))
    })
}

fn write_output<O: Serialize>(output: &O) -> Result<Payload, ActivityError> {
    Payload::json(output).map_err(|error| {
        let message = format!("the activity's output has no JSON form: {error}");
        ActivityError::non_retryable(ActivityError::INVALID_OUTPUT, message)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::executor::block_on;

    use super::*;
    use crate::ContextParts;

    fn call(activity: &Activity, input: &str) -> Result<String, ActivityError> {
        let input = Payload { content_type: Payload::JSON.to_owned(), data: input.to_owned().into() };
        let ctx = Context::new(ContextParts::detached(activity.name()));
        let output = block_on(activity.call(ctx, input))?;
        assert_eq!(output.content_type, Payload::JSON);
        Ok(String::from_utf8(output.data.to_vec()).unwrap())
    }

    #[derive(serde::Deserialize)]
    struct Numbers {
        numbers: Vec<i64>,
    }

    #[test]
    fn both_kinds_take_and_give_json() {
        let sum =
            Activity::new("sum", |_, input: Numbers| async move { Ok(input.numbers.iter().sum::<i64>()) });
        let max = Activity::blocking("max", |_, input: Numbers| Ok(input.numbers.into_iter().max()));
        assert_eq!((sum.kind(), max.kind()), (Kind::Async, Kind::Blocking));
        assert_eq!(call(&sum, r#"{"numbers": [1, 2]}"#).unwrap(), "3");
        assert_eq!(call(&max, r#"{"numbers": [1, 2]}"#).unwrap(), "2");
    }

    #[test]
    fn a_bad_input_names_activity_and_field_and_is_not_retried() {
        let never = |_: Context, _: Numbers| -> Result<(), ActivityError> { panic!("ran on a bad input") };
        let activities = [
            Activity::blocking("a", never),
            Activity::new("a", move |ctx, input| async move { never(ctx, input) }),
        ];
        for activity in activities {
            let error = call(&activity, r#"{"numbers": [1, "two"]}"#).unwrap_err();
            assert_eq!(error.error_type, ActivityError::INVALID_INPUT);
            assert!(error.non_retryable);
            let expected = "input of activity `a`: field `numbers[1]`: invalid type: string \"two\"";
            assert!(error.message.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn an_output_without_a_json_form_is_not_retried() {
        let activity = Activity::blocking("a", |_, ()| Ok(BTreeMap::from([(vec![1], 1)])));
        let error = call(&activity, "null").unwrap_err();
        assert_eq!((error.error_type.as_str(), error.non_retryable), (ActivityError::INVALID_OUTPUT, true));
    }

    #[test]
    fn a_raw_activity_sees_the_bytes_as_they_are() {
        let echo = Activity::raw("echo", |_, input| async move { Ok(input) });
        let input = Payload { content_type: "image/png".to_owned(), data: vec![0, 159].into() };
        let ctx = Context::new(ContextParts::detached("echo"));
        assert_eq!(block_on(echo.call(ctx, input.clone())), Ok(input));
    }

    #[test]
    fn any_error_passes_through_the_question_mark() {
        let activity = Activity::blocking("parse", |_, text: String| Ok(text.parse::<i64>()?));
        let error = call(&activity, r#""x""#).unwrap_err();
        assert_eq!(error.to_string(), "invalid digit found in string");
        assert!(!error.non_retryable);
    }
}
