//! What features make of what happens at nodes of accounts. Features register it by the names of nodes.
//!
//! Whatever is linked changes together: it has one turn, by its family's name, and a node's turn is that of its family. So
//! nobody ever needs the turns of two nodes. The order of turns is: the account's, the rosters', and last the node's; nobody
//! waits for an earlier one while holding a later one.

use futures_util::future::BoxFuture;
use waxwing_stanza::StanzaError;
use waxwing_wire::Element;

use crate::pubsub::change::Change;
use crate::pubsub::node::Node;

/// What happened at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// An item was published.
    Published {
        /// Its name.
        id: String,
        /// What it holds.
        payload: Option<Element>,
    },
    /// An item of this name was retracted.
    Retracted(String),
    /// All items were removed, or the node with them.
    Emptied,
    /// The oldest items went: because fewer are kept, or because their time was over.
    Shrunk,
    /// It is configured otherwise than it was.
    Configured(Box<Node>),
}

/// What a feature makes of it, before it is staged: what the hook writes is in the same commit, and an error refuses the
/// whole.
pub(crate) type NodeHook =
    for<'a> fn(&'a mut Change, &'a Node, &'a Done) -> BoxFuture<'a, Result<(), StanzaError>>;

/// What a feature has to do with a node of each account.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    /// The node's name.
    pub(crate) node: &'static str,
    /// What is changed together with it.
    pub(crate) family: Family,
    /// What is done.
    pub(crate) hook: NodeHook,
}

/// Whose turn a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// One of this name, for the nodes of that family.
    Named(&'static str),
    /// That of the account's roster: what happens at the node is told in presence, as well.
    Roster,
}
