//! [XEP-0401: Ad-hoc Account Invitation Generation](https://xmpp.org/extensions/xep-0401.html)
//!
//! Names of commands (XEP-0050), and of the fields of their forms.

/// Makes an invitation to become a contact ("Creating a User Invitation").
pub const INVITE: &str = "urn:xmpp:invite#invite";
/// Makes an invitation to have an account ("Initiating Account Creation").
pub const CREATE_ACCOUNT: &str = "urn:xmpp:invite#create-account";
/// The type of the form that has an invitation.
pub const FORM_INVITATION: &str = "urn:xmpp:invite#invitation";

/// Makes an invitation, or a link for another password, with all that can be said of one; of this server.
pub const CREATE: &str = "urn:waxwing:invite:0#create";
/// Lists invitations; of this server.
pub const LIST: &str = "urn:waxwing:invite:0#list";
/// Takes invitations back; of this server.
pub const REVOKE: &str = "urn:waxwing:invite:0#revoke";

/// Names of fields.
pub mod field {
    /// The name that the account is to have.
    pub const USERNAME: &str = "username";
    /// Whether the account is to be a contact of who invites.
    pub const ROSTER_SUBSCRIPTION: &str = "roster-subscription";
    /// What an invitation is known by to who manages it; of this server.
    pub const ID: &str = "id";
    /// The token, where there is no link that has it; of this server.
    pub const TOKEN: &str = "token";
    /// The link that a client opens.
    pub const URI: &str = "uri";
    /// The page that a browser opens.
    pub const LANDING_URL: &str = "landing-url";
    /// Until when it is good (XEP-0082).
    pub const EXPIRE: &str = "expire";
}
