//! `reeve schema`.
use super::screen::Screen;
use clap::ValueEnum;

/// Print the JSON schema of deployment.yaml, for editors; or of a plan, for programs.
///
/// `reeve project init` writes the first beside the project file; run this after an upgrade to renew it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  reeve schema > .reeve/deployment.schema.json\n  reeve schema plan > plan.schema.json")]
pub struct Arguments {
    /// `deployment` for deployment.yaml, `plan` for what `reeve reconcile --output json` prints.
    #[arg(value_name = "WHAT", default_value = "deployment", hide_possible_values = true)]
    pub what: What,
}

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Deployment,
    Plan,
}

pub fn run(arguments: &Arguments, screen: &mut Screen) {
    screen.json(&match arguments.what {
        What::Deployment => crate::manifest::json_schema(),
        What::Plan => crate::reconcile::explain::json_schema(),
    });
}
