//! XEP-0515: TLS Channel-Binding Downgrade Protection, version 0.1.0.
//! <https://xmpp.org/extensions/xep-0515.html>
//!
//! The server says in its first SCRAM message, which both sides sign, of which version its TLS is: who ends
//! TLS between the two, in another version on one side, is found out.

/// What stands in the server's first message.
pub(crate) fn attribute(version: u16) -> String {
    format!(",t={}", number(version))
}

/// Whether what the server said, if it did, is so for the client.
pub(crate) fn agrees(said: Option<&str>, own: Option<u16>) -> bool {
    match (said, own) {
        (Some(said), Some(own)) => said == number(own),
        // Servers of before say nothing; and who does not know its own version has nothing to compare.
        _ => true,
    }
}

/// Four hexadecimal digits, in small letters.
fn number(version: u16) -> String {
    format!("{version:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the XEP's section "Server Sends TLS Version As Hex".
    #[test]
    fn versions_are_numbers() {
        assert_eq!(attribute(0x0304), ",t=0304");
        assert_eq!(attribute(0x0303), ",t=0303");
        for (said, own, agreed) in [
            (Some("0304"), Some(0x0304), true),
            (Some("0303"), Some(0x0304), false),
            (Some("0304"), Some(0x0303), false),
            (Some("304"), Some(0x0304), false),
            (Some(""), Some(0x0304), false),
            (None, Some(0x0304), true),
            (Some("0304"), None, true),
        ] {
            assert_eq!(agrees(said, own), agreed, "{said:?} {own:?}");
        }
    }
}
