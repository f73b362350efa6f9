//! The registry's list: one line a feature.

pub mod rfc6121_roster;
pub mod rfc6121_subscription;
pub mod xep_0012_last;
pub mod xep_0030_disco;
pub mod xep_0049_private;
pub mod xep_0050_commands;
pub mod xep_0054_vcard;
pub mod xep_0059_rsm;
pub mod xep_0060_pubsub;
pub mod xep_0065_bytestreams;
pub mod xep_0077_registration;
pub mod xep_0092_version;
pub mod xep_0114_components;
pub mod xep_0115_caps;
pub mod xep_0133_admin;
pub mod xep_0153_vcard_avatars;
pub mod xep_0157_contacts;
pub mod xep_0160_offline;
pub mod xep_0163_pep;
pub mod xep_0175_guests;
pub mod xep_0191_blocking;
pub mod xep_0198_sm;
pub mod xep_0199_ping;
pub mod xep_0202_time;
pub mod xep_0203_delay;
pub mod xep_0215_external_services;
pub mod xep_0277_microblog;
pub mod xep_0280_carbons;
pub mod xep_0292_vcard4;
pub mod xep_0313_archive;
pub mod xep_0334_hints;
pub mod xep_0352_csi;
pub mod xep_0355_delegation;
pub mod xep_0356_privileges;
pub mod xep_0357_push;
pub mod xep_0359_stanza_ids;
pub mod xep_0363_upload;
pub mod xep_0368_direct_tls;
pub mod xep_0377_reports;
pub mod xep_0379_preauth;
pub mod xep_0384_omemo;
pub mod xep_0386_bind2;
pub mod xep_0388_sasl2;
pub mod xep_0390_caps;
pub mod xep_0398_avatar_conversion;
pub mod xep_0401_onboarding;
pub mod xep_0402_bookmarks;
pub mod xep_0413_order_by;
pub mod xep_0424_retraction;
pub mod xep_0431_fulltext;
pub mod xep_0440_channel_binding;
pub mod xep_0441_archive_prefs;
pub mod xep_0445_invited;
pub mod xep_0455_outage;
pub mod xep_0466_ephemeral;
pub mod xep_0470_attachments;
pub mod xep_0474_downgrade;
pub mod xep_0478_limits;
pub mod xep_0480_upgrade;
pub mod xep_0484_fast;
pub mod xep_0485_server_info;
pub mod xep_0490_displayed;
pub mod xep_0494_clients;
pub mod xep_0501_stories;
pub mod xep_0509_pipelining;
pub mod xep_0515_tls_version;

use crate::registry::Feature;

/// All features, in the order in which their hooks run.
pub const FEATURES: &[&Feature] = &[
    &rfc6121_roster::FEATURE,
    &rfc6121_subscription::FEATURE,
    &xep_0012_last::FEATURE,
    &xep_0030_disco::FEATURE,
    &xep_0049_private::FEATURE,
    &xep_0050_commands::FEATURE,
    &xep_0054_vcard::FEATURE,
    &xep_0059_rsm::FEATURE,
    &xep_0060_pubsub::FEATURE,
    &xep_0065_bytestreams::FEATURE,
    &xep_0077_registration::FEATURE,
    &xep_0092_version::FEATURE,
    &xep_0114_components::FEATURE,
    &xep_0115_caps::FEATURE,
    &xep_0133_admin::FEATURE,
    &xep_0153_vcard_avatars::FEATURE,
    &xep_0157_contacts::FEATURE,
    &xep_0160_offline::FEATURE,
    &xep_0163_pep::FEATURE,
    &xep_0175_guests::FEATURE,
    &xep_0191_blocking::FEATURE,
    &xep_0198_sm::FEATURE,
    &xep_0199_ping::FEATURE,
    &xep_0202_time::FEATURE,
    &xep_0203_delay::FEATURE,
    &xep_0215_external_services::FEATURE,
    &xep_0277_microblog::FEATURE,
    &xep_0280_carbons::FEATURE,
    &xep_0292_vcard4::FEATURE,
    &xep_0313_archive::FEATURE,
    &xep_0334_hints::FEATURE,
    &xep_0352_csi::FEATURE,
    &xep_0355_delegation::FEATURE,
    &xep_0356_privileges::FEATURE,
    &xep_0357_push::FEATURE,
    &xep_0359_stanza_ids::FEATURE,
    &xep_0363_upload::FEATURE,
    &xep_0368_direct_tls::FEATURE,
    &xep_0377_reports::FEATURE,
    &xep_0379_preauth::FEATURE,
    &xep_0384_omemo::FEATURE,
    &xep_0386_bind2::FEATURE,
    &xep_0388_sasl2::FEATURE,
    &xep_0390_caps::FEATURE,
    &xep_0398_avatar_conversion::FEATURE,
    &xep_0401_onboarding::FEATURE,
    &xep_0402_bookmarks::FEATURE,
    &xep_0413_order_by::FEATURE,
    &xep_0424_retraction::FEATURE,
    &xep_0431_fulltext::FEATURE,
    &xep_0440_channel_binding::FEATURE,
    &xep_0441_archive_prefs::FEATURE,
    &xep_0445_invited::FEATURE,
    &xep_0455_outage::FEATURE,
    &xep_0466_ephemeral::FEATURE,
    &xep_0470_attachments::FEATURE,
    &xep_0474_downgrade::FEATURE,
    &xep_0478_limits::FEATURE,
    &xep_0480_upgrade::FEATURE,
    &xep_0484_fast::FEATURE,
    &xep_0485_server_info::FEATURE,
    &xep_0490_displayed::FEATURE,
    &xep_0494_clients::FEATURE,
    &xep_0501_stories::FEATURE,
    &xep_0509_pipelining::FEATURE,
    &xep_0515_tls_version::FEATURE,
];
