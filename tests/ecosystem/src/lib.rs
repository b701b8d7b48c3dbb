//! Crates that block, as they are on crates.io, over the sockets of [`switchback::net`].
//!
//! Some take any `Read + Write`, and there is nothing to do: rustls (`StreamOwned`) and tungstenite (`accept`, `client`). Others have a
//! trait for who brings the connection, which takes some lines once. Those lines are here, and may be copied:
//!
//! | what | of |
//! |---|---|
//! | [`redis::Connection`] | a `ConnectionLike` of the redis crate: commands, pipelines, transactions |
//! | [`http::Connector`], [`http::Resolver`] | what an agent of ureq connects with |
//! | [`Shared`] | a WebSocket that one task reads while others write to it, over TLS too |
//! | [`tls`] | certificates that are made for the occasion |
#![cfg(unix)]

pub mod http;
pub mod redis;
mod shared;
pub mod tls;

pub use shared::Shared;
