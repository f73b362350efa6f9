//! XEP-0050: Ad-Hoc Commands. Features register theirs; what is said here is said of all.
//!
//! <https://xmpp.org/extensions/xep-0050.html>
//!
//! Nothing is kept of a run of a command: its name says when it began and, under a key of the server's, who runs what; how
//! far it has come, and what was filled in before, goes back and forth in its forms. A command checks all of a form
//! whenever one comes.

mod faces;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use waxwing_stanza::xep::xep_0004_forms::{DataForm, Field, FieldKind, FormKind, NS as NS_FORMS};
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, Feature as Var, Identity, Item};
use waxwing_stanza::xep::xep_0050_commands::{
    Action, Actions, Command, Fault, NS, Note, NoteKind, Status,
};
use waxwing_stanza::{Condition, ErrorType, IqType, Payload, StanzaError};
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq, IqHead};
use crate::effects::Effects;
use crate::registry::{self, Feature, Registrar, Source};
use faces::{Face, faces};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(50),
    title: "Ad-Hoc Commands",
    version: "1.3.0",
    status: registry::Status::Partial("in English, whatever language is asked for"),
    register,
    ..Feature::NONE
};

/// How long a run of a command may take.
const RUN_SECS_MAX: u64 = 3_600;

/// The language of everything that is for people.
const LANGUAGE: &str = "en";

/// The hidden field that says which stage a form belongs to, where a command has several.
const STAGE: &str = "stage";

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(Addressee::ALL, IqType::Set, answer);
}

/// A command, as a feature registers it.
#[derive(Clone, Copy)]
pub(crate) struct AdHoc {
    /// The node that names it.
    pub(crate) node: &'static str,
    /// What people call it.
    pub(crate) name: &'static str,
    /// The admin commands that it is a face of: other ones have forms that are made of their registration.
    pub(crate) faces: &'static [&'static str],
    /// How many forms are filled in until it is carried out: a form shows itself by its number, from zero.
    pub(crate) stages: u8,
    /// Whether who asks may run it; only who may is told of it.
    pub(crate) may: fn(Cx, IqHead) -> BoxFuture<'static, Result<bool, StanzaError>>,
    /// Shows a form, or carries the command out.
    pub(crate) run: fn(Cx, IqHead, Step) -> BoxFuture<'static, Result<Outcome, StanzaError>>,
}

/// What is wanted of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The form of a stage.
    Show {
        /// Which stage.
        stage: u8,
        /// What was filled in at the one before, or after; nothing at the beginning. What is to be known later is to go
        /// along in hidden fields.
        given: Option<DataForm>,
    },
    /// That it be carried out.
    CarryOut(DataForm),
}

/// What a command answers.
pub(crate) enum Outcome {
    /// A form is to be filled in.
    Ask(DataForm),
    /// It is over, and this is what was asked for.
    Shown {
        /// What is shown.
        form: DataForm,
        /// What people are told besides.
        note: Option<Note>,
    },
    /// The same, where more than fields is in the form.
    ShownWith {
        /// What is shown.
        form: DataForm,
        /// What else stands in it.
        inside: Element,
        /// What people are told besides.
        note: Option<Note>,
    },
    /// It is over.
    Done {
        /// What people are told; one of [`NoteKind::Error`] where it was not done (§3.6).
        note: Note,
        /// What follows.
        effects: Effects,
    },
}

impl Outcome {
    /// It is over, and this is what people are told.
    pub(crate) fn done(kind: NoteKind, text: impl Into<String>, effects: Effects) -> Outcome {
        let text = text.into();
        Outcome::Done {
            note: Note { kind, text },
            effects,
        }
    }
}

async fn answer(cx: Cx, iq: Iq<Command>) -> Handled {
    let Iq { head, payload } = iq;
    let command = named(&cx, &head, &payload.node)?;
    if !command.may(&cx, &head).await? {
        return Err(StanzaError::from(Condition::Forbidden).with_type(ErrorType::Cancel));
    }
    let action = payload.wanted()?;
    let now = cx.server.now_micros() / 1_000_000;
    let runs = cx.server.runs();
    let run = match &payload.session {
        Some(run) => {
            runs.check(run, &command.node(), &head, now)?;
            run.clone()
        }
        None => runs.begin(
            &cx.server.outside().token::<8>(),
            &command.node(),
            &head,
            now,
        ),
    };
    let mut reply = Command {
        lang: Some(LANGUAGE.to_owned()),
        session: Some(run),
        ..Command::of(&command.node())
    };
    let step = match payload.session {
        None => begin(command.stages(), action)?,
        Some(_) if action == Action::Cancel => {
            reply.status = Some(Status::Canceled);
            return Ok(Answer::with(&reply));
        }
        Some(_) => go_on(command.stages(), action, filled_in(&payload)?)?,
    };
    let stage = match &step {
        Step::Show { stage, .. } => *stage,
        Step::CarryOut(_) => command.stages(),
    };
    match command.run(cx, head, step).await? {
        Outcome::Ask(mut form) => {
            if command.stages() > 1 {
                let number = stage.to_string();
                let field = Field::new(STAGE, [number.as_str()]);
                form.fields.push(field.with_kind(FieldKind::Hidden));
            }
            reply.status = Some(Status::Executing);
            reply.actions = Some(offered(command.stages(), stage));
            reply.payload.push(form.write());
            Ok(Answer::with(&reply))
        }
        Outcome::Shown { form, note } => {
            reply.status = Some(Status::Completed);
            reply.payload.push(form.write());
            reply.notes.extend(note);
            Ok(Answer::with(&reply))
        }
        Outcome::ShownWith { form, inside, note } => {
            reply.status = Some(Status::Completed);
            reply.payload.push(form.write().with_child(inside));
            reply.notes.extend(note);
            Ok(Answer::with(&reply))
        }
        Outcome::Done { note, effects } => {
            reply.status = Some(Status::Completed);
            reply.notes.push(note);
            Ok(Answer::with(&reply).and(effects))
        }
    }
}

/// The command of this name. Where there are none at all, they are not supported (§4.4).
fn named(cx: &Cx, head: &IqHead, node: &str) -> Result<Face, StanzaError> {
    let all = faces(cx, head);
    if all.is_empty() {
        return Err(Condition::ServiceUnavailable.into());
    }
    let found = all.into_iter().find(|command| command.node() == node);
    found.ok_or_else(|| Condition::ItemNotFound.into())
}

/// What was filled in. Who answers without a form has filled in nothing; and there is no form that can be cancelled, since
/// the command can (§3.5.1).
fn filled_in(command: &Command) -> Result<DataForm, Fault> {
    let form = command.form().map_err(|_| Fault::BadPayload)?;
    let form = form.unwrap_or_else(|| DataForm::new(FormKind::Submit));
    match form.kind {
        FormKind::Submit | FormKind::Cancel => Ok(DataForm {
            kind: FormKind::Submit,
            ..form
        }),
        FormKind::Form | FormKind::Result => Err(Fault::BadPayload),
    }
}

/// The first step.
fn begin(stages: u8, action: Action) -> Result<Step, Fault> {
    if action != Action::Execute {
        return Err(Fault::BadAction);
    }
    Ok(match stages {
        0 => Step::CarryOut(DataForm::new(FormKind::Submit)),
        _ => Step::Show {
            stage: 0,
            given: None,
        },
    })
}

/// What follows from an action at the stage whose form it is; without a word of that, the first one (§2.4.2, §3.4).
fn go_on(stages: u8, action: Action, form: DataForm) -> Result<Step, Fault> {
    let Some(last) = stages.checked_sub(1) else {
        return Err(Fault::SessionExpired);
    };
    let said = form.value(STAGE).filter(|_| stages > 1);
    let said = said.map(str::parse::<u8>).transpose();
    let said = said.map_err(|_| Fault::BadPayload)?;
    let stage = said.unwrap_or_default();
    if stage > last {
        return Err(Fault::BadPayload);
    }
    let show = |stage| Step::Show {
        stage,
        given: Some(form.clone()),
    };
    match action {
        Action::Execute | Action::Complete if stage == last => Ok(Step::CarryOut(form)),
        Action::Execute | Action::Next if stage < last => Ok(show(stage + 1)),
        // Who goes back from anywhere without the form goes back to the beginning.
        Action::Prev if last > 0 && said != Some(0) => Ok(show(stage.saturating_sub(1))),
        _ => Err(Fault::BadAction),
    }
}

fn offered(stages: u8, stage: u8) -> Actions {
    let is_last = stage + 1 >= stages;
    Actions {
        execute: Some(match is_last {
            true => Action::Complete,
            false => Action::Next,
        }),
        prev: stage > 0,
        next: !is_last,
        complete: is_last,
    }
}

/// The commands that who asks may run (§2.2); nothing where this is another node than that of the list.
pub(crate) async fn items(
    cx: &Cx,
    head: &IqHead,
    node: &str,
) -> Result<Option<Vec<Item>>, StanzaError> {
    let all = faces(cx, head);
    if node != NS || all.is_empty() {
        return Ok(None);
    }
    let mut items = Vec::new();
    for command in all {
        if command.may(cx, head).await? {
            items.push(Item {
                jid: head.to.clone().into(),
                node: Some(command.node().into_owned()),
                name: Some(command.name().into_owned()),
            });
        }
    }
    Ok(Some(items))
}

/// What a command is, or their list (§2.2); nothing where this is neither.
pub(crate) async fn info(
    cx: &Cx,
    head: &IqHead,
    node: &str,
) -> Result<Option<DiscoInfo>, StanzaError> {
    let all = faces(cx, head);
    if node == NS && !all.is_empty() {
        return Ok(Some(described(node, "command-list", None, &[NS])));
    }
    let Some(command) = all.into_iter().find(|command| command.node() == node) else {
        return Ok(None);
    };
    match command.may(cx, head).await? {
        true => Ok(Some(described(
            node,
            "command-node",
            Some(&command.name()),
            &[NS, NS_FORMS],
        ))),
        false => Err(Condition::Forbidden.into()),
    }
}

fn described(node: &str, kind: &str, name: Option<&str>, features: &[&str]) -> DiscoInfo {
    DiscoInfo {
        identities: vec![Identity::new("automation", kind, name)],
        features: features.iter().map(|var| Var::new(var)).collect(),
        ..DiscoInfo::question(Some(node))
    }
}

/// Names runs of commands.
pub(crate) struct Runs([u8; 32]);

/// Bytes of the code that says that a name is one of ours.
const CODE_BYTES: usize = 16;

impl Runs {
    /// Under a secret key.
    pub(crate) fn new(key: [u8; 32]) -> Runs {
        Runs(key)
    }

    fn begin(&self, token: &str, node: &str, head: &IqHead, now_secs: u64) -> String {
        let begun = format!("{now_secs:x}");
        let code = self.code(&[&begun, token, node, head.from.as_str(), head.to.as_str()]);
        let code =
            code.map(|code| URL_SAFE_NO_PAD.encode(&code.finalize().into_bytes()[..CODE_BYTES]));
        format!("{begun}-{token}-{}", code.unwrap_or_default())
    }

    /// Refuses what is no run of this command by who asks, or has taken too long.
    fn check(&self, run: &str, node: &str, head: &IqHead, now_secs: u64) -> Result<(), Fault> {
        let mut parts = run.splitn(3, '-');
        let (Some(begun), Some(token), Some(code)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::BadSession);
        };
        let given = URL_SAFE_NO_PAD.decode(code).unwrap_or_default();
        let own = self.code(&[begun, token, node, head.from.as_str(), head.to.as_str()]);
        let is_own = own.is_some_and(|own| own.verify_truncated_left(&given).is_ok());
        if !is_own || given.len() != CODE_BYTES {
            return Err(Fault::BadSession);
        }
        let begun = u64::from_str_radix(begun, 16).map_err(|_| Fault::BadSession)?;
        match now_secs.saturating_sub(begun) <= RUN_SECS_MAX {
            true => Ok(()),
            false => Err(Fault::SessionExpired),
        }
    }

    fn code(&self, parts: &[&str]) -> Option<Hmac<Sha256>> {
        // A key of 32 bytes is one for HMAC, as one of any length is.
        let mut code = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for part in parts {
            code.update(&(part.len() as u64).to_be_bytes());
            code.update(part.as_bytes());
        }
        Some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(stage: Option<&str>) -> DataForm {
        let form = DataForm::new(FormKind::Submit);
        match stage {
            Some(stage) => form.with_field(Field::new(STAGE, [stage])),
            None => form,
        }
    }

    fn shown(stage: u8, given: DataForm) -> Result<Step, Fault> {
        let given = Some(given);
        Ok(Step::Show { stage, given })
    }

    #[test]
    fn a_command_begins_by_being_executed() {
        assert_eq!(begin(0, Action::Execute), Ok(Step::CarryOut(form(None))));
        let first = Step::Show {
            stage: 0,
            given: None,
        };
        assert_eq!(begin(2, Action::Execute), Ok(first));
        for action in [Action::Prev, Action::Next, Action::Complete, Action::Cancel] {
            assert_eq!(begin(1, action), Err(Fault::BadAction), "{action:?}");
        }
    }

    /// §3.4: what is offered is what can be done, and to execute is the usual one of these.
    #[test]
    fn what_is_offered_can_be_done_and_nothing_else() {
        for stages in 1..4 {
            for stage in 0..stages {
                let offered = offered(stages, stage);
                let number = stage.to_string();
                let form = form((stages > 1).then_some(number.as_str()));
                let go = |action| go_on(stages, action, form.clone());
                assert_eq!(go(Action::Prev).is_ok(), offered.prev);
                assert_eq!(go(Action::Next).is_ok(), offered.next);
                assert_eq!(go(Action::Complete).is_ok(), offered.complete);
                assert_eq!(go(Action::Execute), go(offered.execute.unwrap()));
            }
        }
    }

    #[test]
    fn stages_follow_each_other() {
        let (first, last) = (form(Some("0")), form(Some("1")));
        assert_eq!(go_on(2, Action::Next, first.clone()), shown(1, first));
        assert_eq!(
            go_on(2, Action::Complete, last.clone()),
            Ok(Step::CarryOut(last.clone()))
        );
        assert_eq!(go_on(2, Action::Prev, last.clone()), shown(0, last));
        // Clients send no form when they go back.
        assert_eq!(go_on(2, Action::Prev, form(None)), shown(0, form(None)));
        for wrong in ["2", "-1", "many"] {
            let wrong = go_on(2, Action::Execute, form(Some(wrong)));
            assert_eq!(wrong, Err(Fault::BadPayload));
        }
        // A command of one form may have a field of that name.
        let own = form(Some("Globe"));
        assert_eq!(
            go_on(1, Action::Execute, own.clone()),
            Ok(Step::CarryOut(own))
        );
        // A command without forms is over as soon as it has begun.
        let over = go_on(0, Action::Execute, form(None));
        assert_eq!(over, Err(Fault::SessionExpired));
    }

    #[test]
    fn forms_are_submitted() {
        let read = |kind| {
            filled_in(&Command {
                payload: vec![DataForm::new(kind).write()],
                ..Command::of("n")
            })
        };
        assert_eq!(read(FormKind::Submit), Ok(form(None)));
        assert_eq!(read(FormKind::Cancel), Ok(form(None)));
        assert_eq!(read(FormKind::Form), Err(Fault::BadPayload));
        assert_eq!(read(FormKind::Result), Err(Fault::BadPayload));
        assert_eq!(filled_in(&Command::of("n")), Ok(form(None)));
    }

    /// §3.3: a run is one requester's, of one command of one responder.
    #[test]
    fn a_run_is_its_requesters() {
        let head = |from: &str, to: &str| IqHead {
            from: from.parse().unwrap(),
            addressee: Addressee::Domain,
            to: to.parse().unwrap(),
            kind: IqType::Set,
            id: String::new(),
        };
        let (runs, own) = (Runs::new([1; 32]), head("a@b/c", "b"));
        let run = runs.begin("token", "n", &own, 10);
        assert_eq!(runs.check(&run, "n", &own, 10), Ok(()));
        assert_eq!(runs.check(&run, "n", &own, 10 + RUN_SECS_MAX), Ok(()));
        let late = runs.check(&run, "n", &own, 11 + RUN_SECS_MAX);
        assert_eq!(late, Err(Fault::SessionExpired));
        let wrong = Err(Fault::BadSession);
        assert_eq!(runs.check(&run, "m", &own, 10), wrong);
        assert_eq!(runs.check(&run, "n", &head("a@b/d", "b"), 10), wrong);
        assert_eq!(runs.check(&run, "n", &head("a@b/c", "d"), 10), wrong);
        assert_eq!(Runs::new([2; 32]).check(&run, "n", &own, 10), wrong);
        for other in [
            "",
            "a",
            "a-token-",
            &run[..run.len() - 1],
            &format!("b{run}"),
        ] {
            assert_eq!(runs.check(other, "n", &own, 10), wrong, "{other}");
        }
    }
}
