//! [XEP-0122: Data Forms Validation](https://xmpp.org/extensions/xep-0122.html)
//!
//! Conversation: `xep_0313_archive.md`

use crate::payload::payload;

/// Namespace of validation, and the name of the feature.
pub const NS: &str = "http://jabber.org/protocol/xdata-validate";

payload! {
    /// What the values of a field must look like (§3).
    pub struct Validate(NS, "validate") {
        /// Their type, of XML Schema or of one's own; `xs:string` where nothing is said (§3.1).
        datatype: Option<String> = attr("datatype"),
        /// Whether there may be other values than those that are listed (§3.2.2).
        is_open: bool = flag("open"),
    }
}

impl Validate {
    /// Any values of a type, besides those that are listed.
    pub fn open(datatype: &str) -> Validate {
        Validate {
            datatype: Some(datatype.to_owned()),
            is_open: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Example 4.
    #[test]
    fn open() {
        let validate = written::<Validate>(
            "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>",
        );
        assert_eq!(validate, Validate::open("xs:string"));
    }
}
