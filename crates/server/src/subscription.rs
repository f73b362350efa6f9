//! The subscription states of RFC 6121 Appendix A as one function for each direction.

/// State of one roster entry, seen from its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The owner sees the contact's presence.
    pub to: bool,
    /// The contact sees the owner's presence.
    pub from: bool,
    /// The owner has asked and waits.
    pub pending_out: bool,
    /// The contact has asked and waits.
    pub pending_in: bool,
    /// The owner has approved in advance (RFC 6121 §3.4).
    pub approved: bool,
}

/// The four subscription stanzas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Asks for presence.
    Subscribe,
    /// Allows it.
    Subscribed,
    /// No longer wants it.
    Unsubscribe,
    /// Denies or cancels it.
    Unsubscribed,
}

impl Subscription {
    /// The owner sends `request`: the new state, and whether it is routed on (Appendix A.2).
    pub fn outbound(self, request: Request) -> (Subscription, bool) {
        let mut next = self;
        match request {
            Request::Subscribe => {
                next.pending_out = self.pending_out || !self.to;
                (next, true)
            }
            Request::Unsubscribe => {
                next.pending_out = false;
                next.to = false;
                (next, true)
            }
            Request::Subscribed if self.pending_in => {
                next.pending_in = false;
                next.from = true;
                (next, true)
            }
            Request::Subscribed => {
                next.approved = self.approved || !self.from;
                (next, false)
            }
            Request::Unsubscribed => {
                next.pending_in = false;
                next.from = false;
                next.approved = false;
                (next, self.pending_in || self.from)
            }
        }
    }

    /// The contact has sent `request`: the new state, and whether the owner is told (Appendix A.3).
    pub fn inbound(self, request: Request) -> (Subscription, bool) {
        let mut next = self;
        match request {
            Request::Subscribe if self.from || self.pending_in => (next, false),
            Request::Subscribe if self.approved => {
                next.from = true;
                (next, false)
            }
            Request::Subscribe => {
                next.pending_in = true;
                (next, true)
            }
            Request::Unsubscribe => {
                next.pending_in = false;
                next.from = false;
                (next, self.pending_in || self.from)
            }
            Request::Subscribed if self.pending_out => {
                next.pending_out = false;
                next.to = true;
                (next, true)
            }
            Request::Subscribed => (next, false),
            Request::Unsubscribed => {
                next.pending_out = false;
                next.to = false;
                (next, self.pending_out || self.to)
            }
        }
    }

    /// Whether an inbound `subscribe` is answered by the server with `subscribed`: the contact is
    /// subscribed already or was approved in advance (RFC 6121 §3.1.3).
    pub fn answers_subscribe(self) -> bool {
        self.from || self.approved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn state(to: bool, from: bool, pending_out: bool, pending_in: bool) -> Subscription {
        Subscription {
            to,
            from,
            pending_out,
            pending_in,
            approved: false,
        }
    }
    const NONE: Subscription = state(false, false, false, false);
    const PO: Subscription = state(false, false, true, false);
    const PI: Subscription = state(false, false, false, true);
    const POPI: Subscription = state(false, false, true, true);
    const TO: Subscription = state(true, false, false, false);
    const TO_PI: Subscription = state(true, false, false, true);
    const FROM: Subscription = state(false, true, false, false);
    const FROM_PO: Subscription = state(false, true, true, false);
    const BOTH: Subscription = state(true, true, false, false);
    const STATES: [Subscription; 9] = [NONE, PO, PI, POPI, TO, TO_PI, FROM, FROM_PO, BOTH];

    fn check(
        step: fn(Subscription, Request) -> (Subscription, bool),
        request: Request,
        expected: [(Subscription, bool); 9],
    ) {
        for (before, (after, passed)) in STATES.into_iter().zip(expected) {
            let (mut got, routed) = step(before, request);
            got.approved = false;
            assert_eq!((got, routed), (after, passed), "{before:?} {request:?}");
        }
    }

    #[test]
    fn outbound_tables_of_appendix_a_2() {
        let step = Subscription::outbound;
        check(
            step,
            Request::Subscribe,
            [
                (PO, true),
                (PO, true),
                (POPI, true),
                (POPI, true),
                (TO, true),
                (TO_PI, true),
                (FROM_PO, true),
                (FROM_PO, true),
                (BOTH, true),
            ],
        );
        check(
            step,
            Request::Unsubscribe,
            [
                (NONE, true),
                (NONE, true),
                (PI, true),
                (PI, true),
                (NONE, true),
                (PI, true),
                (FROM, true),
                (FROM, true),
                (FROM, true),
            ],
        );
        check(
            step,
            Request::Subscribed,
            [
                (NONE, false),
                (PO, false),
                (FROM, true),
                (FROM_PO, true),
                (TO, false),
                (BOTH, true),
                (FROM, false),
                (FROM_PO, false),
                (BOTH, false),
            ],
        );
        check(
            step,
            Request::Unsubscribed,
            [
                (NONE, false),
                (PO, false),
                (NONE, true),
                (PO, true),
                (TO, false),
                (TO, true),
                (NONE, true),
                (PO, true),
                (TO, true),
            ],
        );
    }

    #[test]
    fn inbound_tables_of_appendix_a_3() {
        let step = Subscription::inbound;
        check(
            step,
            Request::Subscribe,
            [
                (PI, true),
                (POPI, true),
                (PI, false),
                (POPI, false),
                (TO_PI, true),
                (TO_PI, false),
                (FROM, false),
                (FROM_PO, false),
                (BOTH, false),
            ],
        );
        check(
            step,
            Request::Unsubscribe,
            [
                (NONE, false),
                (PO, false),
                (NONE, true),
                (PO, true),
                (TO, false),
                (TO, true),
                (NONE, true),
                (PO, true),
                (TO, true),
            ],
        );
        check(
            step,
            Request::Subscribed,
            [
                (NONE, false),
                (TO, true),
                (PI, false),
                (TO_PI, true),
                (TO, false),
                (TO_PI, false),
                (FROM, false),
                (BOTH, true),
                (BOTH, false),
            ],
        );
        check(
            step,
            Request::Unsubscribed,
            [
                (NONE, false),
                (NONE, true),
                (PI, false),
                (PI, true),
                (NONE, true),
                (PI, true),
                (FROM, false),
                (FROM, true),
                (FROM, true),
            ],
        );
    }

    #[test]
    fn approval_in_advance() {
        let (approved, routed) = NONE.outbound(Request::Subscribed);
        assert!(approved.approved && !routed);
        assert!(approved.answers_subscribe());
        let (from, told) = approved.inbound(Request::Subscribe);
        assert!(from.from && !from.pending_in && !told);
        let (denied, _) = approved.outbound(Request::Unsubscribed);
        assert!(!denied.approved);
    }
}
