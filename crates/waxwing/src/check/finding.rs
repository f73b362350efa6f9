//! What was found about one thing, and how it is mended.

use serde_json::{Value, json};

/// How it stands with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It is well.
    Good,
    /// Nothing can be said, or nothing has to be done.
    Note,
    /// It works, but not for long or not for all.
    Warning,
    /// The server runs, and does not serve as it should.
    Bad,
    /// The server does not start.
    Fatal,
}

impl Level {
    /// As it is printed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Bad => "bad",
            Level::Fatal => "fatal",
        }
    }
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How it stands.
    pub level: Level,
    /// Which part of the whole it is about.
    pub about: &'static str,
    /// What was found, in plain words.
    pub text: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Finding {
    fn plain(level: Level, about: &'static str, text: impl Into<String>) -> Finding {
        let text = text.into();
        Finding {
            level,
            about,
            text,
            mend: None,
        }
    }

    /// It is well.
    pub(crate) fn good(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::plain(Level::Good, about, text)
    }

    /// Something to know.
    pub(crate) fn note(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::plain(Level::Note, about, text)
    }

    /// It could be better.
    pub(crate) fn warning(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::plain(Level::Warning, about, text)
    }

    /// It has to be mended, and the server runs.
    pub(crate) fn bad(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::plain(Level::Bad, about, text)
    }

    /// It has to be mended before the server runs.
    pub(crate) fn fatal(about: &'static str, text: impl Into<String>) -> Finding {
        Finding::plain(Level::Fatal, about, text)
    }

    /// With what to do about it.
    #[must_use]
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Finding {
        self.mend = Some(mend.into());
        self
    }

    /// For people.
    pub(crate) fn lines(&self) -> String {
        lines(
            self.level.name(),
            self.about,
            &self.text,
            self.mend.as_deref(),
        )
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "level": self.level.name(), "about": self.about, "text": self.text, "mend": self.mend })
    }
}

/// A finding as it is printed, by the names of its level and of what it is about.
pub(crate) fn lines(level: &str, about: &str, text: &str, mend: Option<&str>) -> String {
    let mut lines = format!(
        "{level:7}  {about:13}  {}",
        text.replace('\n', "\n                        ")
    );
    if let Some(mend) = mend {
        lines.push_str("\n                        -> ");
        lines.push_str(&mend.replace('\n', "\n                           "));
    }
    lines
}
