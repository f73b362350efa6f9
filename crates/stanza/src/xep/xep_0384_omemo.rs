//! [XEP-0384: OMEMO Encryption](https://xmpp.org/extensions/xep-0384.html): the nodes where devices keep their keys.
//!
//! Conversation: `xep_0384_omemo.md`

/// Node of the list of devices (§5.3.1).
pub const NODE_DEVICES: &str = "urn:xmpp:omemo:2:devices";
/// Node of the devices' bundles, one item a device (§5.3.2).
pub const NODE_BUNDLES: &str = "urn:xmpp:omemo:2:bundles";
/// Node of the list of devices before version 0.4 of the specification.
pub const NODE_DEVICES_LEGACY: &str = "eu.siacs.conversations.axolotl.devicelist";
/// What the node of a device's bundle began with before version 0.4, with the number of the device behind it.
pub const NODE_BUNDLES_LEGACY: &str = "eu.siacs.conversations.axolotl.bundles:";
