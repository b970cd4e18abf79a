//! `reeve schema`.
use super::screen::Screen;

/// Print the JSON schema of deployment.yaml, for editors.
///
/// `reeve project init` writes it beside the project file; run this after an upgrade to renew it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve schema > .reeve/deployment.schema.json")]
pub struct Arguments {}

pub fn run(_: &Arguments, screen: &mut Screen) {
    screen.json(&crate::manifest::json_schema());
}
