//! The only place that opens connections.
//!
//! One [`Client`] per run: it keeps connections alive, holds the network policy, and records or
//! replays model traffic. It knows no provider and no tool; what to ask and what an answer means is
//! the caller's business, and so is trying again ([`retry`] only decides).

pub mod client;
pub mod error;
mod guard;
#[cfg_attr(not(unix), expect(dead_code, reason = "no sandbox opens a listener for it there"))]
mod outlet;
pub mod policy;
mod proxy;
pub mod record;
pub mod replay;
mod resolver;
pub mod response;
pub mod retry;
pub mod sse;
mod tls;

pub use client::{Client, HttpRequest, Method, Purpose};
pub use error::NetworkError;
pub use guard::Guard;
pub use outlet::HostOutlet;
pub use proxy::reach_proxies;
pub use record::Recording;
pub use response::{Body, HttpResponse};
pub use tls::trusted_certificates;
