//! What an affiliation allows (XEP-0060 §4.1).

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;

/// Something that can be done with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// To subscribe, as far as the access model allows it.
    Subscribe,
    /// To read items, whatever the access model says.
    Retrieve,
    /// To publish, whatever the publisher model says.
    Publish,
    /// To delete an item of one's own.
    DeleteOwnItem,
    /// To delete anybody's item.
    DeleteItem,
    /// To do what owners do.
    Own,
}

/// The table.
pub(crate) fn may(affiliation: Affiliation, privilege: Privilege) -> bool {
    use Affiliation as A;
    match privilege {
        Privilege::Subscribe => !matches!(affiliation, A::Outcast | A::PublishOnly),
        Privilege::Retrieve => matches!(affiliation, A::Owner | A::Publisher | A::Member),
        Privilege::Publish => matches!(affiliation, A::Owner | A::Publisher | A::PublishOnly),
        // Who may publish by the publisher's model alone may take back what it published, too.
        Privilege::DeleteOwnItem => affiliation != A::Outcast,
        Privilege::DeleteItem => matches!(affiliation, A::Owner | A::Publisher),
        Privilege::Own => affiliation == A::Owner,
    }
}

/// Whether an owner may change one affiliation into another (§4.1, the second table): an owner can only resign.
pub(crate) fn may_become(from: Affiliation, to: Affiliation) -> bool {
    use Affiliation as A;
    match from {
        A::Owner => matches!(to, A::Owner | A::None),
        A::Outcast | A::None | A::Member | A::Publisher | A::PublishOnly => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §4.1, the first table, row by row. Publishers delete each other's items, and leave removing all to owners, as the
    /// table's note lets a service decide; who is no more than let in may delete what it published itself.
    #[test]
    fn who_may_do_what() {
        use Privilege as P;
        let privileges = [P::Subscribe, P::Retrieve, P::Publish, P::DeleteItem, P::Own];
        for (affiliation, allowed) in [
            (Affiliation::Owner, [true, true, true, true, true]),
            (Affiliation::Publisher, [true, true, true, true, false]),
            (Affiliation::PublishOnly, [false, false, true, false, false]),
            (Affiliation::Member, [true, true, false, false, false]),
            (Affiliation::None, [true, false, false, false, false]),
            (Affiliation::Outcast, [false; 5]),
        ] {
            let found = privileges.map(|privilege| may(affiliation, privilege));
            assert_eq!(found, allowed, "{affiliation:?}");
            let own = may(affiliation, P::DeleteOwnItem);
            assert_eq!(own, affiliation != Affiliation::Outcast);
        }
    }

    /// §4.1, the second table.
    #[test]
    fn who_may_become_what() {
        for from in Affiliation::ALL {
            for to in Affiliation::ALL {
                let refused = from == Affiliation::Owner
                    && !matches!(to, Affiliation::Owner | Affiliation::None);
                assert_eq!(may_become(from, to), !refused, "{from:?} {to:?}");
            }
        }
    }
}
