//! Tables of every rule, properties on generated pairs of projects, and the texts as files.
mod corpus;
mod desired;
mod drift;
mod every_field;
mod guarantees;
mod home;
mod keeping;
mod limits;
mod properties;
mod renames;
mod rules;
mod schedule_rules;
mod schema;
mod texts;
