//! Durations and sizes as people write them in settings.

/// A second, in ms.
const SECOND: u64 = 1000;
const DURATIONS: [(&str, u64); 5] = [
    ("w", 7 * 86_400 * SECOND),
    ("d", 86_400 * SECOND),
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The longest duration: a hundred years of 365 days, in ms.
pub const MAX_DURATION_MS: u64 = 100 * 365 * 86_400 * SECOND;
/// The largest size: 1 TiB, in bytes.
pub const MAX_SIZE: u64 = 1 << 40;

/// A duration such as `90s`, `15m`, `12h`, `30d` or `4w`, in ms: a whole number above zero and a
/// unit, at most [`MAX_DURATION_MS`]. `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    parse(text, &DURATIONS).filter(|ms| (1..=MAX_DURATION_MS).contains(ms))
}

/// The shortest text of a duration in ms, in whole seconds, that [`parse_duration`] reads.
#[must_use]
pub fn show_duration(ms: u64) -> String {
    show(ms - ms % SECOND, &DURATIONS)
}

/// A span of time such as `30s-60s`, `0.5s-3s` or `50ms-100ms`, in ms: the shorter first, the
/// longer above zero and at most a day. `None` for anything else.
#[must_use]
pub fn parse_span(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (parse_short(from)?, parse_short(to)?);
    (from <= to && (1..=86_400 * SECOND).contains(&to)).then_some((from, to))
}

/// A time such as `0.5s`, `3s`, `2m` or `50ms`, in ms; at most three digits after the point.
fn parse_short(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let factor = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" => 60 * SECOND,
        _ => return None,
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    if rest.is_empty() || rest.len() > 3 || !rest.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(format!("{rest:0<3}").parse().ok()?)?;
    Some(thousandths.checked_mul(factor)? / 1_000)
}

/// A size such as `512KiB`, `100MiB`, `2GiB` or `4096B`, in bytes, at most [`MAX_SIZE`]. `None` for
/// anything else.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES).filter(|bytes| *bytes <= MAX_SIZE)
}

/// The shortest text of a size in bytes that [`parse_size`] reads.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(n: u64, units: &[(&str, u64)]) -> String {
    let whole =
        units.iter().find(|(_, factor)| n > 0 && n.is_multiple_of(*factor)).or(units.last());
    whole.map_or_else(String::new, |(name, factor)| format!("{}{name}", n / factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write() {
        assert_eq!(parse_duration("30d"), Some(30 * 86_400_000));
        assert_eq!(parse_duration(" 15 m "), Some(900_000));
        assert_eq!(parse_size("100MiB"), Some(100 << 20));
        assert_eq!(parse_size("0B"), Some(0));
        for odd in [
            "",
            "d",
            "0d",
            "-1d",
            "1.5h",
            "30",
            "30D",
            "30 days",
            "99999999999999999999d",
            "36501d",
            "3\u{661}d",
        ] {
            assert_eq!(parse_duration(odd), None, "{odd}");
        }
        for odd in ["", "1", "100MB", "2TiB", "1025GiB", "99999999999GiB"] {
            assert_eq!(parse_size(odd), None, "{odd}");
        }
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(parse_span("0.5s-3s"), Some((500, 3_000)));
        assert_eq!(parse_span("30s - 60s"), Some((30_000, 60_000)));
        assert_eq!(parse_span("50ms-100ms"), Some((50, 100)));
        assert_eq!(parse_span("0s-1.25m"), Some((0, 75_000)));
        for odd in [
            "",
            "off",
            "3s",
            "3s-1s",
            "0s-0s",
            "1-2",
            "1s-2",
            "-1s-2s",
            "1s-25h",
            ".5s-1s",
            "1.s-2s",
            "1s-1441m",
            "1.2345s-2s",
        ] {
            assert_eq!(parse_span(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn shown_values_are_read_back(seconds in 1..=MAX_DURATION_MS / SECOND, bytes in 0..=MAX_SIZE, n in 1u64..500) {
            prop_assert_eq!(parse_duration(&show_duration(seconds * SECOND)), Some(seconds * SECOND));
            prop_assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
            prop_assert_eq!(parse_size(&show_size(n << 20)), Some(n << 20));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}", number in "[0-9]{0,25}[smhdwGMKiB ]{0,4}") {
            for t in [text, number] {
                let _ = (parse_size(&t), parse_duration(&t), parse_span(&t), parse_span(&format!("{t}-{t}")));
            }
        }
    }
}
