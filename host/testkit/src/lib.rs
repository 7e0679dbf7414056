//! A host in the test's own process, in virtual time.
//!
//! The host is the real one: engine, runtime, sandbox, over a store in memory. Time is skipped: it goes on to what is due
//! next when everybody waits, so that a year of reminders takes milliseconds. What activities answer is up to the test:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use refrain_testkit::{Code, TestHost, transcript};
//!
//! let mut code = Code::new(None).unwrap();
//! code.add("shop", std::fs::read("target/wasm32-unknown-unknown/release/shop.wasm").unwrap()).unwrap();
//!
//! let mut host = TestHost::new(&code).activity("charge", |_, cents: u64| Ok(format!("receipt for {cents}")));
//! let history = host
//!     .live(async |host| {
//!         host.start("order", "order-1", &42).await?;
//!         host.until(Duration::from_secs(3 * 86_400)).await;
//!         host.signal("order-1", "approve", &true).await?;
//!         assert_eq!(host.result("order-1").await?.result::<String>()?, "receipt for 42");
//!         host.history("order-1", None).await
//!     })
//!     .unwrap();
//! println!("{}", transcript(&history));
//! ```
//!
//! Children run as their components say, or are answered by the test, as [`TestHost::child`] says.
//!
//! A [`TestHost`] lives as often as the test says, and each life ends as by a crash; [`crash_everywhere`] does a test
//! once for each moment at which the host could die. All that is random follows from a seed, and a history is the same
//! each time.
//!
//! | module | concept |
//! |---|---|
//! | `code` | the components that hosts execute |
//! | `child` | what children answer in place of their code |
//! | `host` | a host and its lives |
//! | `life` | one life, and what a test does with it |
//! | `opening` | code that begins while time stands still |
//! | `runs` | how many runs an execution may have |
//! | `sweep` | a test, done with hosts that are killed |
//! | `time` | time that is skipped |
//! | `transcript` | histories as text |
//!
//! It knows no HTTP and no files: what a host does on disk and on the network is tested with the real binary.

mod child;
mod code;
mod error;
mod host;
mod life;
mod opening;
mod runs;
mod sweep;
mod time;
mod transcript;

pub use child::{Child, ChildAnswer, ChildRun};
pub use code::{Code, CodeError};
pub use error::TestError;
pub use host::{TIME_LIMIT, TestHost, in_real_time};
pub use life::{Ended, Life};
pub use runs::RUN_LIMIT;
pub use sweep::{CrashPoint, Differs, Swept, crash_everywhere, killed};
pub use time::{BEGINNING, length};
pub use transcript::{Line, calls, lines, text, transcript};
