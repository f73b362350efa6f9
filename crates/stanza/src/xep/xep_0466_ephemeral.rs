//! [XEP-0466: Ephemeral Messages](https://xmpp.org/extensions/xep-0466.html)

use crate::payload::payload;

/// Namespace of timers, and the name of the feature.
pub const NS: &str = "urn:xmpp:ephemeral:0";

payload! {
    /// How long a message is to be kept (§3.2).
    pub struct Ephemeral(NS, "ephemeral") {
        /// Seconds from when it was read.
        timer: u32 = attr("timer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Example 2.
    #[test]
    fn example() {
        let ephemeral = "<ephemeral xmlns='urn:xmpp:ephemeral:0' timer='604800'/>";
        assert_eq!(written::<Ephemeral>(ephemeral).timer, 604_800);
        for wrong in ["", "timer='-1'", "timer='soon'", "timer='4294967296'"] {
            let wrong = format!("<ephemeral xmlns='urn:xmpp:ephemeral:0' {wrong}/>");
            assert!(read::<Ephemeral>(&wrong).is_err(), "{wrong}");
        }
    }
}
