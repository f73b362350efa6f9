//! The pages, as HTML. Whatever comes from outside is escaped.

use waxwing_server::invitations::Purpose;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use super::clients::System;
use super::qr::Code;

/// How they look: for a phone as for a screen, light and dark.
pub(super) const STYLE: &str = include_str!("style.css");

/// What stood in the way of what a form was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Form,
    Name,
    Taken,
    NoPassword,
    Password,
    Differ,
    TooOften,
    Server,
}

impl Problem {
    /// What is said of it; who has no choice of names is told to choose none.
    fn text(self, is_settled: bool) -> &'static str {
        match self {
            Problem::Form => "The form could not be read. Nothing was done; fill it in once more.",
            Problem::Name => "This name cannot be used. Take small letters and digits.",
            Problem::Taken if is_settled => {
                "There is an account of this name by now. Ask whoever invited you for another link."
            }
            Problem::Taken => "This name is taken. Choose another one.",
            Problem::NoPassword => "A password is needed.",
            Problem::Password => "This password cannot be used. Choose another one.",
            Problem::Differ => "The two passwords are not the same.",
            Problem::TooOften => "Too much was tried from where you are. Try again in an hour.",
            Problem::Server => {
                "The server cannot do that at the moment. Try again in a few minutes."
            }
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
    if let Some(problem) = shown.problem {
        body += &format!(
            "<p class=\"problem\" role=\"alert\">{}</p>\n",
            problem.text(shown.account.is_some())
        );
    }
    if shown.purpose == Purpose::Password {
        let account = escaped(shown.account.unwrap_or_default());
        body += &format!(
            "<p>Choose another password for <strong>{account}</strong>. Devices that are logged in need it then, too.</p>\n"
        );
    } else {
        body += &by_client(shown);
    }
    if shown.registers || shown.purpose == Purpose::Password {
        body += &form(shown);
    }
    if shown.purpose != Purpose::Password {
        body += &programs(shown.system);
        if is_on_phone(shown) {
            body += &code(shown, "For another device: scan this with it.");
        }
    }
    let whose = if shown.uses_left > 1 {
        "This link is for you and whom else it was given to"
    } else {
        "This link is for you alone, and good once"
    };
    body += &format!(
        "<p class=\"small\">{whose}, until {}. If you expected none, you need do nothing.</p>\n",
        until(shown.expires_micros)
    );
    document(&title, &body)
}

/// For who has a client.
fn by_client(shown: &Shown<'_>) -> String {
    let domain = escaped(shown.domain);
    let mut text = match (shown.contact, shown.registers) {
        (Some(_), false) => {
            "<p>XMPP is a network of many servers, as e‑mail is. With a program and an account of your own, press the button: you become each other's contact.</p>\n".to_owned()
        }
        (_, _) => format!(
            "<p>XMPP is a network of many servers, as e‑mail is; {domain} is one of them. With a program for it, press the button; without, make an account below and take one of the programs.</p>\n"
        ),
    };
    let Some(uri) = &shown.uri else {
        return text;
    };
    text += &format!(
        "<p><a class=\"button\" href=\"{}\">Open in your program</a></p>\n",
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

fn form(shown: &Shown<'_>) -> String {
    let (heading, button) = match shown.purpose {
        Purpose::Password => ("The new password", "Set the password"),
        Purpose::Account | Purpose::Contact => ("Make an account here", "Make the account"),
    };
    let name = match (shown.purpose, shown.account) {
        (Purpose::Password, _) => String::new(),
        (_, Some(account)) => format!(
            "<p>Your address will be <strong>{}</strong>.</p>\n",
            escaped(account)
        ),
        (_, None) => format!(
            "<label for=\"name\">Name</label>\n<p class=\"field\"><input id=\"name\" name=\"name\" type=\"text\" required \
             maxlength=\"200\" autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\" value=\"{}\">\
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
    format!(
        "<h2>{heading}</h2>\n<form method=\"post\" accept-charset=\"utf-8\">\n{name}{hidden}\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" required maxlength=\"1000\" autocomplete=\"new-password\">\n\
         <label for=\"again\">Once more</label>\n\
         <input id=\"again\" name=\"again\" type=\"password\" required maxlength=\"1000\" autocomplete=\"new-password\">\n\
         <button type=\"submit\">{button}</button>\n</form>\n"
    )
}

/// Programs, those for somebody's own system first.
fn programs(own: Option<System>) -> String {
    let mut systems = System::ALL;
    systems.sort_by_key(|system| Some(*system) != own);
    let mut text = "<h2>Programs</h2>\n<dl>\n".to_owned();
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
pub(super) fn made(account: &str, contact: Option<&str>) -> String {
    let account = escaped(account);
    let mut body = format!(
        "<h1>Welcome</h1>\n<p>Your address is <strong>{account}</strong>. Log in with it, and with the password that you have \
         chosen, in any program for XMPP.</p>\n"
    );
    if let Some(contact) = contact {
        body += &format!("<p>{} is in your list of contacts.</p>\n", escaped(contact));
    }
    body += &programs(None);
    document("Welcome", &body)
}

/// A password was set.
pub(super) fn changed(account: &str) -> String {
    let text = format!(
        "{account} has the new password. Every device that was logged in needs it now, too."
    );
    told("The password is set", &text)
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
    let text = DateTime::from_unix_micros(micros).to_string();
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
            name: "",
        }
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
