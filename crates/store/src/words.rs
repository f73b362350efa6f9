//! The words of a text, as they are searched for: in any script.
//!
//! Letters and digits in a row are a word, without case and without accents, which people leave out when they search. Where
//! a script has no spaces, each two letters beside each other are a word, so that any part of a sentence is found
//! by its pairs. Each emoji is a word, in whatever colour.

use std::collections::BTreeSet;
use std::ops::Bound;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Most words of one text; what comes after them is not found.
pub(crate) const WORDS_MAX: usize = 2_000;

/// Most characters of a word; of a longer one, its beginning counts.
pub(crate) const WORD_CHARS_MAX: usize = 40;

/// Most characters of a letter of a script without spaces, with its marks: no language puts more on one.
const LETTER_CHARS_MAX: usize = 8;

/// A word that is searched for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sought {
    /// The word.
    pub(crate) word: String,
    /// Whether words that begin so will do.
    pub(crate) is_beginning: bool,
}

/// The words of a text that is to be found.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in runs(text) {
        match run {
            Run::Word(word) => words.push(word),
            Run::Letters(letters) => {
                words.extend(pairs(&letters));
                // By itself it is found as the beginning of a pair, but for the last.
                words.extend(letters.last().cloned());
            }
        }
    }
    words.truncate(WORDS_MAX);
    words
}

/// The words that somebody searches for: all of them have to be there. The last one may be half written.
pub(crate) fn sought(text: &str) -> Vec<Sought> {
    let mut sought: Vec<Sought> = Vec::new();
    let whole = |word| Sought {
        word,
        is_beginning: false,
    };
    for run in runs(text) {
        match run {
            Run::Word(word) => sought.push(whole(word)),
            Run::Letters(letters) if letters.len() > 1 => sought.extend(pairs(&letters).map(whole)),
            Run::Letters(letters) => sought.extend(letters.into_iter().map(|word| Sought {
                word,
                is_beginning: true,
            })),
        }
    }
    let last = text.chars().rev().find(|c| !is_left_out(*c));
    if let Some(open) = sought.last_mut().filter(|_| last.is_some_and(is_of_word)) {
        open.is_beginning = true;
    }
    // What is said twice need not be there twice.
    let mut said = BTreeSet::new();
    sought.retain(|one| said.insert(one.clone()));
    sought.truncate(WORDS_MAX);
    sought
}

/// Whether a text has all the words that are sought. Where none is, nothing fits.
pub(crate) fn fits(sought: &[Sought], text: &str) -> bool {
    let words: BTreeSet<String> = words(text).into_iter().collect();
    let is_there = |one: &Sought| {
        if !one.is_beginning {
            return words.contains(&one.word);
        }
        let from: (Bound<&str>, Bound<&str>) = (Bound::Included(&one.word), Bound::Unbounded);
        let next = words.range::<str, _>(from).next();
        next.is_some_and(|word| word.starts_with(&one.word))
    };
    !sought.is_empty() && sought.iter().all(is_there)
}

/// What stands in a row.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    /// A word between spaces.
    Word(String),
    /// Letters of a script without spaces, each with its marks.
    Letters(Vec<String>),
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs = Runs::default();
    let mut rest = text;
    while !rest.is_empty() && runs.words < WORDS_MAX {
        // What stands beside ASCII does not become another letter by it.
        let (plain, after) = rest.split_at(end_of(rest, |byte| byte.is_ascii()));
        let (other, after) = after.split_at(end_of(after, |byte| !byte.is_ascii()));
        runs.take_ascii(plain);
        runs.take_other(other);
        rest = after;
    }
    runs.end_letters();
    runs.end_word();
    runs.done
}

/// How many bytes a text begins with that are so.
fn end_of(text: &str, is_so: impl Fn(&u8) -> bool) -> usize {
    text.bytes()
        .position(|byte| !is_so(&byte))
        .unwrap_or(text.len())
}

/// What stands in a row, as it is put together.
#[derive(Default)]
struct Runs {
    done: Vec<Run>,
    word: String,
    word_chars: usize,
    letters: Vec<String>,
    /// How many words there are at least.
    words: usize,
}

impl Runs {
    /// The same as [`Runs::take_other`] makes of it, at a twentieth of the cost.
    fn take_ascii(&mut self, text: &str) {
        if !text.is_empty() {
            self.end_letters();
        }
        let mut rest = text;
        while self.words < WORDS_MAX {
            let (word, after) = rest.split_at(end_of(rest, u8::is_ascii_alphanumeric));
            let fits = word.len().min(WORD_CHARS_MAX - self.word_chars);
            let begin = self.word.len();
            self.word.push_str(&word[..fits]);
            self.word[begin..].make_ascii_lowercase();
            self.word_chars += fits;
            if after.is_empty() {
                return;
            }
            self.end_word();
            rest = &after[1..];
        }
    }

    fn take_other(&mut self, text: &str) {
        for c in text.nfkd().flat_map(char::to_lowercase).flat_map(folded) {
            if !is_left_out(c) {
                self.take(c);
            }
            if self.words >= WORDS_MAX {
                return;
            }
        }
    }

    fn take(&mut self, c: char) {
        if let (true, Some(letter)) = (is_mark(c), self.letters.last_mut()) {
            if letter.chars().nth(LETTER_CHARS_MAX - 1).is_none() {
                letter.push(c);
            }
            return;
        }
        if is_spaceless(c) {
            self.end_word();
            self.letters.push(c.to_string());
            self.words += 1;
            return;
        }
        self.end_letters();
        if is_emoji(c) {
            self.end_word();
            self.done.push(Run::Word(c.to_string()));
            self.words += 1;
        } else if !is_of_word(c) {
            self.end_word();
        } else if self.word_chars < WORD_CHARS_MAX {
            self.word.push(c);
            self.word_chars += 1;
        }
    }

    fn end_letters(&mut self) {
        if !self.letters.is_empty() {
            self.done
                .push(Run::Letters(std::mem::take(&mut self.letters)));
        }
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.done.push(Run::Word(std::mem::take(&mut self.word)));
            self.words += 1;
        }
        self.word_chars = 0;
    }
}

fn pairs(letters: &[String]) -> impl Iterator<Item = String> + '_ {
    letters.windows(2).map(|pair| pair.concat())
}

fn is_of_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Number
    )
}

fn is_mark(c: char) -> bool {
    c >= FIRST_MARK && c.general_category_group() == GeneralCategoryGroup::Mark
}

/// No mark comes before it.
const FIRST_MARK: char = '\u{300}';

/// Letters that people write in two ways, in the one that is searched for: what Unicode takes for another letter, and a
/// keyboard without it writes so.
fn folded(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        // Of Persian and Urdu, and the one that ends Arabic words.
        'ی' | 'ى' => ('ي', None),
        'ک' => ('ك', None),
        c => (c, None),
    };
    [Some(first), second].into_iter().flatten()
}

/// Accents of alphabets, points of Hebrew, vowels of Arabic, what lengthens a line there, what chooses between pictures of
/// one character, and what only says how a word is written, as where it may be parted (UAX 29 WB4): written or not, it is the
/// same word. Marks of other scripts make another one of it.
fn is_left_out(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{300}'..='\u{36F}'
            | '\u{591}'..='\u{5C7}'
            | '\u{610}'..='\u{61A}'
            | '\u{640}'
            | '\u{64B}'..='\u{65F}'
            | '\u{670}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{200C}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FE20}'..='\u{FE2F}'
            | '\u{FEFF}'
            | '\u{1F3FB}'..='\u{1F3FF}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

/// Pictures that people answer with.
fn is_emoji(c: char) -> bool {
    let is_of_block = matches!(
        c,
        '\u{2300}'..='\u{23FF}' | '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}'
    );
    is_of_block && c.general_category_group() == GeneralCategoryGroup::Symbol
}

/// Letters of scripts that are written without spaces: Thai, Lao, Tibetan, Burmese, Khmer, kana, bopomofo, Han, Yi.
fn is_spaceless(c: char) -> bool {
    let is_of_script = matches!(
        c,
        '\u{E00}'..='\u{EFF}'
            | '\u{F00}'..='\u{FFF}'
            | '\u{1000}'..='\u{109F}'
            | '\u{1780}'..='\u{17FF}'
            | '\u{19E0}'..='\u{19FF}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3031}'..='\u{3035}'
            | '\u{3041}'..='\u{312F}'
            | '\u{31A0}'..='\u{31FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{A000}'..='\u{A4CF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
    );
    is_of_script && is_of_word(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_a_text() {
        for (text, found) in [
            ("", &[][..]),
            ("Hello, World!", &["hello", "world"][..]),
            ("¿Qué pasó, Ångström?", &["que", "paso", "angstrom"]),
            ("straße ΣΊΣΥΦΟΣ", &["strasse", "σισυφοσ"]),
            ("STRASSE Σίσυφος", &["strasse", "σισυφοσ"]),
            (
                "Łódź İstanbul ılık æøå",
                &["lodz", "istanbul", "ilik", "aeoa"],
            ),
            ("بلى بلی كتاب کتاب", &["بلي", "بلي", "كتاب", "كتاب"]),
            ("الأحمـــر", &["الاحمر"]),
            ("can't 3.14 x_y", &["can", "t", "3", "14", "x", "y"]),
            ("Привет, Ёлка", &["привет", "елка"]),
            ("שָׁלוֹם", &["שלום"]),
            ("مُحَمَّد", &["محمد"]),
            ("नमस्ते दुनिया", &["नमस्ते", "दुनिया"]),
            (
                "안녕",
                &["\u{110B}\u{1161}\u{11AB}\u{1102}\u{1167}\u{11BC}"],
            ),
            ("日本語", &["日本", "本語", "語"]),
            ("東", &["東"]),
            ("ab日本c", &["ab", "日本", "本", "c"]),
            ("ｆｕｌｌ", &["full"]),
            ("ﾊﾟﾝ", &["ハ\u{309A}ン", "ン"]),
            ("葛\u{E0100}飾", &["葛飾", "飾"]),
            ("👍🏽👍", &["👍", "👍"]),
            ("I❤️Rust", &["i", "❤", "rust"]),
            ("👩‍🚀", &["👩", "🚀"]),
            ("→ = + %", &[]),
            (
                "a\0b\"c' OR d* NEAR(e)",
                &["a", "b", "c", "or", "d", "near", "e"],
            ),
            ("\u{FE0F}\u{200D}\u{301}", &[]),
        ] {
            assert_eq!(words(text), found, "{text}");
        }
    }

    #[test]
    fn what_is_sought() {
        let shown = |text: &str| -> Vec<String> {
            let sought = sought(text).into_iter();
            let shown = sought.map(|one| match one.is_beginning {
                true => format!("{}*", one.word),
                false => one.word,
            });
            shown.collect()
        };
        assert_eq!(shown("Hello wor"), ["hello", "wor*"]);
        assert_eq!(shown("hello "), ["hello"]);
        assert_eq!(shown("日本語"), ["日本", "本語*"]);
        assert_eq!(shown("語。"), ["語*"]);
        assert_eq!(shown("no no No no "), ["no"]);
        assert_eq!(shown("語語語 語"), ["語語", "語*"]);
        assert_eq!(shown("❤️"), ["❤"]);
        assert_eq!(shown("cafe\u{301}"), ["cafe*"]);
        assert!(shown("!?").is_empty());
    }

    #[test]
    fn texts_that_fit() {
        for (text, wanted, is_found) in [
            ("The quick brown fox", "quick fo", true),
            ("The quick brown fox", "fo quick", false),
            ("The quick brown fox", "slow", false),
            ("Donaudampf\u{AD}schifffahrt", "Donaudampfschifffahrt", true),
            (
                "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
                "\u{645}\u{6CC}\u{62E}\u{648}\u{627}\u{647}\u{645}",
                true,
            ),
            ("The quick brown fox", "", false),
            ("The quick brown fox", "?", false),
            ("今日は良い天気です", "天気", true),
            ("今日は良い天気です", "気天", false),
            ("今日は良い天気です", "す", true),
            ("สวัสดีครับ", "ดีครับ", true),
            ("Crème brûlée", "CREME BRULEE", true),
            ("see you 👋🏿", "👋", true),
            ("see you 👋", "👍", false),
        ] {
            assert_eq!(fits(&sought(wanted), text), is_found, "{wanted} in {text}");
        }
    }

    #[test]
    fn there_is_an_end_to_it() {
        assert_eq!(words(&"a ".repeat(10_000)).len(), WORDS_MAX);
        assert_eq!(words(&"語".repeat(10_000)).len(), WORDS_MAX);
        assert_eq!(words(&"x".repeat(10_000)), ["x".repeat(WORD_CHARS_MAX)]);
        assert_eq!(words(&"👍".repeat(10_000)).len(), WORDS_MAX);
        assert_eq!(
            words(&format!("ก{}", "\u{E31}".repeat(10_000))),
            [format!("ก{}", "\u{E31}".repeat(LETTER_CHARS_MAX - 1))]
        );
        let many: String = (0..10_000).map(|n| format!("{n} ")).collect();
        assert_eq!(sought(&many).len(), WORDS_MAX);
    }

    proptest! {
        #[test]
        fn ascii_is_as_everything_is(text in "([aB1 .-]{0,50}|[é\u{301}語ßก\u{E31}👍ＡÅ]{1,2}|\\PC){0,8}") {
            let mut runs = Runs::default();
            runs.take_other(&text);
            runs.end_letters();
            runs.end_word();
            prop_assert_eq!(runs.done, super::runs(&text));
        }
    }
}
