//! Sizes as people write them.

/// An attempt's log is never cut below this: its beginning and its end are kept in segments.
pub const SMALLEST_LOG: u64 = 128 << 10;

/// No program starts with less memory.
pub const SMALLEST_MEMORY: u64 = 1 << 20;

/// `1048576`, `512K`, `512M`, `2G`, `1T` in bytes: powers of 1,024, as systemd has them. At least one byte.
pub fn bytes(size: &str) -> Option<u64> {
    let (digits, factor) = match size.trim().char_indices().last()? {
        (_, '0'..='9') => (size.trim(), 1),
        (at, unit) => (&size.trim()[..at], 1_u64 << (10 * (1 + "KMGT".find(unit.to_ascii_uppercase())?))),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let table = [("1", Some(1)), ("10K", Some(10 << 10)), ("512M", Some(512 << 20)), ("2g", Some(2 << 30)), ("1 T", Some(1 << 40))];
        for (text, expected) in table.into_iter().chain(["", "M", "0", "0G", "-1", "1.5G", "1KB", "much", "99999999999999G", "1é"].map(|wrong| (wrong, None))) {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
