//! Payload types, one file a specification. `rfc….rs` is a part of an RFC, `xep_….rs` a XEP.

pub mod rfc3921_session;
pub mod rfc6120_bind;
pub mod rfc6121_message;
pub mod rfc6121_presence;
pub mod rfc6121_roster;
pub mod xep_0004_forms;
pub mod xep_0012_last;
pub mod xep_0030_disco;
pub mod xep_0049_private;
pub mod xep_0054_vcard;
pub mod xep_0066_oob;
pub mod xep_0077_registration;
pub mod xep_0082_datetime;
pub mod xep_0092_version;
pub mod xep_0115_caps;
pub mod xep_0160_offline;
pub mod xep_0191_blocking;
pub mod xep_0198_sm;
pub mod xep_0199_ping;
pub mod xep_0202_time;
pub mod xep_0203_delay;
pub mod xep_0280_carbons;
pub mod xep_0297_forward;
pub mod xep_0334_hints;
pub mod xep_0359_stanza_ids;
pub mod xep_0478_limits;
