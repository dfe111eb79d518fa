//! Boxes and their ids in JSON and in addresses.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::hub::BoxBytes;

/// Boxes that one request may bring.
pub(crate) const MAX_BOXES: usize = 64;

/// A box as it is written in JSON. Other members are let pass.
#[derive(Deserialize)]
struct JsonBox {
    id: String,
    ciphertext: String,
    signature: String,
}

/// One box, or a list of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    One(BoxBytes),
    Many(Vec<BoxBytes>),
}

/// Reads a JSON body. The error's text holds nothing of it.
pub(crate) fn read(body: &[u8]) -> Result<Posted, String> {
    // The parser's own words may quote what it read.
    let no_json =
        |e: serde_json::Error| format!("no box in JSON: line {}, column {}", e.line(), e.column());
    let is_list = body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    if !is_list {
        return serde_json::from_slice::<JsonBox>(body).map_err(no_json)?.parse().map(Posted::One);
    }
    let list: Vec<JsonBox> = serde_json::from_slice(body).map_err(no_json)?;
    if list.is_empty() || list.len() > MAX_BOXES {
        return Err(format!("a list holds 1 to {MAX_BOXES} boxes"));
    }
    let boxes = (1..)
        .zip(list)
        .map(|(n, b)| b.parse().map_err(|what: String| format!("box {n} of the list: {what}")));
    boxes.collect::<Result<_, _>>().map(Posted::Many)
}

impl JsonBox {
    fn parse(self) -> Result<BoxBytes, String> {
        let id = id(&self.id).ok_or("the id is not 32 bytes in hexadecimal or base64")?;
        let ciphertext = base64(&self.ciphertext).ok_or("the ciphertext is not base64")?;
        if streams::BoxClass::of(ciphertext.len()).is_none() {
            return Err("the ciphertext is neither 0 nor 2048 nor 32768 bytes long".into());
        }
        let signature = base64(&self.signature).and_then(|s| s.try_into().ok());
        let signature = signature.ok_or("the signature is not 64 bytes in base64")?;
        Ok(BoxBytes { id, ciphertext, signature })
    }
}

/// A box in JSON.
pub(crate) fn write(content: &BoxBytes) -> Value {
    json!({
        "id": BASE64URL_NOPAD.encode(&content.id),
        "ciphertext": BASE64.encode(&content.ciphertext),
        "signature": BASE64.encode(&content.signature),
    })
}

/// An id in hexadecimal or base64, also with `+`, `/` and `=`.
pub(crate) fn id(text: &str) -> Option<[u8; 32]> {
    let bytes = match text.len() {
        64 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?,
        43 | 44 => base64(text)?,
        _ => return None,
    };
    bytes.try_into().ok()
}

/// Base64 in either alphabet, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    BASE64_NOPAD.decode(plain.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(len: usize) -> BoxBytes {
        BoxBytes { id: [0xfb; 32], ciphertext: vec![0xff; len], signature: [0xfe; 64] }
    }

    #[test]
    fn boxes_survive_their_json_in_either_alphabet() {
        for len in [0, 2048, 32_768] {
            let text = write(&sample(len)).to_string();
            assert_eq!(read(text.as_bytes()), Ok(Posted::One(sample(len))));
            let url = text.replace('+', "-").replace("/", "_").replace('=', "");
            assert_eq!(read(url.as_bytes()), Ok(Posted::One(sample(len))));
            let list = format!(" [{text}, {text}]");
            assert_eq!(read(list.as_bytes()), Ok(Posted::Many(vec![sample(len); 2])));
        }
    }

    #[test]
    fn an_id_has_three_spellings() {
        let bytes = [0xfb; 32];
        for text in [
            HEXLOWER_PERMISSIVE.encode(&bytes),
            BASE64.encode(&bytes),
            BASE64URL_NOPAD.encode(&bytes),
        ] {
            assert_eq!(id(&text), Some(bytes), "{text}");
        }
        for bad in ["", "fb", &"z".repeat(64), &"é".repeat(22), &"A".repeat(42)] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_box_is_refused_without_being_quoted() {
        let good = write(&sample(0)).to_string();
        let too_many = format!("[{}]", vec![good.as_str(); MAX_BOXES + 1].join(","));
        let short = good.replace("\"ciphertext\":\"\"", "\"ciphertext\":\"QUJD\"");
        for bad in
            ["", "[]", "{}", "7", "\"secret\"", "[\"secret\"]", &good[..20], &too_many, &short]
        {
            let error = read(bad.as_bytes()).unwrap_err();
            assert!(!error.contains("secret") && !error.is_empty(), "{bad}: {error}");
        }
    }
}
