//! Task tokens: how a worker, or whoever ends an activity later, names one attempt. Opaque to them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};
use refrain_engine::codec;
use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_store::schema::RunKey;

use crate::error::Error;

/// One attempt, named for ever: `starts` counts the attempts of an activity and is never set back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TaskToken {
    #[n(0)]
    pub(crate) namespace: Namespace,
    #[n(1)]
    pub(crate) run: RunId,
    #[n(2)]
    pub(crate) op: Op,
    #[n(3)]
    pub(crate) starts: u32,
}

/// The longest token that is looked at: the longest namespace, the rest of fixed size, in base64.
const MAX_TOKEN_BYTES: usize = 1_024;

impl TaskToken {
    pub(crate) fn new(key: &RunKey, op: Op, starts: u32) -> Self {
        Self { namespace: key.namespace.clone(), run: key.run, op, starts }
    }

    /// The run that the attempt belongs to.
    pub(crate) fn run_key(&self) -> RunKey {
        RunKey::new(self.namespace.clone(), self.run)
    }

    /// The form that goes over the wire.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(codec::encode(self))
    }

    /// What a token on the wire names.
    ///
    /// # Errors
    /// When it is no token of this host.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = || Error::Invalid {
            field: "task_token".to_owned(),
            message: "is not a task token: send it back as it came with the task".to_owned(),
        };
        if text.len() > MAX_TOKEN_BYTES {
            return Err(refuse());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse())?;
        codec::decode("task token", &bytes).map_err(|_| refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_what_it_was_made_of_and_nothing_else_is_one() {
        let key = RunKey::new(Namespace::default(), RunId::from_bytes([7; 16]));
        let token = TaskToken::new(&key, 3, 2);
        assert_eq!(TaskToken::parse(&token.encode()), Ok(token.clone()));
        assert_eq!(token.run_key(), key);
        for other in ["", "x", "%%", &token.encode()[1..], &"A".repeat(5_000)] {
            let refused = TaskToken::parse(other).unwrap_err().to_string();
            assert!(refused.starts_with("task_token is not"), "{other}: {refused}");
        }
    }
}
