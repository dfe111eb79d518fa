//! Names of machines in the DNS.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::limits::MAX_HOST;

/// Longest label of a name, bytes (RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;

/// A DNS host name of two labels or more, in lower case (RFC 1123, section 2.1). `Debug` prints the
/// type alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName {
    // Zeros follow the name: equal names are equal bytes.
    bytes: [u8; MAX_HOST],
    len: u8,
}

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl FromStr for HostName {
    type Err = Error;

    /// Refuses what could be meant as something else: a name of one label, which a search list
    /// would complete; one that ends in a number, which is an IP address with a mistake; one that
    /// ends in `.onion`, which must not be asked of the DNS (RFC 7686).
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.to_ascii_lowercase();
        let labels = || name.split('.');
        let last = labels().next_back().unwrap_or_default();
        let meant = labels().nth(1).is_some()
            && last.bytes().any(|b| b.is_ascii_lowercase())
            && last != "onion";
        if !meant || !labels().all(is_label) {
            return Err(Error::BadAddress);
        }
        let mut bytes = [0; MAX_HOST];
        let place = bytes.get_mut(..name.len()).ok_or(Error::BadAddress)?;
        place.copy_from_slice(name.as_bytes());
        let len = name.len().try_into().map_err(|_| Error::BadAddress)?;
        Ok(HostName { bytes, len })
    }
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostName")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= WIRE-005
    #[test]
    fn a_host_name_is_one_that_the_dns_can_answer_and_nothing_else() {
        let long = format!("{}.example", "a".repeat(63));
        for good in ["example.org", "xn--bcher-kva.example", "a-1.0.b", "7.example", &long] {
            let name: HostName = good.parse().unwrap();
            assert_eq!((name.as_str(), format!("{name:?}")), (good, "HostName".to_owned()));
        }
        assert_eq!("Home.Example.ORG".parse::<HostName>().unwrap().as_str(), "home.example.org");
        for bad in [
            "",
            ".",
            "localhost",
            "example.org.",
            ".example.org",
            "a..b",
            "1.2.3.4",
            "256.1.1.1",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b.example",
            "bücher.example",
            "expyuzz4wqqyqhjn.onion",
            &format!("a{long}"),
            &format!("{long}.{long}"),
        ] {
            assert_eq!(bad.parse::<HostName>(), Err(Error::BadAddress), "{bad}");
        }
    }
}
