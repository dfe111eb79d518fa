//! Every string of bytes in a record, however deep it is: what a thief who knows nothing of our
//! formats but MessagePack would try as a key.

use std::fmt;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// One value of a record.
pub(super) enum Node {
    Bytes(Vec<u8>),
    Text(String),
    Number(u64),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Nothing,
}

impl Node {
    /// Reads a record; what is no MessagePack is one string of bytes.
    pub(super) fn of(record: &[u8]) -> Node {
        crate::codec::unpack(record).unwrap_or_else(|_| Node::Bytes(record.to_vec()))
    }

    /// All strings of bytes in it.
    pub(super) fn strings(&self) -> Vec<Vec<u8>> {
        match self {
            Node::Bytes(bytes) => vec![bytes.clone()],
            Node::List(all) => {
                let byte = |n: &Node| match n {
                    Node::Number(n) => u8::try_from(*n).ok(),
                    _ => None,
                };
                let bytes: Option<Vec<u8>> = all.iter().map(byte).collect();
                bytes.map_or_else(|| all.iter().flat_map(Node::strings).collect(), |b| vec![b])
            }
            Node::Map(all) => {
                all.iter().flat_map(|(k, v)| [k.strings(), v.strings()]).flatten().collect()
            }
            Node::Text(_) | Node::Number(_) | Node::Nothing => Vec::new(),
        }
    }

    /// The values of all fields of this name.
    pub(super) fn named(&self, name: &str) -> Vec<&Node> {
        match self {
            Node::List(all) => all.iter().flat_map(|n| n.named(name)).collect(),
            Node::Map(all) => all
                .iter()
                .flat_map(|(key, value)| match key {
                    Node::Text(key) if key == name => vec![value],
                    _ => value.named(name),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a list.
    pub(super) fn entries(&self) -> &[Node] {
        if let Node::List(all) = self { all } else { &[] }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_u64<E>(self, n: u64) -> Result<Node, E> {
        Ok(Node::Number(n))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Node, E> {
        Ok(Node::Bytes(bytes.to_vec()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
        Node::deserialize(d)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
        Node::deserialize(d)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(next) = seq.next_element()? {
            all.push(next);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(next) = map.next_entry()? {
            all.push(next);
        }
        Ok(Node::Map(all))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        let (name, value): (Node, _) = data.variant()?;
        Ok(Node::Map(vec![(name, value.newtype_variant()?)]))
    }
}

#[test]
fn every_string_of_bytes_is_found_however_deep() {
    #[derive(serde::Serialize)]
    struct Outer {
        first: [u8; 4],
        deep: Vec<Option<Inner>>,
    }
    #[derive(serde::Serialize)]
    struct Inner {
        key: crate::codec::Bytes,
        pair: (u64, Vec<u8>),
    }
    let inner = Inner { key: zeroize::Zeroizing::new(vec![7; 32]), pair: (300, vec![200; 5]) };
    let record = crate::codec::pack(&Outer { first: [1; 4], deep: vec![None, Some(inner)] });
    let node = Node::of(&record.unwrap());
    assert_eq!(node.strings(), [vec![1; 4], vec![7; 32], vec![200; 5]]);
    let named = node.named("key").into_iter().flat_map(Node::strings);
    assert_eq!(named.collect::<Vec<_>>(), [vec![7; 32]]);
}
