//! What people write, their names, keys and links show in no `Debug`: each type that the interface
//! passes on is made from its own JSON schema, with a mark wherever a text may stand, and printed.

use std::fmt::Debug;

use api::*;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// All values of a schema that differ in kind: one for each alternative.
fn samples(schema: &Value, root: &Value) -> Vec<Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return samples(&root["$defs"][name.rsplit('/').next().unwrap()], root);
    }
    if let Some(value) = schema.get("const") {
        return vec![value.clone()];
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.clone();
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(all) = schema.get(any).and_then(Value::as_array) {
            let common = schema.get("properties").map(|_| object(schema, root));
            let all = all.iter().flat_map(|one| samples(one, root)).filter(|v| !v.is_null());
            return all
                .map(|mut value| {
                    if let (Some(into), Some(Value::Object(more))) =
                        (value.as_object_mut(), common.clone())
                    {
                        into.extend(more);
                    }
                    value
                })
                .collect();
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap(),
        kind => kind.as_str().unwrap_or("object"),
    };
    vec![match kind {
        "string" if schema.get("pattern").is_some() => json!("d7".repeat(16)),
        "string" => json!("planted"),
        "boolean" => json!(true),
        "integer" | "number" => json!(1),
        "array" => samples(&schema["items"], root).into_iter().take(1).collect(),
        _ => object(schema, root),
    }]
}

fn object(schema: &Value, root: &Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object).cloned();
    let field = |(name, of): (String, Value)| Some((name, samples(&of, root).into_iter().next()?));
    Value::Object(
        properties.unwrap_or_default().into_iter().filter_map(field).collect::<Map<_, _>>(),
    )
}

fn silent(value: &dyn Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!shown.is_empty() && !shown.contains("planted"), "{shown}");
    }
}

/// Fills each kind of value of this type with marks, and prints it. Returns how many bore a mark.
fn all_silent<T: JsonSchema + DeserializeOwned + Debug>() -> usize {
    let root = schemars::schema_for!(T).to_value();
    let mut marked = 0;
    for sample in samples(&root, &root) {
        marked += usize::from(sample.to_string().contains("planted"));
        let value: T = serde_json::from_value(sample.clone())
            .unwrap_or_else(|e| panic!("{}: {e}: {sample}", std::any::type_name::<T>()));
        silent(&value);
    }
    marked
}

macro_rules! views {
    ($($name:ident),+ $(,)?) => {
        [$((stringify!($name), all_silent::<$name>())),+]
    };
}

#[test]
fn views_show_their_kind_alone() {
    let all = views!(
        Status,
        RoomView,
        TalkerView,
        RoomLineView,
        NetworkView,
        SettingView,
        MeshView,
        NeighbourView,
        PersonView,
        InviteView,
        ConversationView,
        MemberView,
        ConversationRef,
        MessageView,
        ReactionView,
        FileView,
        GroupInviteView,
        Opened,
        WhyView,
        SafetyWordsView,
        StatementView,
        IdentityView,
        LinkView,
        Resolved,
        Candidate,
        Refusal,
    );
    for (name, marked) in all {
        assert!(marked > 0, "{name} holds no text: the test has nothing to look for");
    }
    assert_eq!(format!("{:?}", LinkView { link: "planted".to_owned() }), "LinkView");
}

#[test]
fn events_show_their_kind_alone() {
    assert!(all_silent::<Event>() > 10);
    let expected = "Event::Notice";
    assert_eq!(format!("{:?}", Event::Notice { text: "planted".to_owned() }), expected);
}

#[test]
fn what_has_no_schema_shows_its_kind_alone() {
    let text = || "planted".to_owned();
    silent(&RoomCommand::Say(text()));
    silent(&RoomCommand::Nick(text()));
    silent(&RoomEvent::Joined { you: text() });
    silent(&RoomEvent::Link { link: text() });
    silent(&RoomEvent::Notice { text: text() });
    silent(&Heard::Link(text()));
    silent(&LocalPath::new("/home/planted"));
    silent(&ReadError::Params(text()));
    silent(&Failure::other(text(), text()));
    silent(&Startup::Refused(Refusal::bug(text())));
    silent(&ToDaemon::Ask { id: 1, method: text(), params: json!({ "text": "planted" }) });
    silent(&FromDaemon::Reply { id: 1, result: json!({ "text": "planted" }) });
    silent(&FromDaemon::Refused { id: 1, refusal: Refusal::bug(text()) });
    silent(&FromDaemon::Event(Box::new(Event::Notice { text: text() })));
    let (unlock, lan) = (Unlock::Ask, None);
    silent(&ProfileOptions { profile: text(), unlock, create: false, lan });
}
