//! A JSON-RPC request as a call, and answers that refuse.

use api::{Call, Pending, ReadError};
use serde_json::{Value, json};

/// The line is not JSON.
pub(super) const PARSE: i64 = -32_700;
/// It is not a request.
pub(super) const INVALID: i64 = -32_600;
/// No method has that name.
pub(super) const NO_METHOD: i64 = -32_601;
/// The params do not fit the method.
pub(super) const PARAMS: i64 = -32_602;

/// A request's id (none: a notification, which nobody answers), its call, and the answer to come;
/// or the answer that refuses it.
pub(super) fn parse(request: Value) -> Result<(Option<Value>, Call, Pending), Option<Value>> {
    let invalid = |id: Value, text: &str| Some(failed(&id, INVALID, text, None));
    let Value::Object(mut request) = request else {
        return Err(invalid(Value::Null, "request must be an object"));
    };
    let id = request.remove("id");
    if !matches!(id, None | Some(Value::Null | Value::String(_) | Value::Number(_))) {
        return Err(invalid(Value::Null, "id must be a string or a number"));
    }
    let known = id.clone().unwrap_or(Value::Null);
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid(known, "jsonrpc must be \"2.0\""));
    }
    let Some(Value::String(method)) = request.remove("method") else {
        return Err(invalid(known, "method must be a string"));
    };
    // From here on a notification gets no answer, whatever is wrong with it.
    let refuse = |code, text: &str| Err(id.as_ref().map(|id| failed(id, code, text, None)));
    let params = match request.remove("params") {
        None => Value::Null,
        Some(params @ Value::Object(_)) => params,
        Some(_) => return refuse(PARAMS, "params must be an object"),
    };
    match Call::read(&method, params) {
        Ok((call, pending)) => Ok((id, call, pending)),
        Err(ReadError::NoSuchMethod) => {
            refuse(NO_METHOD, "no such method; `hushwing profile rpc --schema` lists them")
        }
        Err(ReadError::Params(text)) => refuse(PARAMS, &text),
    }
}

pub(super) fn failed(id: &Value, code: i64, message: &str, data: Option<Value>) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(data), Some(error)) = (data, error.as_object_mut()) {
        error.insert("data".to_owned(), data);
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

#[cfg(test)]
mod tests {
    use api::{ConversationId, SendText};

    use super::*;

    fn refused(request: Value) -> Option<i64> {
        match parse(request) {
            Ok((_, call, _)) => panic!("{}", call.method()),
            Err(answer) => answer.and_then(|a| a.pointer("/error/code").and_then(Value::as_i64)),
        }
    }

    #[test]
    fn requests_are_calls() {
        let conversation = ConversationId::new([7; 16]);
        let params = json!({"conversation": conversation.to_string(), "text": "hi"});
        let send = json!({"jsonrpc": "2.0", "id": 1, "method": "send", "params": params});
        let (id, call, _) = parse(send).ok().unwrap();
        assert_eq!(id, Some(json!(1)));
        let Call::SendText(request, _) = call else { panic!("{}", call.method()) };
        assert_eq!(request, SendText { conversation, text: "hi".into(), reply_to: None });
        let (id, call, _) = parse(json!({"jsonrpc": "2.0", "method": "status"})).ok().unwrap();
        assert!(id.is_none() && matches!(call, Call::GetStatus(..)));
    }

    #[test]
    fn a_name_is_not_an_id() {
        let params = json!({"conversation": "bob", "text": "hi"});
        let send = json!({"jsonrpc": "2.0", "id": 1, "method": "send", "params": params});
        assert_eq!(refused(send), Some(PARAMS));
    }

    #[test]
    fn what_is_not_a_request_gets_the_codes_of_the_standard() {
        assert_eq!(refused(json!(1)), Some(INVALID));
        assert_eq!(refused(json!({"id": 1, "method": "status"})), Some(INVALID));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": [], "method": "status"})), Some(INVALID));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": 1, "method": 7})), Some(INVALID));
        let of = |method: &str, params: Value| {
            refused(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        };
        assert_eq!(of("fly", json!({})), Some(NO_METHOD));
        assert_eq!(of("send", json!({})), Some(PARAMS));
        assert_eq!(of("status", json!([1])), Some(PARAMS));
        assert_eq!(of("status", json!({"x": 1})), Some(PARAMS));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "method": "fly"})), None, "a notification");
    }
}
