//! XML as XMPP allows it: framer, strict validator, offset view, element tree, writer.
