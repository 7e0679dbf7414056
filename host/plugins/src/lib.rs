//! The built-in plugins, each behind a feature of its name.
//!
//! A plugin gets its capabilities from the configuration and has no others: what is not configured cannot be
//! reached, whatever a workflow asks for. Plugins here know [`refrain_plugin`] and nothing of the host, as if
//! someone else had written them.

#[cfg(feature = "fs")]
pub mod fs;
#[cfg(feature = "http")]
pub mod http;
