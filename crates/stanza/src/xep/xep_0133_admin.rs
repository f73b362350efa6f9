//! [XEP-0133: Service Administration](https://xmpp.org/extensions/xep-0133.html)
//!
//! Names of commands (XEP-0050), and of the fields of their forms (§8.2).

/// The type of all forms (XEP-0068).
pub const FORM: &str = "http://jabber.org/protocol/admin";

/// Namespace of Waxwing's own commands for admins, which XEP-0133 has none of: each is named by it, `#`, and its name with
/// hyphens.
pub const NS_OWN: &str = "urn:waxwing:admin:0";

/// Makes an account (§4.1).
pub const ADD_USER: &str = "http://jabber.org/protocol/admin#add-user";
/// Removes accounts (§4.2).
pub const DELETE_USER: &str = "http://jabber.org/protocol/admin#delete-user";
/// Forbids accounts to log in (§4.3).
pub const DISABLE_USER: &str = "http://jabber.org/protocol/admin#disable-user";
/// Allows them again (§4.4).
pub const REENABLE_USER: &str = "http://jabber.org/protocol/admin#reenable-user";
/// Ends sessions (§4.5).
pub const END_USER_SESSION: &str = "http://jabber.org/protocol/admin#end-user-session";
/// Sets a password (§4.7).
pub const CHANGE_USER_PASSWORD: &str = "http://jabber.org/protocol/admin#change-user-password";
/// Counts accounts (§4.13).
pub const REGISTERED_NUM: &str = "http://jabber.org/protocol/admin#get-registered-users-num";
/// Counts those that may not log in (§4.14).
pub const DISABLED_NUM: &str = "http://jabber.org/protocol/admin#get-disabled-users-num";
/// Counts those that have sessions (§4.15).
pub const ONLINE_NUM: &str = "http://jabber.org/protocol/admin#get-online-users-num";
/// Counts those at whose client somebody looks (§4.16).
pub const ACTIVE_NUM: &str = "http://jabber.org/protocol/admin#get-active-users-num";
/// Counts the others of those that have sessions (§4.17).
pub const IDLE_NUM: &str = "http://jabber.org/protocol/admin#get-idle-users-num";
/// What is known of an account (§4.10).
pub const USER_STATS: &str = "http://jabber.org/protocol/admin#user-stats";
/// Lists accounts (§4.18).
pub const REGISTERED_LIST: &str = "http://jabber.org/protocol/admin#get-registered-users-list";
/// Lists those that may not log in (§4.19).
pub const DISABLED_LIST: &str = "http://jabber.org/protocol/admin#get-disabled-users-list";
/// Lists those that have sessions (§4.20).
pub const ONLINE_LIST: &str = "http://jabber.org/protocol/admin#get-online-users-list";
/// Lists those at whose client somebody looks (§4.21).
pub const ACTIVE_LIST: &str = "http://jabber.org/protocol/admin#get-active-users";
/// Lists the others of those that have sessions (§4.22).
pub const IDLE_LIST: &str = "http://jabber.org/protocol/admin#get-idle-users";
/// Says something to everybody who is there (§4.23).
pub const ANNOUNCE: &str = "http://jabber.org/protocol/admin#announce";
/// Shows a roster (§4.8).
pub const USER_ROSTER: &str = "http://jabber.org/protocol/admin#get-user-roster";
/// Says when an account was last logged into (§4.9).
pub const LAST_LOGIN: &str = "http://jabber.org/protocol/admin#get-user-lastlogin";
/// Says something to everybody, once (§4.24).
pub const SET_MOTD: &str = "http://jabber.org/protocol/admin#set-motd";
/// Corrects that (§4.25).
pub const EDIT_MOTD: &str = "http://jabber.org/protocol/admin#edit-motd";
/// Ends it (§4.26).
pub const DELETE_MOTD: &str = "http://jabber.org/protocol/admin#delete-motd";
/// Says something to each new account (§4.27).
pub const SET_WELCOME: &str = "http://jabber.org/protocol/admin#set-welcome";
/// Ends that (§4.28).
pub const DELETE_WELCOME: &str = "http://jabber.org/protocol/admin#delete-welcome";
/// Ends the service (§4.31).
pub const SHUTDOWN: &str = "http://jabber.org/protocol/admin#shutdown";

/// Names of fields (§8.2).
pub mod field {
    /// An account.
    pub const ACCOUNT: &str = "accountjid";
    /// Accounts, or sessions.
    pub const ACCOUNTS: &str = "accountjids";
    /// A password.
    pub const PASSWORD: &str = "password";
    /// The same once more.
    pub const PASSWORD_VERIFY: &str = "password-verify";
    /// Most addresses of a list.
    pub const MAX_ITEMS: &str = "max_items";
    /// Lines of an announcement.
    pub const ANNOUNCEMENT: &str = "announcement";
    /// Lines of a message of the day.
    pub const MOTD: &str = "motd";
    /// Lines of a welcome.
    pub const WELCOME: &str = "welcome";
    /// When an account was last logged into.
    pub const LAST_LOGIN: &str = "lastlogin";
    /// Seconds until the end.
    pub const DELAY: &str = "delay";
    /// How many accounts there are.
    pub const REGISTERED_NUM: &str = "registeredusersnum";
    /// How many may not log in.
    pub const DISABLED_NUM: &str = "disabledusersnum";
    /// How many have sessions.
    pub const ONLINE_NUM: &str = "onlineusersnum";
    /// How many are looked at.
    pub const ACTIVE_NUM: &str = "activeusersnum";
    /// How many are not.
    pub const IDLE_NUM: &str = "idleusersnum";
    /// Which are looked at, and, as the text has it, which are not.
    pub const ACTIVE: &str = "activeuserjids";
    /// How many contacts an account has.
    pub const ROSTER_SIZE: &str = "rostersize";
    /// The resources of its sessions.
    pub const RESOURCES: &str = "onlineresources";
    /// Which accounts there are.
    pub const REGISTERED: &str = "registereduserjids";
    /// Which may not log in.
    pub const DISABLED: &str = "disableduserjids";
    /// Which have sessions.
    pub const ONLINE: &str = "onlineuserjids";
}
