//! [XEP-0363: HTTP File Upload](https://xmpp.org/extensions/xep-0363.html)

use super::xep_0082_datetime::DateTime;
use crate::payload::{Secret, parts, payload};

/// Namespace of uploads, the name of the feature, and that of the form.
pub const NS: &str = "urn:xmpp:http:upload:0";

/// Namespace of what files are for.
pub const NS_PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";

/// Name of the feature: files of messages.
pub const FEATURE_MESSAGE: &str = "urn:xmpp:http:upload:purpose:0#message";
/// Name of the feature: pictures of people.
pub const FEATURE_PROFILE: &str = "urn:xmpp:http:upload:purpose:0#profile";
/// Name of the feature: files that are gone at a time.
pub const FEATURE_EPHEMERAL: &str = "urn:xmpp:http:upload:purpose:0#ephemeral";
/// Name of the feature: files that stay.
pub const FEATURE_PERMANENT: &str = "urn:xmpp:http:upload:purpose:0#permanent";

/// Name of the form's field that says how large a file may be, in bytes.
pub const FIELD_MAX_FILE_SIZE: &str = "max-file-size";

payload! {
    /// Asks for a slot, a place for one file ("Requesting a slot").
    pub struct Request(NS, "request") {
        /// The file's name.
        file_name: String = attr("filename"),
        /// Its size in bytes.
        size: u64 = attr("size"),
        /// Its media type, as HTTP has it.
        content_type: Option<String> = attr("content-type"),
        /// What it is for; what is not known is not read. There should be one at most.
        purposes: Vec<Purpose> = by(Purpose::read_all, Purpose::write_all),
    }
}

parts! {
    /// What a file is for ("Upload purpose").
    pub enum Purpose {
        /// To be sent in a message.
        Message(Message),
        /// A picture of somebody, or the like.
        Profile(Profile),
        /// To be gone at a time.
        Ephemeral(Ephemeral),
        /// To stay.
        Permanent(Permanent),
    }
}

payload! {
    /// The file is to be sent in a message.
    pub struct Message(NS_PURPOSE, "message") {}
}

payload! {
    /// The file is a picture of somebody, or the like.
    pub struct Profile(NS_PURPOSE, "profile") {}
}

payload! {
    /// The file is to be gone at a time.
    pub struct Ephemeral(NS_PURPOSE, "ephemeral") {
        /// After this, nobody gets it.
        expire_before: DateTime = attr("expire-before"),
    }
}

payload! {
    /// The file is to stay.
    pub struct Permanent(NS_PURPOSE, "permanent") {}
}

payload! {
    /// Where a file goes, and where it is found then.
    pub struct Slot(NS, "slot") {
        /// Where it goes.
        put: Put = child(),
        /// Where it is found.
        get: Get = child(),
    }
}

payload! {
    /// Where a file goes.
    pub struct Put(NS, "put") {
        /// The address.
        url: String = attr("url"),
        /// Lines for the head of the request. Of other names than `Authorization`, `Cookie` and `Expires`, in whatever case,
        /// a client sends none.
        headers: Vec<Header> = child(),
    }
}

payload! {
    /// A line for the head of the request.
    pub struct Header(NS, "header") {
        /// Its name.
        name: String = attr("name"),
        /// Its value, which may be what allows the request.
        value: Secret = text(),
    }
}

payload! {
    /// Where a file is found.
    pub struct Get(NS, "get") {
        /// The address.
        url: String = attr("url"),
    }
}

payload! {
    /// Error: the file is too large ("Error conditions").
    pub struct FileTooLarge(NS, "file-too-large") {
        /// How large one may be, in bytes.
        max_file_size: Option<u64> = text_child("max-file-size"),
    }
}

payload! {
    /// Error: not now.
    pub struct Retry(NS, "retry") {
        /// When it may be asked again.
        stamp: DateTime = attr("stamp"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// "Requesting a slot".
    #[test]
    fn requests() {
        let request = written::<Request>(
            "<request xmlns='urn:xmpp:http:upload:0' filename='tr\u{E8}s cool.jpg' size='23456' content-type='image/jpeg'/>",
        );
        assert_eq!(request.file_name, "tr\u{E8}s cool.jpg");
        assert_eq!(request.size, 23_456);
        assert_eq!(request.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(request.purposes, []);
        for wrong in [
            "<request xmlns='urn:xmpp:http:upload:0' filename='a'/>",
            "<request xmlns='urn:xmpp:http:upload:0' size='1'/>",
            "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='-1'/>",
            "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='18446744073709551616'/>",
            "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'>\
             <ephemeral xmlns='urn:xmpp:http:upload:purpose:0'/></request>",
        ] {
            assert!(read::<Request>(wrong).is_err(), "{wrong}");
        }
    }

    /// "Upload purpose".
    #[test]
    fn purposes() {
        let request = written::<Request>(
            "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='100' content-type='image/jpeg'>\
             <ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2025-09-10T23:08:25Z'/></request>",
        );
        let [Purpose::Ephemeral(ephemeral)] = request.purposes.as_slice() else {
            panic!("{request:?}");
        };
        assert_eq!(ephemeral.expire_before.to_string(), "2025-09-10T23:08:25Z");
        let request = read::<Request>(
            "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'>\
             <profile xmlns='urn:xmpp:http:upload:purpose:0'/><secret xmlns='urn:xmpp:http:upload:purpose:0'/></request>",
        );
        assert_eq!(request.unwrap().purposes, [Purpose::Profile(Profile {})]);
    }

    #[test]
    fn slots() {
        let slot = written::<Slot>(
            "<slot xmlns='urn:xmpp:http:upload:0'>\
             <put url='https://upload.montague.tld/4a771ac1/tr%C3%A8s%20cool.jpg'>\
             <header name='Authorization'>Basic Base64String==</header>\
             <header name='Cookie'>foo=bar; user=romeo</header></put>\
             <get url='https://download.montague.tld/4a771ac1/tr%C3%A8s%20cool.jpg'/></slot>",
        );
        let names: Vec<_> = slot.put.headers.iter().map(|line| &line.name).collect();
        assert_eq!(names, ["Authorization", "Cookie"]);
        // What allows an upload is in no log.
        assert!(!format!("{slot:?}").contains("Base64String"));
    }

    /// "Error conditions".
    #[test]
    fn errors() {
        let error = written::<FileTooLarge>(
            "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size></file-too-large>",
        );
        assert_eq!(error.max_file_size, Some(20_000));
        let error = written::<Retry>(
            "<retry xmlns='urn:xmpp:http:upload:0' stamp='2017-12-03T23:42:05Z'/>",
        );
        assert_eq!(error.stamp.to_string(), "2017-12-03T23:42:05Z");
    }
}
