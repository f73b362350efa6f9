//! Why an element is not the payload that its name promises.

use super::TextFault;
use crate::Condition;

/// Why an element is not the payload that its name promises. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Another element than this one was wanted.
    #[error("not <{name} xmlns='{ns}'/>")]
    OtherElement {
        /// The namespace that was wanted.
        ns: &'static str,
        /// The name that was wanted.
        name: &'static str,
    },
    /// An attribute that must be there is not.
    #[error("<{element}/> lacks the attribute '{attribute}'")]
    NoAttribute {
        /// The element that should have it.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute has a value that it cannot have.
    #[error("attribute '{attribute}' of <{element}/> is {fault}")]
    Attribute {
        /// The element that has it.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
        /// What is wrong with the value.
        fault: TextFault,
    },
    /// A child that must be there is not.
    #[error("<{element}/> lacks <{child}/>")]
    NoChild {
        /// The element that should have it.
        element: &'static str,
        /// The child.
        child: &'static str,
    },
    /// An element's text is not what it should be.
    #[error("text of <{element}/> is {fault}")]
    Text {
        /// The element.
        element: &'static str,
        /// What is wrong with the text.
        fault: TextFault,
    },
}

impl PayloadError {
    /// The stanza error to answer with.
    pub fn condition(&self) -> Condition {
        match self {
            PayloadError::Attribute {
                fault: TextFault::Jid(_),
                ..
            }
            | PayloadError::Text {
                fault: TextFault::Jid(_),
                ..
            } => Condition::JidMalformed,
            _ => Condition::BadRequest,
        }
    }
}
