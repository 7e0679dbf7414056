//! Crash testing: a test is done again for each moment at which its host could die.

use refrain_store::Fault;

use crate::error::TestError;
use crate::host::TestHost;
use crate::life::Life;

/// Where a host dies: before or after one of its writes, of which the first has the number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The write is lost, with all that followed.
    Before(u64),
    /// The write is durable, and who waited for it was not told.
    After(u64),
}

impl std::fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Before(write) => write!(f, "killed before write {write}"),
            Self::After(write) => write!(f, "killed after write {write}"),
        }
    }
}

/// A disturbed host, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Differs<T> {
    /// How it was disturbed: `killed after write 7`, `evicted at each wait`.
    pub disturbed: String,
    /// What the test observed.
    pub observed: Result<T, TestError>,
}

/// What a sweep came to.
#[derive(Clone, Debug)]
pub struct Swept<T> {
    /// What the test observes when nothing happens to the host.
    pub undisturbed: T,
    /// How often it was done with a host that was killed.
    pub crashes: u64,
    /// Where something else was observed.
    pub differs: Vec<Differs<T>>,
}

/// Does a test with a host that nothing happens to, then with one that drops each instance at each wait, then with one
/// that is killed before and after each of its writes, and compares what the test observes. The test is done from its
/// beginning in each life of a host, so it is to say what it says by [`Life`]'s methods, and to wait by
/// [`Life::until`].
///
/// `host` makes a fresh host each time.
///
/// # Errors
/// What the test says when nothing happens to the host.
pub fn crash_everywhere<T: PartialEq>(
    host: impl Fn() -> TestHost,
    test: impl AsyncFn(Life) -> Result<T, TestError>,
) -> Result<Swept<T>, TestError> {
    let (undisturbed, writes) = host().live_counted(&test)?;
    let mut swept = Swept { undisturbed, crashes: 0, differs: Vec::new() };
    swept.compare("evicted at each wait".to_owned(), host().evicting().live(&test));
    for write in 1..=writes {
        for point in [CrashPoint::Before(write), CrashPoint::After(write)] {
            swept.crashes += 1;
            swept.compare(point.to_string(), killed(host(), point, &test));
        }
    }
    Ok(swept)
}

/// Does a test with a host that is killed once.
///
/// # Errors
/// What the test says to the host that comes after.
pub fn killed<T>(
    mut host: TestHost,
    point: CrashPoint,
    test: impl AsyncFn(Life) -> Result<T, TestError>,
) -> Result<T, TestError> {
    let fault = match point {
        CrashPoint::Before(write) => Fault::StopBefore(write),
        CrashPoint::After(write) => Fault::StopAfter(write),
    };
    // What its client heard of this life is as good as nothing.
    let _lost = host.live_with(fault, &test);
    host.live(&test)
}

impl<T: PartialEq> Swept<T> {
    fn compare(&mut self, disturbed: String, observed: Result<T, TestError>) {
        if observed.as_ref() != Ok(&self.undisturbed) {
            self.differs.push(Differs { disturbed, observed });
        }
    }
}
