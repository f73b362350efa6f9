//! [XEP-0050: Ad-Hoc Commands](https://xmpp.org/extensions/xep-0050.html)

use waxwing_wire::Element;

use crate::payload::{Payload, PayloadError, keywords, payload};
use crate::xep::xep_0004_forms::DataForm;
use crate::{Condition, ErrorType, StanzaError};

/// Namespace, name of the feature, and the node that lists the commands (§2.2).
pub const NS: &str = "http://jabber.org/protocol/commands";

payload! {
    /// A command: what is wanted of it, or how far it has come (§4.1).
    pub struct Command(NS, "command") {
        /// Which one.
        node: String = attr("node"),
        /// Which run of it; there is none at the beginning.
        session: Option<String> = attr("sessionid"),
        /// What is to be done, as it is written: [`Command::wanted`] reads it.
        action: Option<String> = attr("action"),
        /// How far it has come. What requesters say of it counts for nothing.
        status: Option<Status> = known_attr("status"),
        /// The language of what is for people.
        lang: Option<String> = attr("xml:lang"),
        /// What may be done next.
        actions: Option<Actions> = child(),
        /// What people are told.
        notes: Vec<Note> = child(),
        /// What it is about, such as a form; what comes first counts most (§3.5).
        payload: Vec<Element> = by(read_payload, write_payload),
    }
}

keywords! {
    /// What is to be done (§4.1).
    pub enum Action {
        /// To begin, or whatever is usual at a stage.
        Execute = "execute",
        /// To end it with nothing done.
        Cancel = "cancel",
        /// To go back a stage.
        Prev = "prev",
        /// To go on to the next stage.
        Next = "next",
        /// To carry it out.
        Complete = "complete",
    }
}

keywords! {
    /// How far a command has come (§4.1).
    pub enum Status {
        /// It goes on.
        Executing = "executing",
        /// It is done, well or badly.
        Completed = "completed",
        /// It was ended with nothing done.
        Canceled = "canceled",
    }
}

payload! {
    /// What may be done next; to cancel is always allowed (§3.4).
    pub struct Actions(NS, "actions") {
        /// What [`Action::Execute`] stands for: [`Action::Next`], if it is not said.
        execute: Option<Action> = known_attr("execute"),
        /// To go back a stage.
        prev: bool = flag("prev"),
        /// To go on.
        next: bool = flag("next"),
        /// To carry it out.
        complete: bool = flag("complete"),
    }
}

payload! {
    /// What people are told (§4.3).
    pub struct Note(NS, "note") {
        /// How bad it is.
        kind: NoteKind = attr("type", NoteKind::Info),
        /// In words.
        text: String = text(),
    }
}

keywords! {
    /// How bad it is (§4.3).
    pub enum NoteKind {
        /// Not at all.
        Info = "info",
        /// It is done, and perhaps not what was meant.
        Warn = "warn",
        /// It is not done.
        Error = "error",
    }
}

keywords! {
    /// What a responder finds wrong with a request, in words of its own (§4.4).
    pub enum Fault {
        /// The action is none that may be done at this stage.
        BadAction = "bad-action",
        /// It is not said in this language.
        BadLocale = "bad-locale",
        /// What was given is not what was asked for.
        BadPayload = "bad-payload",
        /// There is no such run of this command for this requester.
        BadSession = "bad-sessionid",
        /// There is no such action.
        MalformedAction = "malformed-action",
        /// That run is over.
        SessionExpired = "session-expired",
    }
}

impl Fault {
    /// The error.
    pub fn error(self) -> StanzaError {
        let (condition, kind) = match self {
            Fault::SessionExpired => (Condition::NotAllowed, ErrorType::Cancel),
            _ => (Condition::BadRequest, ErrorType::Modify),
        };
        StanzaError::specific(condition, kind, NS, self.as_str())
    }
}

impl From<Fault> for StanzaError {
    fn from(fault: Fault) -> StanzaError {
        fault.error()
    }
}

impl Command {
    /// A command of which nothing is said but which one it is.
    pub fn of(node: &str) -> Command {
        Command {
            node: node.to_owned(),
            session: None,
            action: None,
            status: None,
            lang: None,
            actions: None,
            notes: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// What is to be done: [`Action::Execute`], if it is not said.
    ///
    /// # Errors
    ///
    /// [`Fault::MalformedAction`] for a word that is none of them.
    pub fn wanted(&self) -> Result<Action, Fault> {
        match &self.action {
            None => Ok(Action::Execute),
            Some(word) => Action::from_keyword(word).ok_or(Fault::MalformedAction),
        }
    }

    /// The form that it is about, if there is one.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when there is one, but something in it is missing or wrong.
    pub fn form(&self) -> Result<Option<DataForm>, PayloadError> {
        let mut payload = self.payload.iter();
        let form = payload.find(|element| DataForm::is(element));
        form.map(DataForm::read).transpose()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
fn read_payload(command: &Element) -> Result<Vec<Element>, PayloadError> {
    let children = command.children().filter(|child| child.ns() != NS);
    Ok(children.cloned().collect())
}

fn write_payload(command: &mut Element, payload: &[Element]) {
    for element in payload {
        command.push(element.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::xep::xep_0004_forms::FormKind;

    /// §2.4.2, the second stage.
    #[test]
    fn a_stage() {
        let command = written::<Command>(
            "<command xmlns='http://jabber.org/protocol/commands' node='config' \
             sessionid='config:20020923T213616Z-700' status='executing'>\
             <actions execute='complete'><prev/><complete/></actions>\
             <x xmlns='jabber:x:data' type='form'/></command>",
        );
        assert_eq!(command.status, Some(Status::Executing));
        let actions = command.actions.as_ref().unwrap();
        assert_eq!(actions.execute, Some(Action::Complete));
        assert!(actions.prev && actions.complete && !actions.next);
        let form = command.form().unwrap();
        assert_eq!(form.map(|form| form.kind), Some(FormKind::Form));
    }

    /// §2.4.2, the end.
    #[test]
    fn the_end() {
        let command = written::<Command>(
            "<command xmlns='http://jabber.org/protocol/commands' node='config' \
             sessionid='config:20020923T213616Z-700' status='completed'>\
             <note>Service 'httpd' has been configured.</note>\
             <note type='warn'>Not yet started.</note></command>",
        );
        let kinds: Vec<_> = command.notes.iter().map(|note| note.kind).collect();
        assert_eq!(kinds, [NoteKind::Info, NoteKind::Warn]);
        assert_eq!(command.form(), Ok(None));
    }

    #[test]
    fn what_is_wanted() {
        let command = |attributes: &str| {
            read::<Command>(&format!("<command xmlns='{NS}' node='n' {attributes}/>")).unwrap()
        };
        assert_eq!(command("").wanted(), Ok(Action::Execute));
        assert_eq!(command("action='prev'").wanted(), Ok(Action::Prev));
        for wrong in ["action='jump'", "action=''", "action='Next'"] {
            assert_eq!(command(wrong).wanted(), Err(Fault::MalformedAction));
        }
        // What a requester says of how far it has come counts for nothing (§4.1).
        assert_eq!(command("status='well on its way'").status, None);
    }

    #[test]
    fn what_lacks_something() {
        assert_eq!(
            read::<Command>("<command xmlns='http://jabber.org/protocol/commands'/>"),
            Err(PayloadError::NoAttribute {
                element: "command",
                attribute: "node"
            })
        );
        let form = "<command xmlns='http://jabber.org/protocol/commands' node='n'>\
             <x xmlns='jabber:x:data'/></command>";
        assert!(read::<Command>(form).unwrap().form().is_err());
    }

    /// §4.4.
    #[test]
    fn errors() {
        for fault in Fault::ALL {
            let error = fault.error();
            let (condition, kind) = match fault {
                Fault::SessionExpired => (Condition::NotAllowed, ErrorType::Cancel),
                _ => (Condition::BadRequest, ErrorType::Modify),
            };
            assert_eq!((error.condition, error.kind), (condition, kind));
            assert!(error.app.unwrap().is(NS, fault.as_str()));
        }
    }
}
