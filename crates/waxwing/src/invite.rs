//! Pages of invitations: what who was invited reads in a browser, and a form by which an account is made or a password set.
//!
//! Conversation: `xep_0401_onboarding.md`
//!
//! Nothing here needs a script, and nothing is fetched from elsewhere. Who knows the token in the address may use it: it is
//! neither logged nor told to other sites. A form is taken from no page but this one, and a password that was filled in is
//! never shown again.

mod clients;
mod form;
mod page;
mod qr;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use waxwing_server::accounts::{self, AccountError};
use waxwing_server::choosing;
use waxwing_server::invitations::{
    self, INVITE_PATH, Invited, Purpose, RedeemError, landing_url, uri,
};
use waxwing_stanza::BareJid;

use crate::site::{Peer, Site};
use form::{Filled, FormError};
use page::{Problem, Shown};

/// Everything below it is answered here.
pub(crate) const INVITE_ROUTE: &str = "/invite/{token}";
/// The same with a slash behind it.
pub(crate) const INVITE_SLASH_ROUTE: &str = "/invite/{token}/";
/// How all pages look.
pub(crate) const STYLE_ROUTE: &str = "/invite/style.css";

/// Most bytes of a form that was filled in. Every form that this page lets somebody fill in fits, each byte in percents.
const FORM_BYTES_MAX: usize = 16 * 1024;
const _: () =
    assert!(FORM_BYTES_MAX > 9 * (page::NAME_CHARS_MAX + 2 * page::PASSWORD_CHARS_MAX) + 3 * 2_048);
/// Longest time for it to come.
const FORM_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a browser keeps how pages look.
const STYLE_CACHE: &str = "public, max-age=3600";

/// No script, no frame, nothing of other sites; forms go nowhere but here.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What stands in every answer. With no-referrer browsers would say that a form comes from nowhere.
const ALWAYS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

fn guarded(status: StatusCode, html: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /invite/style.css`
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, STYLE_CACHE),
    ];
    (headers, page::STYLE).into_response()
}

/// `GET /invite/TOKEN`
pub(crate) async fn show(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let token = token(&uri);
    match found(&site, token).await {
        Ok(invited) => {
            let html = page(&site, &headers, &invited, token, None);
            guarded(StatusCode::OK, html.await)
        }
        Err(response) => *response,
    }
}

/// `POST /invite/TOKEN`
pub(crate) async fn take(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = token(&uri);
    let invited = match found(&site, token).await {
        Ok(invited) => invited,
        Err(response) => return *response,
    };
    if !is_of_this_site(&site, &headers, &invited) {
        let text = "The form was sent from a page of another site. Nothing was done.";
        return guarded(StatusCode::FORBIDDEN, page::told("Not from here", text));
    }
    let is_for_form =
        invited.invitation.registers || invited.invitation.purpose() == Purpose::Password;
    if !is_for_form {
        let html = page(
            &site,
            &headers,
            &invited,
            token,
            Some((Problem::NoAccounts, "")),
        );
        return guarded(StatusCode::FORBIDDEN, html.await);
    }
    let from = site.client(peer, &headers).address;
    let (status, problem, name) = match filled_in(&headers, body).await {
        Ok(filled) => match answered(&site, &headers, &invited, &filled, from).await {
            Ok(response) => return response,
            Err((status, problem)) => (status, problem, filled.name),
        },
        Err(error) => {
            let (status, problem) = unread(error);
            (status, problem, String::new())
        }
    };
    let html = page(&site, &headers, &invited, token, Some((problem, &name)));
    guarded(status, html.await)
}

/// What is said of a form that is none.
fn unread(error: FormError) -> (StatusCode, Problem) {
    match error {
        FormError::TooLong => (
            StatusCode::PAYLOAD_TOO_LARGE,
            Problem::TooLong(FORM_BYTES_MAX),
        ),
        FormError::TooSlow => (StatusCode::REQUEST_TIMEOUT, Problem::Form),
        FormError::NoForm => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Problem::Form),
        FormError::Broken => (StatusCode::BAD_REQUEST, Problem::Form),
    }
}

/// What becomes of a form that was read.
async fn answered(
    site: &Site,
    headers: &HeaderMap,
    invited: &Invited,
    filled: &Filled,
    from: std::net::IpAddr,
) -> Result<Response, (StatusCode, Problem)> {
    if filled.password.0.is_empty() {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, Problem::NoPassword));
    }
    if filled.password != filled.again {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, Problem::Differ));
    }
    match redeem(site, headers, invited, filled, from).await {
        Ok(html) => Ok(guarded(StatusCode::OK, html)),
        Err(RedeemError::Gone) => Ok(gone()),
        Err(error) => Err(refused(&error)),
    }
}

/// `GET /invite/TOKEN/`, and whatever else is below: the page has one address.
pub(crate) async fn without_slash(uri: Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    let token = path.strip_prefix(INVITE_PATH).unwrap_or_default();
    let mut response = gone();
    // What could be no token is written into no header.
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        // Relative, so that it holds behind any proxy.
        if let Ok(target) = HeaderValue::from_str(&format!("../{token}")) {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, target);
            *response.body_mut() = Body::empty();
        }
    }
    response
}

/// Any other method.
pub(crate) async fn other_method() -> Response {
    let html = page::told("Not so", "This address is for reading, and for its form.");
    let mut response = guarded(StatusCode::METHOD_NOT_ALLOWED, html);
    let allowed = HeaderValue::from_static("GET, HEAD, POST");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

/// Does what the form is for; what is said of it then.
async fn redeem(
    site: &Site,
    headers: &HeaderMap,
    invited: &Invited,
    filled: &Filled,
    from: std::net::IpAddr,
) -> Result<String, RedeemError> {
    let (server, password) = (&site.serving.server, &filled.password.0);
    if invited.invitation.purpose() == Purpose::Password {
        let jid = invitations::reset(server, invited, password, from).await?;
        let is_disabled = is_disabled(site, &jid).await;
        return Ok(page::changed(jid.as_ref(), is_disabled));
    }
    // A name that is settled is not asked for.
    let name = match &invited.invitation.name {
        Some(name) => name,
        None => without_domain(filled.name.trim(), &invited.invitation.domain),
    };
    let made = invitations::register(server, invited, name, password, from).await?;
    let wanted = invited.contact().map(|contact| contact.to_string());
    let (contact, missed) = match made.contact {
        Some(_) => (wanted, None),
        None => (None, wanted),
    };
    let system = clients::System::of(agent(headers));
    let jid = made.jid.as_ref();
    Ok(page::made(
        jid,
        contact.as_deref(),
        missed.as_deref(),
        system,
    ))
}

/// A name as it was typed, without the domain that stands behind the field anyway.
fn without_domain<'a>(name: &'a str, domain: &str) -> &'a str {
    match name.rsplit_once('@') {
        Some((name, typed)) if typed.eq_ignore_ascii_case(domain) => name,
        _ => name,
    }
}

/// Whether nobody can log in to an account; what cannot be read is not said.
async fn is_disabled(site: &Site, jid: &BareJid) -> bool {
    let account = accounts::load(site.serving.server.store(), jid).await;
    account.is_ok_and(|account| account.is_some_and(|account| account.disabled))
}

fn agent(headers: &HeaderMap) -> &str {
    let agent = headers.get(header::USER_AGENT);
    agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default()
}

fn refused(error: &RedeemError) -> (StatusCode, Problem) {
    match error {
        RedeemError::Gone => (StatusCode::NOT_FOUND, Problem::Form),
        RedeemError::Purpose => (StatusCode::FORBIDDEN, Problem::NoAccounts),
        RedeemError::OtherName => (StatusCode::UNPROCESSABLE_ENTITY, Problem::Name),
        RedeemError::TooOften => (StatusCode::TOO_MANY_REQUESTS, Problem::TooOften),
        RedeemError::Enough => (StatusCode::TOO_MANY_REQUESTS, Problem::Enough),
        RedeemError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Problem::Server),
        RedeemError::Account(error) => match error {
            AccountError::Exists | AccountError::Removed => (StatusCode::CONFLICT, Problem::Taken),
            AccountError::Name => (StatusCode::UNPROCESSABLE_ENTITY, Problem::Name),
            AccountError::Kept => (StatusCode::UNPROCESSABLE_ENTITY, Problem::Kept),
            AccountError::Short(least) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Problem::Short(*least))
            }
            AccountError::Password(reason) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Problem::Password(*reason))
            }
            AccountError::Store(error) => {
                tracing::error!(%error, "an invitation could not be used");
                (StatusCode::SERVICE_UNAVAILABLE, Problem::Server)
            }
            AccountError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, Problem::Server),
        },
    }
}

/// What may be a token in the address.
fn token(uri: &Uri) -> &str {
    uri.path().strip_prefix(INVITE_PATH).unwrap_or_default()
}

/// The invitation, or what is said where there is none.
async fn found(site: &Site, token: &str) -> Result<Invited, Box<Response>> {
    match invitations::find(&site.serving.server, token).await {
        Ok(Some(invited)) => Ok(invited),
        Ok(None) => Err(Box::new(gone())),
        Err(error) => {
            tracing::error!(%error, "an invitation could not be found");
            let text = "The server cannot answer at the moment. Try again in a few minutes.";
            let html = page::told("Not now", text);
            let response = guarded(StatusCode::SERVICE_UNAVAILABLE, html);
            Err(Box::new(response))
        }
    }
}

/// Nobody learns whether there was ever such an invitation.
fn gone() -> Response {
    let text = "It was used, taken back, or its time is over; or a part of the address is missing. \
                Ask whoever gave it to you for another one.";
    guarded(
        StatusCode::NOT_FOUND,
        page::told("This link does not work", text),
    )
}

/// Whether a form comes from this page, as far as the browser says (Fetch Metadata, RFC 6454).
fn is_of_this_site(site: &Site, headers: &HeaderMap, invited: &Invited) -> bool {
    let mut said = headers.get_all("sec-fetch-site").iter();
    let is_near = said.all(|value| value == "same-origin" || value == "none");
    // The token is no part of what is compared.
    let page = landing_url(&site.serving.server, &invited.invitation, "");
    is_near && (site.allows_origin(headers) || is_origin_of(headers, page.as_deref()))
}

/// Whether a page's address says the same origin as the browser.
fn is_origin_of(headers: &HeaderMap, page: Option<&str>) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None, Some(page)) = (origins.next(), origins.next(), page) else {
        return false;
    };
    let mut parts = page.splitn(4, '/');
    let (Some(scheme), Some(_), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let own = format!("{scheme}//{host}");
    origin
        .to_str()
        .is_ok_and(|origin| origin.eq_ignore_ascii_case(&own))
}

/// What a form says.
pub(crate) fn read_form(bytes: &[u8]) -> Option<[String; 3]> {
    let filled = Filled::read(bytes).ok()?;
    Some([filled.name, filled.password.0, filled.again.0])
}

/// The form that was filled in.
async fn filled_in(headers: &HeaderMap, body: Body) -> Result<Filled, FormError> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(FormError::NoForm);
    }
    let bytes = tokio::time::timeout(FORM_TIME_MAX, to_bytes(body, FORM_BYTES_MAX));
    let bytes = bytes.await.map_err(|_| FormError::TooSlow)?;
    // What is longer is not read; what was cut off comes to nobody.
    let bytes = bytes.map_err(|_| FormError::TooLong)?;
    Filled::read(&bytes)
}

async fn page(
    site: &Site,
    headers: &HeaderMap,
    invited: &Invited,
    token: &str,
    problem: Option<(Problem, &str)>,
) -> String {
    let invitation = &invited.invitation;
    let target = invitation.account();
    let account = target.as_ref().map(ToString::to_string);
    let is_disabled = match (invitation.purpose(), &target) {
        (Purpose::Password, Some(jid)) => is_disabled(site, jid).await,
        _ => false,
    };
    let contact = invited.contact().map(|jid| jid.to_string());
    let server = &site.serving.server;
    page::invitation(&Shown {
        purpose: invitation.purpose(),
        domain: &invitation.domain,
        account: account.as_deref(),
        contact: contact.as_deref(),
        registers: invitation.registers,
        expires_micros: invitation.expires_micros,
        uri: uri(invitation, token),
        url: landing_url(server, invitation, token),
        system: clients::System::of(agent(headers)),
        uses_left: invitation.uses.saturating_sub(invitation.used),
        problem: problem.map(|(problem, _)| problem),
        is_disabled,
        chars_min: choosing::chars_min(server, &invitation.domain),
        name: problem.map_or("", |(_, name)| name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_typed_with_its_domain() {
        for (typed, name) in [
            ("carol", "carol"),
            ("carol@Example.org", "carol"),
            ("carol@other.example", "carol@other.example"),
            ("@example.org", ""),
        ] {
            assert_eq!(without_domain(typed, "example.org"), name);
        }
    }
}
