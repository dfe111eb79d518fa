//! Who asks: `Authorization: Bearer KEY`.

use axum::http::{HeaderMap, header};
use data_encoding::HEXLOWER_PERMISSIVE;
use wire::id::AccessKey;

use super::reply::Trouble;

/// The access key of a request; `open` is the one that a request without any gets.
pub(crate) fn access(headers: &HeaderMap, open: Option<AccessKey>) -> Result<AccessKey, Trouble> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return open.ok_or(Trouble::NoKey) };
    // A key that is no key is refused, never taken for a guest's.
    let (scheme, key) =
        value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or(Trouble::WrongKey)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Trouble::WrongKey);
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(key.trim().as_bytes()).map_err(|_| Trouble::WrongKey)?;
    Ok(AccessKey::new(bytes.try_into().map_err(|_| Trouble::WrongKey)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hexadecimal_and_a_bad_one_is_never_a_guests() {
        let guest = AccessKey::new([9; 16]);
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            access(&headers, Some(guest))
        };
        assert_eq!(with(&format!("Bearer {}", "ab".repeat(16))), Ok(AccessKey::new([0xab; 16])));
        assert_eq!(with(&format!("bearer {}", "AB".repeat(16))), Ok(AccessKey::new([0xab; 16])));
        for bad in ["", "Bearer", "Bearer ", "Bearer abc", "Basic YTpi", "Bearer zz"] {
            assert_eq!(with(bad), Err(Trouble::WrongKey), "{bad}");
        }
        assert_eq!(access(&HeaderMap::new(), Some(guest)), Ok(guest));
        assert_eq!(access(&HeaderMap::new(), None), Err(Trouble::NoKey));
    }
}
