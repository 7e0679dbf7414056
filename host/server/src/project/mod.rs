//! Projects: folders with the source of workflows, which `refrain new` makes and `refrain dev` works with.
//!
//! | module | concept |
//! |---|---|
//! | [`languages`] | what is embedded for each language |
//! | [`name`] | what a project may be called |
//! | [`create`] | writing a new one |
//! | [`manifest`] | `refrain.toml`: how it is built |

pub mod create;
pub mod languages;
pub mod manifest;
pub mod name;
