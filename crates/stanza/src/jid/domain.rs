//! Domains: one spelling for each.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::punycode;

use super::prep::{PART_BYTES_MAX, is_unassigned, prepare_label};
use super::{JidError, Part};

/// The longest label in bytes, as DNS writes it (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// What a label begins with that DNS writes in Punycode (RFC 3490 §5).
const ACE_PREFIX: &str = "xn--";

/// Prepares a domain, so that equal domains have equal text: labels by nameprep (RFC 6122 §2.2), no
/// trailing dot, ideographic dots as dots, IPv6 addresses in brackets in their shortest form.
///
/// An internationalised label is kept in Unicode, as RFC 6122 says, if nameprep of Unicode 3.2 knows
/// all of it and keeps it; otherwise (RFC 3490 §4.2: ToUnicode fails) in Punycode, where ß or a younger
/// script would fold into another name or not be comparable at all. So each name has one form,
/// whichever way it was written.
///
/// # Errors
///
/// [`JidError`] when it is empty, too long, or has something prohibited in it.
pub fn prepare_domain(domain: &str) -> Result<Cow<'_, str>, JidError> {
    if domain.starts_with('[') {
        return prepare_ipv6(domain);
    }
    let prepared = if is_plain(domain) {
        Cow::Borrowed(domain.strip_suffix('.').unwrap_or(domain))
    } else {
        Cow::Owned(prepare_labels(domain)?)
    };
    if prepared.is_empty() {
        return Err(JidError::Empty(Part::Domain));
    }
    if prepared.len() > PART_BYTES_MAX {
        return Err(JidError::TooLong(Part::Domain));
    }
    for label in prepared.split('.') {
        check_label(label)?;
    }
    Ok(prepared)
}

/// The domain as DNS and certificates write it, from the form of [`prepare_domain`].
pub fn domain_to_ascii(prepared: &str) -> Cow<'_, str> {
    if prepared.is_ascii() {
        return Cow::Borrowed(prepared);
    }
    let labels: Vec<_> = prepared.split('.').map(label_to_ascii).collect();
    Cow::Owned(labels.join("."))
}

fn prepare_ipv6(domain: &str) -> Result<Cow<'_, str>, JidError> {
    let inner = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: Ipv6Addr = inner
        .and_then(|text| text.parse().ok())
        .ok_or(JidError::Ipv6)?;
    let canonical = format!("[{address}]");
    if canonical == domain {
        Ok(Cow::Borrowed(domain))
    } else {
        Ok(Cow::Owned(canonical))
    }
}

/// Whether the text is made of lower-case letters, digits, hyphens and dots, with no label in Punycode:
/// all but every domain.
fn is_plain(domain: &str) -> bool {
    domain
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && !domain.split('.').any(|label| label.starts_with(ACE_PREFIX))
}

/// RFC 3490 §3.1: what counts as a dot between labels.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
}

fn prepare_labels(domain: &str) -> Result<String, JidError> {
    let domain = domain.strip_suffix(is_dot).unwrap_or(domain);
    let mut output = String::with_capacity(domain.len());
    for (index, label) in domain.split(is_dot).enumerate() {
        if index > 0 {
            output.push('.');
        }
        let prepared = prepare_label(label)?;
        // Here too, since a character like the one-dot leader becomes a dot only now.
        check_label(&prepared)?;
        output.push_str(&canonical_label(prepared)?);
    }
    Ok(output)
}

/// Chooses between Unicode and Punycode for a label that is through nameprep. Punycode is decoded as
/// RFC 3490 §4.2 says: only if encoding the result gives the same label again (step 6).
fn canonical_label(prepared: String) -> Result<String, JidError> {
    if !prepared.is_ascii() {
        // Punycode takes time by the square of the length; longer labels cannot fit anyway.
        if prepared.chars().count() > LABEL_BYTES_MAX {
            return Err(JidError::Label);
        }
        return Ok(if prepared.contains(is_unassigned) {
            label_to_ascii(&prepared).into_owned()
        } else {
            prepared
        });
    }
    let unicode = prepared
        .strip_prefix(ACE_PREFIX)
        .filter(|encoded| encoded.len() < LABEL_BYTES_MAX)
        .and_then(punycode::decode_to_string)
        .filter(|unicode| {
            !unicode.contains(is_unassigned)
                && label_to_ascii(unicode) == prepared
                && prepare_label(unicode).is_ok_and(|again| again == *unicode)
                && check_label(unicode).is_ok()
        });
    Ok(unicode.unwrap_or(prepared))
}

fn label_to_ascii(label: &str) -> Cow<'_, str> {
    if label.is_ascii() {
        return Cow::Borrowed(label);
    }
    match punycode::encode_str(label) {
        Some(encoded) => Cow::Owned(format!("{ACE_PREFIX}{encoded}")),
        // Only an overflow in a label far beyond the limit, which preparation has refused.
        None => Cow::Borrowed(label),
    }
}

/// RFC 3490 §4.1 steps 3 and 8, with UseSTD3ASCIIRules as RFC 6122 §2.2 demands.
fn check_label(label: &str) -> Result<(), JidError> {
    let refused = |c: &char| c.is_ascii() && !matches!(c, 'a'..='z' | '0'..='9' | '-');
    if let Some(c) = label.chars().find(refused) {
        return Err(JidError::Prohibited(Part::Domain, c));
    }
    let len = label_to_ascii(label).len();
    if len == 0 || len > LABEL_BYTES_MAX || label.starts_with('-') || label.ends_with('-') {
        return Err(JidError::Label);
    }
    Ok(())
}
