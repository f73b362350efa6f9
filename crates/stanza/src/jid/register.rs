//! Which names a new account may have.

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::prep::{is_unassigned, prepare_node};

/// Whether a new account may be named `node`: only names that
/// [RFC 7622](https://www.rfc-editor.org/rfc/rfc7622#section-3.3) (the profile UsernameCaseMapped of
/// [RFC 8265](https://www.rfc-editor.org/rfc/rfc8265#section-3.3)) prepares as RFC 6122 does, so that
/// every server and client means the same account by them, whichever of the two it follows.
///
/// Where the newer profile depends on context (Arabic digits, middle dots, joiners) or on the version of
/// Unicode, the answer is no.
pub fn is_registrable(node: &str) -> bool {
    let Ok(prepared) = prepare_node(node) else {
        return false;
    };
    prepared.chars().all(is_identifier_char)
        && map_by_precis(node) == prepared
        && (!prepared.contains(tables::bidi_r_or_al) || prepared.chars().all(is_in_right_to_left))
}

/// RFC 8265 §3.3.1: width mapping, case mapping, NFC.
fn map_by_precis(node: &str) -> String {
    let mut narrow = String::with_capacity(node.len());
    for c in node.chars() {
        if matches!(c, '\u{FF01}'..='\u{FFEF}') {
            narrow.extend(std::iter::once(c).nfkc());
        } else {
            narrow.push(c);
        }
    }
    // `to_lowercase` writes a capital sigma at a word's end as ς, which nodeprep never yields: such names
    // are refused, since implementations of RFC 8265 disagree on them.
    narrow.to_lowercase().nfc().collect()
}

/// The IdentifierClass of [RFC 8264](https://www.rfc-editor.org/rfc/rfc8264#section-4.2) less what is
/// valid only in some context or only in some version of Unicode.
fn is_identifier_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    let letter_digit = matches!(
        c.general_category(),
        GeneralCategory::LowercaseLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::DecimalNumber
    );
    letter_digit
        && !is_unassigned(c)
        && !is_exception(c)
        && std::iter::once(c).nfkc().eq(std::iter::once(c))
}

/// Letters and digits that RFC 8264 §9.6 to §9.11 (RFC 5892 §2.6 to §2.9) disallows or allows in some
/// context only.
fn is_exception(c: char) -> bool {
    matches!(c,
        // Exceptions, disallowed.
        '\u{0640}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}'
        // Exceptions, by context: Arabic and extended Arabic digits.
        | '\u{0660}'..='\u{0669}' | '\u{06F0}'..='\u{06F9}'
        // Old Hangul Jamo.
        | '\u{1100}'..='\u{11FF}'
        // Ignorable by default.
        | '\u{034F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}')
}

/// What a name with right-to-left letters is made of under both RFC 3454 §6 and RFC 5893 §2.
fn is_in_right_to_left(c: char) -> bool {
    tables::bidi_r_or_al(c)
        || c.is_ascii_digit()
        || matches!(c, '-' | '.' | '_')
        || c.general_category() == GeneralCategory::NonspacingMark
}
