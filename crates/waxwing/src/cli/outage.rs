//! The words of `waxwing outage`.

use clap::Args;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

/// What is told of a time in which the server does not work.
#[derive(Clone, Debug, Args)]
pub(crate) struct Outage {
    /// When it begins or began, as 2026-12-01T20:00:00Z.
    #[arg(long, value_name = "TIME", required_unless_present = "over")]
    pub begins: Option<DateTime>,
    /// When it is expected to end.
    #[arg(long, value_name = "TIME")]
    pub ends: Option<DateTime>,
    /// It was planned.
    #[arg(long)]
    pub planned: bool,
    /// What people are told.
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// The same in another language, as de=TEXT.
    #[arg(long = "in", value_name = "LANGUAGE=TEXT", requires = "message", value_parser = translation)]
    pub translations: Vec<(String, String)>,
    /// It is over: nothing is told any more.
    #[arg(long, conflicts_with_all = ["begins", "ends", "planned", "message"])]
    pub over: bool,
}

fn translation(text: &str) -> Result<(String, String), String> {
    let (language, text) = text
        .split_once('=')
        .ok_or("a translation looks like de=TEXT")?;
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let is_language = language.split('-').all(is_part) && language != "default";
    match is_language {
        true => Ok((language.to_owned(), text.to_owned())),
        false => Err(format!("'{language}' is no language, such as de or pt-BR")),
    }
}
