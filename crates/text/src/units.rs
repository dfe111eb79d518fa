//! Sizes, dates and durations in words.

use api::Refusal;

/// Seconds of each unit, the longest first.
const UNITS: [(&str, u32); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A size for people, rounded up: `12 KiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{} KiB", n.div_ceil(1_024)),
        1_048_576..1_073_741_824 => format!("{} MiB", n.div_ceil(1_048_576)),
        _ => format!("{} GiB", n.div_ceil(1_073_741_824)),
    }
}

/// `YYYY-MM-DD HH:MM` of a time in ms since the Unix epoch, UTC.
#[must_use]
pub fn date_time(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (year, month, day) = civil(minutes / (24 * 60));
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Year, month and day of a day after 1970-01-01, by the 400-year cycle of the Gregorian calendar,
/// counted from 1 March.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, of_month)
}

/// The shortest text of a number of seconds that [`timer_seconds`] reads: `90s`, `12h`, `1d`.
#[must_use]
pub fn duration(seconds: u32) -> String {
    let fits = UNITS.iter().find(|(_, length)| seconds > 0 && seconds.is_multiple_of(*length));
    fits.map_or_else(
        || format!("{seconds}s"),
        |(unit, length)| format!("{}{unit}", seconds / length),
    )
}

/// When messages disappear: `off`, or `after 1d`.
#[must_use]
pub fn timer(seconds: Option<u32>) -> String {
    match seconds {
        None | Some(0) => "off".to_owned(),
        Some(seconds) => format!("after {}", duration(seconds)),
    }
}

/// Seconds after which messages disappear, as a person types them: `10m`, `1d`; `off` is 0.
///
/// # Errors
/// A text that is neither `off` nor a whole number above zero with a unit.
pub fn timer_seconds(text: &str) -> Result<u32, Refusal> {
    if text == "off" {
        return Ok(0);
    }
    let known = UNITS.iter().find_map(|(unit, length)| Some((text.strip_suffix(unit)?, length)));
    let seconds = known
        .filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|(number, length)| number.parse::<u32>().ok()?.checked_mul(*length))
        .filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| {
        let reason = api::Reason::BadValue { what: api::Value::Setting };
        Refusal::wrong(reason, "invalid time: use a time such as 10m, 12h, 1d or 4w, or off")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00");
        assert_eq!(date_time(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date_time(1_709_251_140_000), "2024-02-29 23:59");
        assert_eq!(date_time(4_107_542_400_000), "2100-03-01 00:00");
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(
            [bytes(0), bytes(1_023), bytes(1_025), bytes(1 << 20)],
            ["0 B", "1023 B", "2 KiB", "1 MiB"]
        );
    }

    #[test]
    fn a_timer_is_read_as_it_is_shown() {
        for (text, seconds) in
            [("90s", 90), ("10m", 600), ("12h", 43_200), ("2d", 172_800), ("4w", 2_419_200)]
        {
            assert_eq!(timer_seconds(text), Ok(seconds));
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(
            (timer_seconds("off"), timer(Some(0)), timer(None)),
            (Ok(0), "off".into(), "off".into())
        );
        assert_eq!(timer(Some(86_400)), "after 1d");
        for bad in
            ["", "0", "0s", "7", "+1d", "-1d", "soon", "1y", "1.5h", "99999999999s", "9999999w"]
        {
            assert!(timer_seconds(bad).is_err(), "{bad:?}");
        }
    }
}
