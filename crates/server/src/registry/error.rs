//! Why features do not fit together.

/// Two features that want the same thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two owners of one request.
    #[error("{owner} and {other} both answer {kind} <{name} xmlns='{ns}'/> for {whom}")]
    IqTaken {
        /// The later one.
        owner: String,
        /// The earlier one.
        other: String,
        /// `get` or `set`.
        kind: &'static str,
        /// Element.
        name: &'static str,
        /// Namespace.
        ns: &'static str,
        /// Addressee kind.
        whom: &'static str,
    },
    /// Two owners of one session flag.
    #[error("{owner}: session flag {bit} ({name}) is taken")]
    FlagTaken {
        /// The later one.
        owner: String,
        /// The bit.
        bit: u8,
        /// The flag's name.
        name: &'static str,
    },
    /// Two admin commands of one name.
    #[error("{owner}: the admin command '{name}' is taken")]
    CommandTaken {
        /// The later one.
        owner: String,
        /// The command.
        name: &'static str,
    },
    /// Two ad-hoc commands of one node.
    #[error("{owner}: the ad-hoc command '{node}' of {whom} is taken")]
    AdHocTaken {
        /// The later one.
        owner: String,
        /// The node.
        node: &'static str,
        /// Addressee kind.
        whom: &'static str,
    },
}
