//! XML as XMPP allows it: framer, strict validator, offset view, element tree, writer.
//!
//! Bytes from the network go through [`Reader`], which gives back complete, valid [`Stanza`]s:
//! shared bytes with a view of offsets. Routing works on those ([`Stanza::splice`]); only what is
//! for the server itself becomes a tree ([`Element`]). What goes out is written by [`Writer`].
//!
//! What this crate accepts, any namespace-aware XML 1.0 parser accepts: it may be forwarded without
//! cutting the receiver's stream.
//!
//! Sources: RFC 6120 §4 and §11, XML 1.0, Namespaces in XML 1.0.

mod chars;
mod element;
mod error;
mod escape;
mod framer;
mod frames;
mod header;
mod limits;
mod name;
pub mod ns;
mod parser;
mod reader;
mod scope;
mod splice;
mod stanza;
mod tree;
mod view;
mod writer;

pub use element::{Attribute, Element, Node};
pub use error::{Fault, Limit, Restricted, StreamFault, WireError};
pub use frames::{FrameReader, declare_default_ns};
pub use header::Header;
pub use limits::{Beyond, Limits};
pub use name::Name;
pub use reader::{Event, Reader, Skipped};
pub use splice::Splice;
pub use stanza::{ChildView, Stanza};
pub use writer::Writer;
