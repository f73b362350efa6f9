/// A configuration file.
///
/// What is said of one that cannot be used names a line that it has, or a key that it has not, and is
/// short enough to be read. Says whether it can be used.
///
/// # Panics
/// It is not so.
pub fn configuration(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Err(said) = waxwing_daemon::read_configuration(text) else {
        return true;
    };
    let line = said
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "));
    match line {
        Some((line, words)) => {
            let line: usize = line.parse().unwrap_or_default();
            let lines = text.matches('\n').count() + 1;
            assert!((1..=lines).contains(&line), "of {lines} lines: {said}");
            assert!(!words.is_empty(), "{said}");
        }
        None => assert!(said.ends_with("is missing"), "{said}"),
    }
    assert!(said.len() <= SAID_BYTES_MAX, "{said}");
    false
}

/// A value and its key may be told twice; neither is longer than 4,096 bytes.
const SAID_BYTES_MAX: usize = 20_000;
