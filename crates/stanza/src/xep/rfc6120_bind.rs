//! [RFC 6120 §7: Resource Binding](https://www.rfc-editor.org/rfc/rfc6120#section-7)

use crate::FullJid;
use crate::payload::payload;

/// Namespace of resource binding.
pub const NS: &str = waxwing_wire::ns::BIND;

payload! {
    /// Stream feature (empty), request (empty or with a resource), result (with an address).
    pub struct Bind(NS, "bind") {
        /// The resource that the client asks for, as it wrote it. An empty one leaves the choice to the
        /// server, as none does.
        resource: Option<String> = text_child("resource"),
        /// The address that the server gave to the session.
        jid: Option<FullJid> = text_child("jid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::payload::{PayloadError, TextFault};

    /// §7.6.1, §7.7.1.
    #[test]
    fn request_and_result() {
        let any = written::<Bind>("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
        assert_eq!(
            any,
            Bind {
                resource: None,
                jid: None
            }
        );
        let own = written::<Bind>(
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind>",
        );
        assert_eq!(own.resource.as_deref(), Some("balcony"));
        let bound = written::<Bind>(
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <jid>juliet@im.example.com/balcony</jid></bind>",
        );
        assert_eq!(bound.jid.unwrap(), "juliet@im.example.com/balcony");
    }

    #[test]
    fn bound_to_no_address() {
        let bare = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b</jid></bind>";
        assert_eq!(
            read::<Bind>(bare),
            Err(PayloadError::Text {
                element: "jid",
                fault: TextFault::Jid(crate::JidError::ResourceMissing)
            })
        );
    }
}
