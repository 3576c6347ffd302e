//! Values to wire and back: JSON text, the serde forms of `protocol`.
//!
//! contracts/wire/*.json holds samples that the tests of both languages read.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::BridgeError;
use super::error::ErrorKind;
use crate::protocol::ModelDelta;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;

/// Payload of the operation `chat`.
#[derive(Debug, Serialize)]
pub struct ChatPayload<'a> {
    pub provider: &'a str,
    pub request: &'a ModelRequest,
}

/// Answer of the operation `chat`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatAnswer {
    pub deltas: Vec<ModelDelta>,
    pub reply: ModelReply,
}

/// A value as the text that crosses.
pub fn to_wire<T: Serialize>(op: &str, value: &T) -> Result<String, BridgeError> {
    serde_json::to_string(value).map_err(|error| {
        BridgeError::new(ErrorKind::Payload, format!("payload of `{op}`: {error}"))
    })
}

/// The text that came back as a value; the error names the place in the text.
pub fn from_wire<T: DeserializeOwned>(op: &str, text: &str) -> Result<T, BridgeError> {
    serde_json::from_str(text)
        .map_err(|error| BridgeError::new(ErrorKind::Payload, format!("answer of `{op}`: {error}")))
}
