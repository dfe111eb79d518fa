//! A bundle as QR codes, and back.

use api::Failure;
use wire::ErrorKind;

/// What one QR code takes, characters: more cannot be read off a screen.
pub(super) const QR_CHARS: usize = 1_200;
/// More codes than this nobody scans.
pub(super) const MAX_CODES: usize = 64;

/// A bundle as texts for QR codes: `HW1/3:` and a piece in base32 each.
pub(super) fn codes_of(bytes: &[u8]) -> Vec<String> {
    let text = data_encoding::BASE32_NOPAD.encode(bytes);
    let pieces: Vec<&str> =
        text.as_bytes().chunks(QR_CHARS).filter_map(|p| std::str::from_utf8(p).ok()).collect();
    let code = |(n, piece): (usize, &&str)| format!("HW{}/{}:{piece}", n + 1, pieces.len());
    pieces.iter().enumerate().map(code).collect()
}

/// The bundle that a scanner has read, one code per line, in any order; `None` when the text is
/// none of these.
pub(super) fn of_codes(text: &[u8]) -> Option<Result<Vec<u8>, Failure>> {
    let text = std::str::from_utf8(text).ok().filter(|t| t.starts_with("HW"))?;
    Some(joined(text).map_err(|what| {
        Failure::new(ErrorKind::LocalConfig, what, "scan every code, one per line")
    }))
}

fn joined(text: &str) -> Result<Vec<u8>, String> {
    let mut pieces: Vec<Option<&str>> = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let piece = piece_of(line).filter(|(n, of, _)| (1..=*of).contains(n) && *of <= MAX_CODES);
        let (n, of, piece) = piece.ok_or("a line is not a bundle code")?;
        pieces.resize(of.max(pieces.len()), None);
        if let Some(place) = pieces.get_mut(n - 1) {
            *place = Some(piece);
        }
    }
    if let Some(missing) = pieces.iter().position(Option::is_none) {
        return Err(format!("code {} of {} is missing", missing + 1, pieces.len()));
    }
    let whole: String = pieces.into_iter().flatten().collect();
    let decoded = data_encoding::BASE32_NOPAD.decode(whole.as_bytes());
    decoded.map_err(|_| "the codes do not belong together".to_owned())
}

/// The number, the total and the piece of a code.
fn piece_of(line: &str) -> Option<(usize, usize, &str)> {
    let (at, piece) = line.strip_prefix("HW")?.split_once(':')?;
    let (n, of) = at.split_once('/')?;
    Some((n.parse().ok()?, of.parse().ok()?, piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_goes_through_codes_in_any_order_and_a_missing_one_is_named() {
        let bundle: Vec<u8> = (0..3_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        let mut codes = codes_of(&bundle);
        assert_eq!(codes.len(), 4);
        codes.reverse();
        assert_eq!(of_codes(codes.join("\n").as_bytes()).unwrap().unwrap(), bundle);
        let lost = codes.remove(1);
        assert!(lost.starts_with("HW3/4:"));
        let refused = of_codes(codes.join("\n").as_bytes()).unwrap().unwrap_err().to_string();
        assert!(refused.contains("code 3 of 4"), "{refused}");
        assert!(of_codes(b"HW9/4:AAAA").unwrap().is_err());
        assert!(of_codes(b"HW nonsense").unwrap().is_err());
        assert!(of_codes(b"hushwing bundle\x01").is_none());
    }
}
