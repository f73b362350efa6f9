//! Requests to a service, and what is wrong with them.

use waxwing_wire::Element;

use crate::rig::Rig;

pub(crate) const HOST: &str = "pubsub.example.org";
const NS: &str = "http://jabber.org/protocol/pubsub";
const NS_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
const NS_STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// What an answer says: nothing for a result, otherwise type, condition and, where there is one, the condition of the
/// service's own, with its feature.
pub(crate) type Said = Option<(String, String, Option<String>)>;

/// Asks a service something and returns the answer.
pub(crate) fn ask(rig: &mut Rig, who: &str, to: &str, request: &str) -> Element {
    let (kind, request) = request.split_once(' ').unwrap();
    let (whose, parts) = request.split_once(' ').unwrap_or((request, ""));
    let ns = match whose {
        "owner" => format!("{NS}#owner"),
        _ => NS.to_owned(),
    };
    rig.forget();
    rig.say(
        who,
        &format!("<iq type='{kind}' id='q' to='{to}'><pubsub xmlns='{ns}'>{parts}</pubsub></iq>"),
    );
    let got = rig.take(who).into_iter();
    let mut answers = got.filter(|stanza| stanza.attr("id") == Some("q"));
    answers.next().unwrap()
}

/// What an answer says.
pub(crate) fn said(answer: &Element) -> Said {
    let error = answer.child("jabber:client", "error")?;
    let condition = error.children().find(|child| child.ns() == NS_STANZAS);
    let app = error.children().find(|child| child.ns() == NS_ERRORS);
    let app = app.map(|app| match app.attr("feature") {
        Some(feature) => format!("{} {feature}", app.name()),
        None => app.name().to_owned(),
    });
    Some((
        error.attr("type").unwrap().to_owned(),
        condition.unwrap().name().to_owned(),
        app,
    ))
}

/// Asks something that must be done.
pub(crate) fn done(rig: &mut Rig, who: &str, to: &str, request: &str) -> Element {
    let answer = ask(rig, who, to, request);
    assert_eq!(said(&answer), None, "{who} {to} {request}: {answer:?}");
    answer
}

/// A form.
pub(crate) fn form(name: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(var, value)| format!("<field var='pubsub#{var}'><value>{value}</value></field>"))
        .collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{NS}#{name}</value></field>\
         {fields}</x>"
    )
}

/// Makes a node with a configuration.
pub(crate) fn create(rig: &mut Rig, who: &str, node: &str, fields: &[(&str, &str)]) {
    let form = form("node_config", fields);
    let request = format!("set any <create node='{node}'/><configure>{form}</configure>");
    done(rig, who, HOST, &request);
}

/// Publishes an item with a payload.
pub(crate) fn publish(node: &str, id: &str) -> String {
    format!(
        "set any <publish node='{node}'><item id='{id}'><x xmlns='urn:example'/></item></publish>"
    )
}
