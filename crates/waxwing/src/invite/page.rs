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
    fn text(self) -> &'static str {
        match self {
            Problem::Form => "The form could not be read. Nothing was done; fill it in once more.",
            Problem::Name => "This name cannot be used. Take small letters and digits.",
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
    pub(super) problem: Option<Problem>,
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
            problem.text()
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
    }
    body += &format!(
        "<p class=\"small\">This link is for you alone. It is good until {}. If you expected none, you need do nothing.</p>\n",
        until(shown.expires_micros)
    );
    document(&title, &body)
}

/// For who has a client.
fn by_client(shown: &Shown<'_>) -> String {
    let domain = escaped(shown.domain);
    let mut text = match (shown.contact, shown.registers) {
        (Some(_), false) => {
            "<p>XMPP is a network of many servers, as e-mail is. With a program and an account of your own, press the button: you become each other's contact.</p>\n".to_owned()
        }
        (_, _) => format!(
            "<p>XMPP is a network of many servers, as e-mail is; {domain} is one of them. With a program for it, press the button; without, make an account below and take one of the programs.</p>\n"
        ),
    };
    let Some(uri) = &shown.uri else {
        return text;
    };
    text += &format!(
        "<p><a class=\"button\" href=\"{}\">Open in your program</a></p>\n",
        escaped(uri)
    );
    // A phone without a program can open the page, but no link of XMPP.
    let target = shown.url.as_ref().unwrap_or(uri);
    if let Some(code) = Code::of(target.as_bytes()) {
        text += &format!(
            "<figure>{}<figcaption>Or scan this with your phone.</figcaption></figure>\n",
            code.svg()
        );
    }
    text
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
             maxlength=\"200\" autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\">\
             <span>@{}</span></p>\n",
            escaped(shown.domain)
        ),
    };
    let hidden = match shown.account {
        // For programs that keep passwords.
        Some(account) => format!(
            "<input type=\"hidden\" name=\"username\" autocomplete=\"username\" value=\"{}\">\n",
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
            problem: None,
        }
    }

    #[test]
    fn what_comes_from_outside_is_no_markup() {
        let html = invitation(&shown(Purpose::Contact, Some("<b>\"o'neil\"&@example.org")));
        assert!(!html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;b&gt;&quot;o&#39;neil&quot;&amp;@example.org invites you"));
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
        let first = html.find("<dt").unwrap();
        assert!(html[first..].starts_with("<dt class=\"own\">Linux</dt>"));
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
