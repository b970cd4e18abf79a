//! The building blocks that the filters share, one per shape on the wire.
use super::like;
use crate::api::wire::WireTime;
use jiff::Timestamp;
use serde::Deserialize;

/// How several criteria are combined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in crate::api) enum Operator {
    #[default]
    #[serde(rename = "and_")]
    And,
    #[serde(rename = "or_")]
    Or,
}

impl Operator {
    /// Combines the criteria that are there (`Some`); where none is, everything passes.
    pub fn over<const N: usize>(self, criteria: [Option<bool>; N]) -> bool {
        let mut present = criteria.into_iter().flatten().peekable();
        match self {
            Operator::And => present.all(|holds| holds),
            Operator::Or => present.peek().is_none() || present.any(|holds| holds),
        }
    }
}

impl Operator {
    /// The same where some criteria cannot be told (`Some(None)`): `None` where the whole depends on them.
    pub fn over_known<const N: usize>(self, criteria: [Option<Option<bool>>; N]) -> Option<bool> {
        let with = |unknown: bool| self.over(criteria.map(|criterion| criterion.map(|holds| holds.unwrap_or(unknown))));
        let (low, high) = (with(false), with(true));
        (low == high).then_some(low)
    }
}

/// `any_`: one of these.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AnyOf<T> {
    pub any_: Option<Vec<T>>,
}

impl<T> AnyOf<T> {
    pub fn holds<V: ?Sized>(&self, value: Option<&V>) -> bool
    where
        T: Borrowed<V>,
    {
        self.any_.as_ref().is_none_or(|list| contains(list, value))
    }
}

/// `any_` and `not_any_`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AnyOrNotAny<T> {
    pub any_: Option<Vec<T>>,
    pub not_any_: Option<Vec<T>>,
}

impl<T> AnyOrNotAny<T> {
    pub fn holds<V: ?Sized>(&self, value: Option<&V>) -> bool
    where
        T: Borrowed<V>,
    {
        let excluded = self.not_any_.as_ref().filter(|list| !list.is_empty());
        self.any_.as_ref().is_none_or(|list| contains(list, value))
            && excluded.is_none_or(|list| value.is_some() && !contains(list, value))
    }
}

/// `any_` or `is_null_`, under an operator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AnyOrNull<T> {
    #[serde(default)]
    pub operator: Operator,
    pub any_: Option<Vec<T>>,
    pub is_null_: Option<bool>,
}

impl<T> AnyOrNull<T> {
    pub fn holds<V: ?Sized>(&self, value: Option<&V>) -> bool
    where
        T: Borrowed<V>,
    {
        self.operator.over([
            self.any_.as_ref().map(|list| contains(list, value)),
            self.is_null_.map(|wanted| value.is_none() == wanted),
        ])
    }
}

/// `any_` (exact) and `like_` (part of it, in any case).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct NameCriterion {
    pub any_: Option<Vec<String>>,
    pub like_: Option<String>,
}

impl NameCriterion {
    pub fn holds(&self, name: &str) -> bool {
        self.any_.as_ref().is_none_or(|list| list.iter().any(|wanted| wanted == name))
            && self.like_.as_deref().filter(|like| !like.is_empty()).is_none_or(|like| like::contains(name, like))
    }
}

/// Tags: `all_` of these, `any_` of these, or none at all.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct TagsCriterion {
    #[serde(default)]
    operator: Operator,
    all_: Option<Vec<String>>,
    any_: Option<Vec<String>>,
    is_null_: Option<bool>,
}

impl TagsCriterion {
    pub fn holds(&self, tags: &[String]) -> bool {
        self.operator.over([
            has_all(self.all_.as_deref(), tags),
            self.any_.as_ref().map(|any| any.iter().any(|tag| tags.contains(tag))),
            self.is_null_.map(|wanted| tags.is_empty() == wanted),
        ])
    }
}

/// Tags, where the wire has no `any_`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct AllTagsCriterion {
    #[serde(default)]
    operator: Operator,
    all_: Option<Vec<String>>,
    is_null_: Option<bool>,
}

impl AllTagsCriterion {
    pub fn holds(&self, tags: &[String]) -> bool {
        self.operator.over([has_all(self.all_.as_deref(), tags), self.is_null_.map(|wanted| tags.is_empty() == wanted)])
    }
}

fn has_all(all: Option<&[String]>, tags: &[String]) -> Option<bool> {
    all.filter(|all| !all.is_empty()).map(|all| all.iter().all(|tag| tags.contains(tag)))
}

/// `before_` and `after_`, both inclusive.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct TimeCriterion {
    pub before_: Option<WireTime>,
    pub after_: Option<WireTime>,
}

impl TimeCriterion {
    pub fn holds(&self, at: Option<Timestamp>) -> bool {
        self.before_.is_none_or(|limit| at.is_some_and(|at| at <= limit.0))
            && self.after_.is_none_or(|limit| at.is_some_and(|at| at >= limit.0))
    }
}

/// `before_`, `after_` and `is_null_`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct OptionalTimeCriterion {
    before_: Option<WireTime>,
    after_: Option<WireTime>,
    is_null_: Option<bool>,
}

impl OptionalTimeCriterion {
    pub fn holds(&self, at: Option<Timestamp>) -> bool {
        let range = TimeCriterion { before_: self.before_, after_: self.after_ };
        range.holds(at) && self.is_null_.is_none_or(|wanted| at.is_none() == wanted)
    }
}

/// `eq_` for a flag.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FlagCriterion {
    eq_: Option<bool>,
}

impl FlagCriterion {
    pub fn holds(&self, flag: bool) -> bool {
        self.eq_.is_none_or(|wanted| wanted == flag)
    }
}

/// What a list on the wire holds, compared with the form that the model has.
pub(in crate::api) trait Borrowed<V: ?Sized> {
    fn is(&self, value: &V) -> bool;
}

impl Borrowed<str> for String {
    fn is(&self, value: &str) -> bool {
        self == value
    }
}

impl<T: Copy + PartialEq> Borrowed<T> for T {
    fn is(&self, value: &T) -> bool {
        self == value
    }
}

fn contains<T: Borrowed<V>, V: ?Sized>(list: &[T], value: Option<&V>) -> bool {
    value.is_some_and(|value| list.iter().any(|item| item.is(value)))
}
