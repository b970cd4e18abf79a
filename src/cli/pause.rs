//! Why something is held back and for how long: what every `pause` takes.
use super::client::Client;
use super::error::CliError;
use super::screen::Screen;
use super::{when, words};
use crate::control::Until;
use jiff::{Timestamp, Zoned};

/// The reason and the end of an operator's change.
#[derive(Debug, clap::Args)]
pub struct PauseOptions {
    /// The reason, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// When it ends by itself: `tomorrow 06:00`, `18:30`, `2026-11-21T09:00:00+01:00`. Only for what a file declares.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

impl PauseOptions {
    /// A connection whose changes carry them, and the end as the last words of a sentence.
    pub fn on(&self, client: &Client, screen: &Screen) -> Result<(Client, String), CliError> {
        let now = screen.now.to_zoned(screen.zone.clone());
        let until = self.until.as_deref().map(|text| end(text, &now)).transpose()?;
        let words = until.map(|until| format!(" until {}", words::local(until, &screen.zone))).unwrap_or_default();
        Ok((client.because(self.why.as_ref(), until.map_or(Until::Never, Until::At)), words))
    }
}

/// The instant that `--until` names: one to come.
pub fn end(text: &str, now: &Zoned) -> Result<Timestamp, CliError> {
    let until = when::instant("--until", text, now)?;
    match until > now.timestamp() {
        true => Ok(until),
        false => Err(CliError::new(format!("`--until {text}` is over")).hint("name a time to come, or leave it out: then it is ended by hand")),
    }
}
