//! A JSON-RPC request as a command, and answers that refuse.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::engine::profile::Command;

/// The line is no JSON.
pub(super) const PARSE: i64 = -32_700;
/// It is no request.
pub(super) const INVALID: i64 = -32_600;
/// There is no such method.
pub(super) const NO_METHOD: i64 = -32_601;
/// The params do not fit the method.
pub(super) const PARAMS: i64 = -32_602;

/// Every method, from the schema.
pub(super) fn methods() -> BTreeSet<String> {
    let schema = Value::from(schemars::schema_for!(Command));
    let all = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |one: &Value| {
        one.pointer("/properties/method/const").and_then(Value::as_str).map(str::to_owned)
    };
    all.iter().filter_map(name).collect()
}

/// A request's id (none: a notification, which nobody answers) and command; or the answer that
/// refuses it.
pub(super) fn parse(
    methods: &BTreeSet<String>,
    request: Value,
) -> Result<(Option<Value>, Command), Option<Value>> {
    let invalid = |id: Value, text: &str| Some(failed(&id, INVALID, text, None));
    let Value::Object(mut request) = request else {
        return Err(invalid(Value::Null, "a request is an object"));
    };
    let id = request.remove("id");
    if !matches!(id, None | Some(Value::Null | Value::String(_) | Value::Number(_))) {
        return Err(invalid(Value::Null, "an id is a string or a number"));
    }
    let known = id.clone().unwrap_or(Value::Null);
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid(known, "jsonrpc is to be \"2.0\""));
    }
    let Some(Value::String(method)) = request.remove("method") else {
        return Err(invalid(known, "method is to be a string"));
    };
    // From here on a notification gets no answer, whatever is wrong with it.
    let refuse = |code, text: &str| Err(id.as_ref().map(|id| failed(id, code, text, None)));
    if !methods.contains(&method) {
        return refuse(NO_METHOD, "no such method; `hushwing rpc --schema` lists them");
    }
    let params = match request.remove("params") {
        None => Value::Object(Map::new()),
        Some(params @ Value::Object(_)) => params,
        Some(_) => return refuse(PARAMS, "params are named: an object"),
    };
    match serde_json::from_value(json!({ "method": method, "params": params })) {
        Ok(command) => Ok((id, command)),
        Err(error) => refuse(PARAMS, &error.to_string()),
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
    use super::*;

    fn refused(request: Value) -> Option<i64> {
        match parse(&methods(), request) {
            Ok(parsed) => panic!("{parsed:?}"),
            Err(answer) => answer.and_then(|a| a.pointer("/error/code").and_then(Value::as_i64)),
        }
    }

    #[test]
    fn every_command_is_a_method() {
        let all = methods();
        for name in ["status", "send", "history_after", "answer_group_invite"] {
            assert!(all.contains(name), "{name}: {all:?}");
        }
    }

    #[test]
    fn requests_are_commands() {
        let send = json!({"jsonrpc": "2.0", "id": 1, "method": "send", "params": {"to": "bob", "text": "hi"}});
        let (id, command) = parse(&methods(), send).unwrap();
        assert_eq!(id, Some(json!(1)));
        assert!(
            matches!(command, Command::Send { to, text, reply_to: None } if to == "bob" && text == "hi")
        );
        let (id, command) =
            parse(&methods(), json!({"jsonrpc": "2.0", "method": "status"})).unwrap();
        assert!(id.is_none() && matches!(command, Command::Status {}));
    }

    #[test]
    fn what_is_no_request_gets_the_codes_of_the_standard() {
        assert_eq!(refused(json!(1)), Some(INVALID));
        assert_eq!(refused(json!({"id": 1, "method": "status"})), Some(INVALID));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": [], "method": "status"})), Some(INVALID));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": 1, "method": 7})), Some(INVALID));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": 1, "method": "fly"})), Some(NO_METHOD));
        assert_eq!(
            refused(json!({"jsonrpc": "2.0", "id": 1, "method": "send", "params": {}})),
            Some(PARAMS)
        );
        assert_eq!(
            refused(json!({"jsonrpc": "2.0", "id": 1, "method": "status", "params": [1]})),
            Some(PARAMS)
        );
        assert_eq!(
            refused(json!({"jsonrpc": "2.0", "id": 1, "method": "status", "params": {"x": 1}})),
            Some(PARAMS)
        );
        assert_eq!(refused(json!({"jsonrpc": "2.0", "method": "fly"})), None, "a notification");
    }
}
