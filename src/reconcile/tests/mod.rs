//! Tables of every rule, properties on generated pairs of projects, and the texts as files.
mod desired;
mod home;
mod properties;
mod rules;
mod schedule_rules;
mod schema;
mod texts;
