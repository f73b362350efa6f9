//! What was probably meant.

/// Least letters of a word that may be the beginning of another.
const BEGINNING_CHARS_MIN: usize = 3;

/// The known word that is most like `word`, if any is near; otherwise the first that begins so.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known
        .iter()
        .map(|&candidate| (distance(word, candidate), candidate))
        .min()?;
    let chars = word.chars().count();
    if best.0 <= 1 + chars / 3 {
        return Some(best.1);
    }
    let begins = |candidate: &&&str| chars >= BEGINNING_CHARS_MIN && candidate.starts_with(word);
    known.iter().find(begins).copied()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
