//! `waxwing outage`: the file that says why a server does not answer (XEP-0455), for another machine to hand out.

use serde_json::{Value, json};

use crate::cli::Outage;
use crate::{Outcome, say};

/// Most bytes of a text.
const TEXT_BYTES_MAX: usize = 4_096;

/// Prints the file.
pub(crate) fn run(outage: &Outage) -> Outcome {
    match written(outage) {
        Ok(file) => {
            say(&format!("{file:#}"));
            Outcome::Done
        }
        Err(text) => Outcome::Misused(text),
    }
}

/// "External status format".
fn written(outage: &Outage) -> Result<Value, String> {
    let Some(begins) = outage.begins.filter(|_| !outage.over) else {
        return Ok(json!({}));
    };
    let mut file = json!({ "planned": outage.planned, "beginning": begins.to_string() });
    if let Some(ends) = outage.ends {
        if ends <= begins {
            return Err(format!("it cannot end at {ends}, before it begins"));
        }
        file["expected_end"] = json!(ends.to_string());
    }
    if let Some(message) = &outage.message {
        let default = ("default".to_owned(), message.clone());
        let all = std::iter::once(default).chain(outage.translations.clone());
        for (language, text) in all {
            if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
                return Err(format!("a text has 1 to {TEXT_BYTES_MAX} bytes"));
            }
            file["message"][language] = json!(text);
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn file(words: &str) -> Result<Value, String> {
        let words = ["waxwing", "outage"]
            .into_iter()
            .chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.kind().to_string())?;
        match cli.command {
            Command::Outage(outage) => written(&outage),
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn it_is_as_clients_read_it() {
        let all = "--planned --begins 2021-01-12T02:01:01+01:00 --ends 2021-01-12T05:00:00Z --message Update --in de=Neues --in pt-BR=Novo";
        let expected = json!({
            "planned": true,
            "beginning": "2021-01-12T01:01:01Z",
            "expected_end": "2021-01-12T05:00:00Z",
            "message": { "default": "Update", "de": "Neues", "pt-BR": "Novo" },
        });
        assert_eq!(file(all), Ok(expected));
        let least = json!({ "planned": false, "beginning": "2021-01-12T01:01:01Z" });
        assert_eq!(file("--begins 2021-01-12T01:01:01Z"), Ok(least));
        assert_eq!(file("--over"), Ok(json!({})));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in [
            "",
            "--begins tomorrow",
            "--begins 2021-01-12T01:01:01Z --ends 2021-01-12T01:01:01Z",
            "--begins 2021-01-12T01:01:01Z --in de=Neues",
            "--begins 2021-01-12T01:01:01Z --message a --in default=b",
            "--begins 2021-01-12T01:01:01Z --message a --in =b",
            "--begins 2021-01-12T01:01:01Z --message a --in deutsch",
            "--over --begins 2021-01-12T01:01:01Z",
        ] {
            assert!(file(wrong).is_err(), "{wrong}");
        }
    }
}
