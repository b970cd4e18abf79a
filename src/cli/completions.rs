//! `reeve completions`.
use super::screen::Screen;
use clap_complete::Shell;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  reeve completions bash > ~/.local/share/bash-completion/completions/reeve
  reeve completions zsh > ~/.zfunc/_reeve
  reeve completions fish > ~/.config/fish/completions/reeve.fish")]
pub struct Arguments {
    /// bash, elvish, fish, powershell or zsh.
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    pub shell: Shell,
}

pub fn run(arguments: &Arguments, mut command: clap::Command, screen: &mut Screen) {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "reeve", &mut script);
    screen.raw(&String::from_utf8_lossy(&script));
}
