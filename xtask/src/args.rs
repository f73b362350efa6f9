//! The words of a command line.

use crate::failure::Failure;

/// The words that nobody has taken yet.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn new(words: impl IntoIterator<Item = String>) -> Args {
        Args(words.into_iter().collect())
    }

    /// Whether the person only wants to know what the task takes.
    pub(crate) fn asks_for_help(&self) -> bool {
        self.0.iter().any(|word| word == "--help" || word == "-h")
    }

    /// Takes `--name`; says whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() != before
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let prefix = format!("{name}=");
        let Some(at) = self
            .0
            .iter()
            .position(|w| w == name || w.starts_with(&prefix))
        else {
            return Ok(None);
        };
        let word = self.0.remove(at);
        if let Some(value) = word.strip_prefix(&prefix) {
            return Ok(Some(value.to_owned()));
        }
        if at < self.0.len() && !self.0[at].starts_with("--") {
            return Ok(Some(self.0.remove(at)));
        }
        Err(Failure::Usage(format!("{name} wants a value")))
    }

    /// Takes the first word that is no option.
    pub(crate) fn word(&mut self) -> Option<String> {
        let at = self.0.iter().position(|word| !word.starts_with("--"))?;
        Some(self.0.remove(at))
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!(
                "what is `{word}`? (`cargo xtask help`)"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_taken_in_any_order() {
        let mut args = args("--release carbons --data=here --domain a.example");
        assert_eq!(args.value("--data").unwrap().as_deref(), Some("here"));
        assert_eq!(
            args.value("--domain").unwrap().as_deref(),
            Some("a.example")
        );
        assert_eq!(args.word().as_deref(), Some("carbons"));
        assert!(args.flag("--release") && !args.flag("--release"));
        args.finish().unwrap();
    }

    #[test]
    fn unknown_words_and_missing_values_are_refused() {
        assert!(matches!(args("--what").finish(), Err(Failure::Usage(_))));
        assert!(matches!(
            args("--data --release").value("--data"),
            Err(Failure::Usage(_))
        ));
    }
}
