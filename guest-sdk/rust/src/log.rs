//! The run's log: lines that are kept with the run, and not written again by a replay.
//!
//! ```
//! # use refrain_sdk::*;
//! # fn example(name: &str, bytes: u64) {
//! info!("copied {name}");
//! warn!(file = name, bytes = bytes, "that is large");
//! # }
//! ```

use std::fmt::Display;

use crate::bindings::refrain::workflow::log::Field;
use crate::host;

pub use crate::bindings::refrain::workflow::log::Level;

/// Writes a line; what the macros call.
pub fn write(level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
    let field =
        |&(key, value): &(&str, &dyn Display)| Field { key: key.to_owned(), value: value.to_string() };
    let fields: Vec<_> = fields.iter().map(field).collect();
    host::with(|host| host.log(level, message, &fields));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident [$($field:tt)*] $key:ident = $value:expr, $($rest:tt)+) => {
        $crate::__log!($level [$($field)* (::core::stringify!($key), &$value),] $($rest)+)
    };
    ($level:ident [$($field:tt)*] $($message:tt)+) => {
        $crate::log::write($crate::log::Level::$level, &::std::format!($($message)+), &[$($field)*])
    };
}

/// Writes a line of level trace to the run's log; see [`log`](crate::log).
#[macro_export]
macro_rules! trace { ($($line:tt)+) => { $crate::__log!(Trace [] $($line)+) }; }

/// Writes a line of level debug to the run's log; see [`log`](crate::log).
#[macro_export]
macro_rules! debug { ($($line:tt)+) => { $crate::__log!(Debug [] $($line)+) }; }

/// Writes a line of level info to the run's log; see [`log`](crate::log).
#[macro_export]
macro_rules! info { ($($line:tt)+) => { $crate::__log!(Info [] $($line)+) }; }

/// Writes a line of level warn to the run's log; see [`log`](crate::log).
#[macro_export]
macro_rules! warn { ($($line:tt)+) => { $crate::__log!(Warn [] $($line)+) }; }

/// Writes a line of level error to the run's log; see [`log`](crate::log).
#[macro_export]
macro_rules! error { ($($line:tt)+) => { $crate::__log!(Error [] $($line)+) }; }
