//! Instants on the wire: written as RFC 3339 in UTC with six digits and `Z`; read as pydantic reads them.
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An instant in the form that Prefect's clients write and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) struct WireTime(pub Timestamp);

impl From<Timestamp> for WireTime {
    fn from(at: Timestamp) -> Self {
        WireTime(at)
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl<'de> Deserialize<'de> for WireTime {
    /// RFC 3339 with `T` or a space; without an offset it is UTC; a number is Unix seconds.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Instant;
        impl Visitor<'_> for Instant {
            type Value = WireTime;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a date and time such as 2026-11-21T09:00:00Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WireTime, E> {
                read(text).map(WireTime).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<WireTime, E> {
                Timestamp::from_second(seconds).map(WireTime).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<WireTime, E> {
                self.visit_i64(i64::try_from(seconds).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<WireTime, E> {
                let since = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(E::custom)?;
                Timestamp::from_duration(since).map(WireTime).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Instant)
    }
}

fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let local = text.parse::<DateTime>().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_clients_send_is_read() {
        for (sent, shown) in [
            (json!("2026-11-20 20:22:58.340535+00:00"), "2026-11-20T20:22:58.340535Z"),
            (json!("2026-11-20T21:22:58+01:00"), "2026-11-20T20:22:58.000000Z"),
            (json!("2026-11-20T20:22:58.123456789Z"), "2026-11-20T20:22:58.123456Z"),
            (json!("2026-11-20T20:22:58"), "2026-11-20T20:22:58.000000Z"),
            (json!("2026-11-20"), "2026-11-20T00:00:00.000000Z"),
            (json!("0001-01-01T00:00:00+00:00"), "0001-01-01T00:00:00.000000Z"),
            (json!(0), "1970-01-01T00:00:00.000000Z"),
            (json!(1.5), "1970-01-01T00:00:01.500000Z"),
        ] {
            let read: WireTime = serde_json::from_value(sent.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), json!(shown), "{sent}");
        }
        for wrong in [json!("tomorrow"), json!(""), json!([]), json!(null), json!(1e300), json!(u64::MAX), json!("2026-13-01T00:00:00Z")] {
            assert!(serde_json::from_value::<WireTime>(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(Value::Null.is_null());
    }
}
