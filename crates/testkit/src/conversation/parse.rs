//! Reading the Markdown.

use super::cast::Cast;
use super::{Act, Conversation, Failure, Section, Step, Who, action, xml};

/// Reads a file.
pub(super) fn conversation(path: &str, text: &str) -> Result<Conversation, Failure> {
    let mut reading = Reading::default();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let fail = |(line, what): (usize, String)| failure(path, line, what);
        if let Some(language) = line.strip_prefix("```") {
            let mut inside = Vec::new();
            loop {
                match lines.next() {
                    Some(("```", _)) => break,
                    Some(inner) => inside.push(inner),
                    None => return Err(failure(path, number, "the block has no end")),
                }
            }
            reading
                .block(language.trim(), number, &inside)
                .map_err(fail)?;
        } else {
            reading
                .line(line, number)
                .map_err(|what| fail((number, what)))?;
        }
    }
    reading.finish(path)
}

fn failure(path: &str, line: usize, what: impl Into<String>) -> Failure {
    Failure {
        path: path.to_owned(),
        line,
        what: what.into(),
    }
}

#[derive(Default)]
struct Reading {
    title: Option<String>,
    cast: Cast,
    opening: Vec<Step>,
    sections: Vec<Part>,
}

/// A section as it is read.
struct Part {
    title: String,
    line: usize,
    cast: Cast,
    steps: Vec<Step>,
    has_link: bool,
}

impl Reading {
    fn line(&mut self, line: &str, number: usize) -> Result<(), String> {
        if let Some(title) = line.strip_prefix("# ") {
            self.title.get_or_insert_with(|| title.trim().to_owned());
        } else if let Some(title) = line.strip_prefix("## ") {
            let title = title.trim().to_owned();
            if self.sections.iter().any(|part| part.title == title) {
                return Err(format!("a second section is called `{title}`"));
            }
            self.sections.push(Part {
                title,
                line: number,
                cast: self.cast.clone(),
                steps: self.opening.clone(),
                has_link: false,
            });
        } else if let Some(said) = line.strip_prefix('>') {
            let said = said.trim();
            // What begins with a quotation mark is a quotation.
            if !said.starts_with(['"', '“']) {
                let act = action::read(said)?;
                self.push(number, act);
            }
        } else if (line.contains("](https://") || line.contains("<https://"))
            && let Some(part) = self.sections.last_mut()
        {
            part.has_link = true;
        }
        Ok(())
    }

    fn push(&mut self, line: usize, act: Act) {
        let steps = match self.sections.last_mut() {
            Some(part) => &mut part.steps,
            None => &mut self.opening,
        };
        steps.push(Step { line, act });
    }

    fn block(
        &mut self,
        language: &str,
        number: usize,
        lines: &[(&str, usize)],
    ) -> Result<(), (usize, String)> {
        match language {
            "cast" => {
                let cast = match self.sections.last_mut() {
                    Some(part) => &mut part.cast,
                    None => &mut self.cast,
                };
                for (line, number) in lines.iter().filter(|(line, _)| !line.trim().is_empty()) {
                    cast.read(line).map_err(|what| (*number, what))?;
                }
                Ok(())
            }
            "xml" => self.turns(number, lines),
            "text" | "toml" | "sh" => Ok(()),
            other => Err((
                number,
                format!("blocks are `cast`, `xml` or `text`, not `{other}`"),
            )),
        }
    }

    /// A block of XML: lines that say who speaks to whom, each followed by what is said.
    fn turns(&mut self, number: usize, lines: &[(&str, usize)]) -> Result<(), (usize, String)> {
        let mut turns: Vec<(Turn, usize, String)> = Vec::new();
        for (line, number) in lines {
            if let Some(turn) = turn(line) {
                turns.push((
                    turn.map_err(|what| (*number, what))?,
                    *number,
                    String::new(),
                ));
            } else if let Some((_, _, said)) = turns.last_mut() {
                said.push_str(line);
                said.push('\n');
            } else if !line.trim().is_empty() {
                let what = "who says this? `alice/phone → server` or `server → alice/phone`";
                return Err((*number, what.to_owned()));
            }
        }
        if turns.is_empty() {
            return Err((number, "nobody says anything here".to_owned()));
        }
        for (turn, number, said) in turns {
            let act = turn.act(said.trim()).map_err(|what| (number, what))?;
            self.push(number, act);
        }
        Ok(())
    }

    fn finish(self, path: &str) -> Result<Conversation, Failure> {
        let title = self
            .title
            .ok_or_else(|| failure(path, 1, "the file has no title"))?;
        let opening = self.opening.len();
        let mut sections = Vec::new();
        for part in self.sections {
            if part.steps.len() == opening {
                continue;
            }
            if !part.has_link {
                let what = "the section does not link to the clause that it is about";
                return Err(failure(path, part.line, what));
            }
            if !part
                .steps
                .iter()
                .skip(opening)
                .any(|step| step.act.asserts())
            {
                return Err(failure(path, part.line, "the section asserts nothing"));
            }
            check_cast(path, &part)?;
            sections.push(Section {
                title: part.title,
                line: part.line,
                cast: part.cast,
                steps: part.steps,
            });
        }
        if sections.is_empty() {
            return Err(failure(
                path,
                1,
                "the file has no section that asserts anything",
            ));
        }
        Ok(Conversation {
            path: path.to_owned(),
            title,
            sections,
        })
    }
}

/// Everybody who does something is in the cast, or comes in by a step of their own.
fn check_cast(path: &str, part: &Part) -> Result<(), Failure> {
    let mut known: Vec<&Who> = part.cast.members.iter().map(|member| &member.who).collect();
    for step in &part.steps {
        if let Act::LogIn { who, .. } | Act::Join(who) = &step.act {
            known.push(who);
        }
        let named: &[Who] = match &step.act {
            Act::Nothing(all) => all,
            Act::Send(who, _)
            | Act::Expect { who, .. }
            | Act::Disconnected(who)
            | Act::CutOff(who)
            | Act::Vanish(who) => std::slice::from_ref(who),
            _ => &[],
        };
        if let Some(stranger) = named.iter().find(|who| !known.contains(who)) {
            let what = format!("{stranger} is not in the cast");
            return Err(failure(path, step.line, what));
        }
    }
    Ok(())
}

impl Act {
    fn asserts(&self) -> bool {
        matches!(
            self,
            Act::Expect { .. } | Act::Nothing(_) | Act::Disconnected(_) | Act::CannotLogIn { .. }
        )
    }
}

/// Who speaks to whom.
enum Turn {
    Says { who: Who, raw: bool },
    Hears { who: Who, any_order: bool },
}

/// `alice/phone → server`, `server -> alice/phone, in any order`.
fn turn(line: &str) -> Option<Result<Turn, String>> {
    let (from, to) = line.split_once(" → ").or_else(|| line.split_once(" -> "))?;
    if from.contains(['<', '>', ' ']) {
        return None;
    }
    let (to, manner) = match to.trim_end().trim_end_matches(':').split_once(", ") {
        Some((to, manner)) => (to, Some(manner)),
        None => (to.trim_end().trim_end_matches(':'), None),
    };
    Some(match (from, to, manner) {
        (_, "server", None) => action::who(from).map(|who| Turn::Says { who, raw: false }),
        (_, "server", Some("raw")) => action::who(from).map(|who| Turn::Says { who, raw: true }),
        ("server", _, None) => action::who(to).map(|who| Turn::Hears {
            who,
            any_order: false,
        }),
        ("server", _, Some("in any order")) => action::who(to).map(|who| Turn::Hears {
            who,
            any_order: true,
        }),
        _ => Err(format!("who speaks to whom? `{line}`")),
    })
}

impl Turn {
    fn act(self, said: &str) -> Result<Act, String> {
        match self {
            Turn::Says { who, raw } => Ok(Act::Send(who, xml::template(said, raw)?)),
            Turn::Hears { who, any_order } => Ok(Act::Expect {
                who,
                patterns: xml::patterns(said)?,
                any_order,
            }),
        }
    }
}
