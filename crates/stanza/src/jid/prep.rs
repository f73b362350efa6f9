//! Nodeprep, nameprep and resourceprep.
//!
//! [RFC 3454](https://www.rfc-editor.org/rfc/rfc3454) (the framework),
//! [RFC 3491](https://www.rfc-editor.org/rfc/rfc3491) (nameprep),
//! [RFC 6122 appendices A and B](https://www.rfc-editor.org/rfc/rfc6122#appendix-A).
//!
//! The tables are of Unicode 3.2. Characters that came later are let through as they are, as RFC 3454
//! §7 wants for queries and as other servers do: people put emoji into resources and nicknames. They
//! are not normalised, since the later normalisation could turn them into characters that the mapping
//! before it should have seen. Who gives out names (see [`super::is_registrable`]) refuses them.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{JidError, Part};

/// The longest node, domain or resource in bytes (RFC 6122 §2.1).
pub const PART_BYTES_MAX: usize = 1023;

/// Prepares the part before the `@` by nodeprep.
///
/// # Errors
///
/// [`JidError`] when nothing is left, or it is too long, or something in it is prohibited.
pub fn prepare_node(node: &str) -> Result<Cow<'_, str>, JidError> {
    if node.bytes().all(is_plain_node_byte) {
        return within_bounds(Cow::Borrowed(node), Part::Node);
    }
    let mapped = map_folding(node);
    let prepared = normalise(&mapped);
    check(&prepared, Part::Node, |c| {
        prohibited_in_all(c)
            || c == ' '
            || tables::ascii_control_character(c)
            || is_node_separator(c)
    })?;
    within_bounds(Cow::Owned(prepared), Part::Node)
}

/// Prepares the part after the `/` by resourceprep.
///
/// # Errors
///
/// [`JidError`] when nothing is left, or it is too long, or something in it is prohibited.
pub fn prepare_resource(resource: &str) -> Result<Cow<'_, str>, JidError> {
    if resource.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return within_bounds(Cow::Borrowed(resource), Part::Resource);
    }
    let mapped: String = resource
        .chars()
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .collect();
    let prepared = normalise(&mapped);
    check(&prepared, Part::Resource, |c| {
        prohibited_in_all(c) || tables::ascii_control_character(c)
    })?;
    within_bounds(Cow::Owned(prepared), Part::Resource)
}

/// Prepares one label of a domain by nameprep. The caller checks lengths and ASCII.
pub(super) fn prepare_label(label: &str) -> Result<String, JidError> {
    let mapped = map_folding(label);
    let prepared = normalise(&mapped);
    check(&prepared, Part::Domain, prohibited_in_all)?;
    Ok(prepared)
}

/// Whether Unicode 3.2, on which stringprep stands, does not know the character.
pub(super) fn is_unassigned(c: char) -> bool {
    tables::unassigned_code_point(c)
}

/// Bytes that nodeprep leaves as they are: printable ASCII but capitals, space and the separators.
fn is_plain_node_byte(b: u8) -> bool {
    matches!(b, b'!'..=b'~') && !b.is_ascii_uppercase() && !is_node_separator(char::from(b))
}

/// What RFC 6122 §A.5 adds to the prohibited characters of a node.
fn is_node_separator(c: char) -> bool {
    matches!(c, '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@')
}

fn within_bounds(part: Cow<'_, str>, which: Part) -> Result<Cow<'_, str>, JidError> {
    match part.len() {
        0 => Err(JidError::Empty(which)),
        1..=PART_BYTES_MAX => Ok(part),
        _ => Err(JidError::TooLong(which)),
    }
}

/// RFC 3454 tables B.1 and B.2.
fn map_folding(input: &str) -> String {
    input
        .chars()
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .flat_map(tables::case_fold_for_nfkc)
        .collect()
}

/// NFKC of Unicode 3.2: runs of characters that it does not know stay as they are.
fn normalise(input: &str) -> String {
    let mut output = String::with_capacity(input.len());
    let mut rest = input;
    while !rest.is_empty() {
        let known = rest.find(is_unassigned).unwrap_or(rest.len());
        output.extend(rest[..known].nfkc());
        rest = &rest[known..];
        let unknown = rest.find(|c| !is_unassigned(c)).unwrap_or(rest.len());
        output.push_str(&rest[..unknown]);
        rest = &rest[unknown..];
    }
    output
}

/// RFC 3454 tables C.1.2, C.2.2 and C.3 to C.9, which all three profiles prohibit.
fn prohibited_in_all(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
        || (is_unassigned(c) && is_invisible(c))
}

/// Controls and spaces that Unicode gained after 3.2, among them the direction isolates: the tables
/// prohibit all their elder relatives.
fn is_invisible(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

fn check(prepared: &str, part: Part, prohibited: impl Fn(char) -> bool) -> Result<(), JidError> {
    match prepared.chars().find(|&c| prohibited(c)) {
        Some(c) => Err(JidError::Prohibited(part, c)),
        None if mixes_directions(prepared) => Err(JidError::Bidirectional(part)),
        None => Ok(()),
    }
}

/// RFC 3454 §6: with any right-to-left character there is no left-to-right one, and the first and the
/// last are right-to-left. Its tables know no character that came later.
fn mixes_directions(text: &str) -> bool {
    let right_to_left = |c: char| !is_unassigned(c) && tables::bidi_r_or_al(c);
    let left_to_right = |c: char| !is_unassigned(c) && tables::bidi_l(c);
    text.contains(right_to_left)
        && (text.contains(left_to_right)
            || !text.starts_with(right_to_left)
            || !text.ends_with(right_to_left))
}
