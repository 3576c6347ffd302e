//! Lines become requests here, results become lines. Carries out nothing.

use serde_json::Value;

use super::wire::Answer;
use super::wire::AnswerBody;
use super::wire::Call;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::METHODS;
use super::wire::RequestId;

/// The answer to a request.
pub(super) fn answered(id: Option<RequestId>, result: Result<Value, Failure>) -> Answer {
    let body = match result {
        Ok(value) => AnswerBody::Result(value),
        Err(failure) => AnswerBody::Error(failure),
    };
    Answer { id, body }
}

/// A request, or what is wrong with the line, with its id where that could be read.
pub(super) fn parse(line: &[u8]) -> Result<(RequestId, Call), (Option<RequestId>, Failure)> {
    let malformed = |message: String| (None, Failure::new(FailureKind::MalformedLine, message));
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| malformed(format!("the line is not JSON: {error}")))?;
    let Value::Object(mut object) = value else {
        return Err(malformed("the line is not a JSON object".to_owned()));
    };
    let id = object.remove("id").and_then(|id| serde_json::from_value::<RequestId>(id).ok());
    let Some(id) = id else {
        let message = "the request has no `id` (a number or a text)".to_owned();
        return Err((None, Failure::new(FailureKind::InvalidParams, message)));
    };
    let fail = |kind, message: String| (Some(id.clone()), Failure::new(kind, message));
    let Some(method) = object.get("method").and_then(Value::as_str).map(str::to_owned) else {
        return Err(fail(FailureKind::UnknownMethod, "the request has no `method`".to_owned()));
    };
    if !METHODS.contains(&method.as_str()) {
        let (id, failure) =
            fail(FailureKind::UnknownMethod, format!("there is no method `{method}`"));
        return Err((id, failure.with_hint(format!("there are {}", METHODS.join(", ")))));
    }
    let params = object.remove("params").filter(|params| !params.is_null());
    object.remove("method");
    if let Some(key) = object.keys().next() {
        let message = format!("the request has an unknown key `{key}`");
        return Err(fail(FailureKind::InvalidParams, message));
    }
    let params = params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let call = serde_json::json!({ "method": method, "params": params });
    match serde_json::from_value(call) {
        Ok(call) => Ok((id, call)),
        Err(error) => {
            Err(fail(FailureKind::InvalidParams, format!("parameters of `{method}`: {error}")))
        }
    }
}
