//! Names that clients may give.
use serde::{Deserialize, Deserializer};

/// A name of a flow, pool or queue: at least one character, and none of `/ % & > <`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Name(pub String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // NUL parts two names in a key of the store.
        if name.is_empty() || name.contains(['/', '%', '&', '>', '<', '\0']) {
            return Err(serde::de::Error::custom("String should match pattern '^[^/%&><]+$'"));
        }
        Ok(Name(name))
    }
}
