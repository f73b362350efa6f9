//! The pages, as HTML. Whatever comes from outside is escaped.
//!
//! Length: one page after the other, and what each must say.

use waxwing_server::invitations::Purpose;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stream::sasl::{PASSWORD_BYTES_MAX, PasswordError};

use super::clients::System;
use super::qr::Code;

/// How they look: for a phone as for a screen, light and dark.
pub(super) const STYLE: &str = include_str!("style.css");

/// Most characters of a name in the form.
pub(super) const NAME_CHARS_MAX: usize = 200;
/// Most characters of a password in the form, as browsers count: each has three bytes at most, and all of them are allowed.
pub(super) const PASSWORD_CHARS_MAX: usize = PASSWORD_BYTES_MAX / 3;

/// What stood in the way of what a form was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Form,
    Name,
    Taken,
    Kept,
    NoPassword,
    /// It has so many characters at least.
    Short(u64),
    Password(PasswordError),
    Differ,
    /// A form has so many bytes at most.
    TooLong(usize),
    TooOften,
    Enough,
    NoAccounts,
    Server,
}

impl Problem {
    /// What is said of it; who has no choice of names is told to choose none.
    fn text(self, is_settled: bool) -> String {
        let text = match self {
            Problem::Short(least) => {
                return format!(
                    "This password is too short: it needs {least} characters at least."
                );
            }
            Problem::TooLong(most) => {
                return format!(
                    "The form is too long: it has {most} bytes at most. Choose a shorter name or password."
                );
            }
            Problem::Password(PasswordError::TooLong) => {
                return format!(
                    "This password is too long: it has {PASSWORD_BYTES_MAX} bytes at most."
                );
            }
            Problem::Password(PasswordError::Empty) | Problem::NoPassword => {
                "A password is needed."
            }
            Problem::Password(PasswordError::Prohibited) => {
                "This password has a character that no app can type, such as a control character. Choose another one."
            }
            Problem::Password(PasswordError::Bidirectional) => {
                "This password mixes writing from the left with writing from the right. Choose another one."
            }
            Problem::Kept => "This name is not given out. Choose another one.",
            Problem::Enough => {
                "Whoever invited you has given out as many accounts as they may for now. Ask them, or try again in some days."
            }
            Problem::NoAccounts => {
                "No account is made with this link: it makes you the contact of who invited you. Use it with an account that you have."
            }
            Problem::Form => "The form could not be read. Nothing was done; fill it in once more.",
            Problem::Name => "This name cannot be used. Take small letters and digits.",
            Problem::Taken if is_settled => {
                "There is an account of this name by now. Ask whoever invited you for another link."
            }
            Problem::Taken => "This name is taken. Choose another one.",
            Problem::Differ => "The two passwords are not the same.",
            Problem::TooOften => "Too much was tried from where you are. Try again in an hour.",
            Problem::Server => {
                "The server cannot do that at the moment. Try again in a few minutes."
            }
        };
        text.to_owned()
    }

    /// The field that it is about, by its id; none where it is about all of the form.
    fn field(self, is_settled: bool) -> Option<&'static str> {
        match self {
            Problem::Name | Problem::Taken | Problem::Kept if !is_settled => Some("name"),
            Problem::NoPassword | Problem::Short(_) | Problem::Password(_) => Some("password"),
            Problem::Differ => Some("again"),
            _ => None,
        }
    }
}

/// An invitation, as it is shown.
pub(super) struct Shown<'a> {
    pub(super) purpose: Purpose,
    pub(super) domain: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) contact: Option<&'a str>,
    pub(super) registers: bool,
    pub(super) expires_micros: u64,
    /// What a client opens.
    pub(super) uri: Option<String>,
    /// Where this page is for others, if anybody knows.
    pub(super) url: Option<String>,
    pub(super) system: Option<System>,
    pub(super) uses_left: u32,
    pub(super) problem: Option<Problem>,
    /// Whether nobody can log in to the account that gets another password.
    pub(super) is_disabled: bool,
    /// Characters of a password at least.
    pub(super) chars_min: u64,
    /// The name that was filled in before.
    pub(super) name: &'a str,
}

/// The page of an invitation.
pub(super) fn invitation(shown: &Shown<'_>) -> String {
    let title = match (shown.purpose, shown.contact) {
        (Purpose::Password, _) => format!("A new password at {}", shown.domain),
        (_, Some(contact)) => format!("{contact} invites you to chat"),
        (_, None) => format!("You are invited to {}", shown.domain),
    };
    let mut body = format!("<h1>{}</h1>\n", escaped(&title));
    let has_form = shown.registers || shown.purpose == Purpose::Password;
    if let Some(problem) = shown.problem.filter(|_| !has_form) {
        body += &alert(problem, shown);
    }
    // Who has begun to fill it in goes on there.
    let is_first = shown.problem.is_some() && has_form && shown.purpose != Purpose::Password;
    if is_first {
        body += &form(shown, true);
    }
    if shown.purpose == Purpose::Password {
        let account = escaped(shown.account.unwrap_or_default());
        body += &format!(
            "<p>Choose another password for <strong>{account}</strong>. Devices that are logged in need it then, too.</p>\n"
        );
        if shown.is_disabled {
            body += "<p>Nobody can log in to this account at the moment: that is switched off, and stays so with the new password. \
                     Ask whoever runs this server.</p>\n";
        }
    } else {
        body += &by_client(shown, !is_first);
    }
    if has_form && !is_first {
        body += &form(shown, shown.uri.is_none());
    }
    if shown.purpose != Purpose::Password {
        body += &apps("Apps", shown.system);
        if is_on_phone(shown) {
            body += &code(shown, "For another device: scan this with it.");
        }
    }
    let whose = if shown.uses_left > 1 {
        "This link is for you and for the others who were given it. It works"
    } else {
        "This link is for you alone. It works once,"
    };
    body += &format!(
        "<p class=\"small\">{whose} until {}. If you did not expect it, you need do nothing.</p>\n",
        until(shown.expires_micros)
    );
    document(&title, &body)
}

fn alert(problem: Problem, shown: &Shown<'_>) -> String {
    format!(
        "<p class=\"problem\" id=\"problem\" role=\"alert\">{}</p>\n",
        escaped(&problem.text(shown.account.is_some()))
    )
}

/// For who has a client.
fn by_client(shown: &Shown<'_>, is_primary: bool) -> String {
    let domain = escaped(shown.domain);
    let mut text = match (shown.contact, shown.registers) {
        (Some(_), false) => {
            "<p>XMPP is an open network of many servers, as e‑mail is. With an app and an account for it, press the button: you become each other's contact.</p>\n".to_owned()
        }
        (_, _) => format!(
            "<p>{domain} is one of the many servers of XMPP, an open network as e‑mail is. If you have an app for it, open the invitation there. If not, make your account on this page, and then get an app.</p>\n"
        ),
    };
    let Some(uri) = &shown.uri else {
        return text;
    };
    let class = if is_primary {
        "button"
    } else {
        "button second"
    };
    text += &format!(
        "<p><a class=\"{class}\" href=\"{}\">Open in your app</a></p>\n",
        escaped(uri)
    );
    if !is_on_phone(shown) {
        text += &code(shown, "Or scan this with your phone.");
    }
    text
}

/// Whether the page is read where no camera can see it.
fn is_on_phone(shown: &Shown<'_>) -> bool {
    matches!(shown.system, Some(System::Android | System::Ios))
}

/// The link as a QR code. A phone without a program can open the page, but no link of XMPP.
fn code(shown: &Shown<'_>, caption: &str) -> String {
    let target = shown.url.as_ref().or(shown.uri.as_ref());
    let Some(code) = target.and_then(|target| Code::of(target.as_bytes())) else {
        return String::new();
    };
    let svg = code.svg();
    format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n")
}

fn form(shown: &Shown<'_>, is_primary: bool) -> String {
    let (heading, button) = match shown.purpose {
        Purpose::Password => ("The new password", "Set the password"),
        Purpose::Account | Purpose::Contact => ("Make an account here", "Make the account"),
    };
    let is_settled = shown.account.is_some();
    let wrong = shown.problem.and_then(|problem| problem.field(is_settled));
    // Of a problem with one field its alert stands before that one, of another before all.
    let at = |field: &str| match (shown.problem, wrong) {
        (Some(problem), Some(wrong)) if wrong == field => (
            alert(problem, shown),
            " aria-invalid=\"true\" aria-describedby=\"problem\" autofocus",
        ),
        _ => (String::new(), ""),
    };
    let general = match (shown.problem, wrong) {
        (Some(problem), None) => alert(problem, shown),
        _ => String::new(),
    };
    let (name_alert, name_mark) = at("name");
    let (password_alert, password_mark) = at("password");
    let (again_alert, again_mark) = at("again");
    let name = match (shown.purpose, shown.account) {
        (Purpose::Password, _) => String::new(),
        (_, Some(account)) => format!(
            "<p>Your address will be <strong>{}</strong>.</p>\n",
            escaped(account)
        ),
        (_, None) => format!(
            "<label for=\"name\">Name</label>\n{name_alert}<p class=\"field\"><input id=\"name\" name=\"name\" type=\"text\" required \
             maxlength=\"{NAME_CHARS_MAX}\" autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\"{name_mark} value=\"{}\">\
             <span>@{}</span></p>\n",
            escaped(shown.name),
            escaped(shown.domain)
        ),
    };
    let hidden = match shown.account {
        // For programs that keep passwords.
        Some(account) => format!(
            "<input type=\"text\" name=\"username\" autocomplete=\"username\" value=\"{}\" readonly hidden>\n",
            escaped(account)
        ),
        None => String::new(),
    };
    let least = shown.chars_min;
    let lengths = format!("minlength=\"{least}\" maxlength=\"{PASSWORD_CHARS_MAX}\"");
    let class = if is_primary { "" } else { " class=\"second\"" };
    format!(
        "<h2>{heading}</h2>\n<form method=\"post\" accept-charset=\"utf-8\">\n{general}{name}{hidden}\
         <label for=\"password\">Password, {least} characters at least</label>\n{password_alert}\
         <input id=\"password\" name=\"password\" type=\"password\" required {lengths} autocomplete=\"new-password\"{password_mark}>\n\
         <label for=\"again\">Repeat the password</label>\n{again_alert}\
         <input id=\"again\" name=\"again\" type=\"password\" required maxlength=\"{PASSWORD_CHARS_MAX}\" autocomplete=\"new-password\"{again_mark}>\n\
         <button type=\"submit\"{class}>{button}</button>\n</form>\n"
    )
}

/// Apps, those for somebody's own system first.
fn apps(heading: &str, own: Option<System>) -> String {
    let mut systems = System::ALL;
    systems.sort_by_key(|system| Some(*system) != own);
    let mut text = format!("<h2>{heading}</h2>\n<dl>\n");
    for system in systems {
        let links = system.clients().iter().map(|client| {
            let (url, name) = (client.url, client.name);
            format!("<a href=\"{url}\" rel=\"noreferrer\">{name}</a>")
        });
        let links: Vec<String> = links.collect();
        let class = if Some(system) == own {
            " class=\"own\""
        } else {
            ""
        };
        let (name, links) = (system.name(), links.join(", "));
        text += &format!("<dt{class}>{name}</dt><dd{class}>{links}</dd>\n");
    }
    text += "</dl>\n";
    text
}

/// An account was made.
pub(super) fn made(
    account: &str,
    contact: Option<&str>,
    missed: Option<&str>,
    system: Option<System>,
) -> String {
    let account = escaped(account);
    let mut body = format!(
        "<h1>Welcome</h1>\n<p>Your account is made. Its address, by which others find you, is <strong>{account}</strong>.</p>\n"
    );
    if let Some(contact) = contact {
        body += &format!("<p>{} is in your list of contacts.</p>\n", escaped(contact));
    }
    if let Some(missed) = missed {
        body += &format!(
            "<p>{} could not be entered in your list of contacts. Ask them for their address, and add them in your app.</p>\n",
            escaped(missed)
        );
    }
    body += &apps("1. Get an app", system);
    body += &format!(
        "<h2>2. Log in</h2>\n<p>Choose in it that you have an account, and enter <strong>{account}</strong> and your password.</p>\n"
    );
    document("Welcome", &body)
}

/// A password was set.
pub(super) fn changed(account: &str, is_disabled: bool) -> String {
    let then = if is_disabled {
        "Nobody can log in to it at the moment, though: that is switched off. Ask whoever runs this server."
    } else {
        "Every device that was logged in needs it now, too."
    };
    told(
        "The password is set",
        &format!("{account} has the new password. {then}"),
    )
}

/// A page that says something.
pub(super) fn told(title: &str, text: &str) -> String {
    let body = format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(title), escaped(text));
    document(title, &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title)
    )
}

/// Day and minute, for people.
fn until(micros: u64) -> String {
    // HTML takes three digits of a second at most, and nobody needs one.
    let text = DateTime::from_unix_micros(micros / 1_000_000 * 1_000_000).to_string();
    let (day, time) = text.split_once('T').unwrap_or((text.as_str(), ""));
    let minute = time.get(..5).unwrap_or_default();
    format!("<time datetime=\"{text}\">{day} {minute} UTC</time>")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            // No document has them.
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'a>(purpose: Purpose, contact: Option<&'a str>) -> Shown<'a> {
        Shown {
            purpose,
            domain: "example.org",
            account: None,
            contact,
            registers: purpose != Purpose::Password,
            expires_micros: 1_700_000_000_000_000,
            uri: Some("xmpp:example.org?register;preauth=0123".to_owned()),
            url: Some("https://example.org/invite/0123".to_owned()),
            system: Some(System::Linux),
            uses_left: 1,
            problem: None,
            is_disabled: false,
            chars_min: 8,
            name: "",
        }
    }

    #[test]
    fn a_problem_stands_at_its_field_and_the_form_first() {
        let again = Shown {
            problem: Some(Problem::Short(8)),
            ..shown(Purpose::Account, None)
        };
        let html = invitation(&again);
        assert!(html.find("<form") < html.find("<svg"), "{html}");
        let alert = html.find("id=\"problem\"").unwrap();
        assert!(html.find("id=\"name\"").unwrap() < alert);
        assert!(html[alert..].contains("8 characters at least.</p>\n<input id=\"password\""));
        assert_eq!(html.matches("aria-invalid=\"true\"").count(), 1);
        assert_eq!(html.matches("autofocus").count(), 1);
        // One button is the one to press.
        for html in [html, invitation(&shown(Purpose::Account, None))] {
            assert_eq!(
                html.matches("class=\"second\"").count()
                    + html.matches("class=\"button second\"").count(),
                1
            );
        }
    }

    #[test]
    fn a_time_has_no_more_digits_than_html_takes() {
        assert_eq!(
            until(1_700_000_000_123_456),
            "<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13 UTC</time>"
        );
    }

    #[test]
    fn who_is_welcome_is_told_what_was_done() {
        let html = made(
            "carol@example.org",
            Some("alice@example.org"),
            None,
            Some(System::Ios),
        );
        assert!(html.contains("alice@example.org is in your list of contacts"));
        assert!(html.contains("<dt class=\"own\">"), "{html}");
        let html = made("carol@example.org", None, Some("alice@example.org"), None);
        assert!(html.contains("alice@example.org could not be entered"));
        assert!(!html.contains("is in your list"));
        assert!(changed("bob@example.org", true).contains("switched off"));
        let link = Shown {
            account: Some("bob@example.org"),
            uri: None,
            is_disabled: true,
            ..shown(Purpose::Password, None)
        };
        assert!(invitation(&link).contains("switched off"));
    }

    #[test]
    fn what_comes_from_outside_is_no_markup() {
        let html = invitation(&shown(Purpose::Contact, Some("<b>\"o'neil\"&@example.org")));
        assert!(!html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;b&gt;&quot;o&#39;neil&quot;&amp;@example.org invites you"));
    }

    #[test]
    fn who_has_to_fill_it_in_again_has_the_name_already() {
        let again = Shown {
            problem: Some(Problem::Differ),
            name: "\"><b>ca\0rol",
            ..shown(Purpose::Account, None)
        };
        let html = invitation(&again);
        assert!(
            html.contains("value=\"&quot;&gt;&lt;b&gt;carol\""),
            "{html}"
        );
        assert!(html.contains("role=\"alert\">The two passwords are not the same.</p>"));
    }

    #[test]
    fn who_cannot_choose_a_name_is_not_told_to() {
        let taken = Shown {
            problem: Some(Problem::Taken),
            ..shown(Purpose::Account, None)
        };
        assert!(invitation(&taken).contains("Choose another one."));
        let settled = Shown {
            account: Some("carol@example.org"),
            ..taken
        };
        assert!(!invitation(&settled).contains("Choose another one."));
    }

    #[test]
    fn a_page_needs_no_script_and_nothing_from_elsewhere() {
        let html = invitation(&shown(Purpose::Account, None));
        for wrong in [
            "<script",
            "javascript:",
            "src=",
            "http-equiv",
            "onclick",
            "onload",
            "style=",
        ] {
            assert!(!html.contains(wrong), "{wrong} in {html}");
        }
        assert!(html.contains("<form method=\"post\""));
        assert!(html.contains("href=\"xmpp:example.org?register;preauth=0123\""));
        assert!(html.contains("<svg"));
        assert!(
            html.contains("<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13 UTC</time>")
        );
        assert!(html.find("<svg") < html.find("<form"));
        let first = html.find("<dt").unwrap();
        assert!(html[first..].starts_with("<dt class=\"own\">Linux</dt>"));
    }

    #[test]
    fn a_phone_that_cannot_scan_itself_is_shown_the_code_last() {
        let phone = Shown {
            system: Some(System::Android),
            ..shown(Purpose::Account, None)
        };
        let html = invitation(&phone);
        assert_eq!(html.matches("<svg").count(), 1);
        assert!(html.find("<svg") > html.find("</dl>"), "{html}");
    }

    #[test]
    fn another_password_is_no_matter_of_clients() {
        let link = Shown {
            account: Some("alice@example.org"),
            uri: None,
            ..shown(Purpose::Password, None)
        };
        let html = invitation(&link);
        assert!(!html.contains("xmpp:") && !html.contains("<svg") && !html.contains("<dl>"));
        assert!(html.contains("<strong>alice@example.org</strong>"));
        assert!(html.contains("autocomplete=\"new-password\""));
    }

    #[test]
    fn who_only_becomes_a_contact_is_offered_no_account() {
        let link = Shown {
            registers: false,
            ..shown(Purpose::Contact, Some("romeo@example.org"))
        };
        assert!(!invitation(&link).contains("<form"));
    }
}
