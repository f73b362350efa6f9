//! Just enough of Rust's lexical structure to look for words in code without being fooled by
//! comments, strings and tests.

use std::ops::RangeInclusive;

/// One Rust file, split.
pub(crate) struct Source {
    /// The text with comments and the insides of literals blanked; lines stay where they are.
    pub(crate) code: String,
    /// What string literals contain, with the line that each begins on (from 1).
    pub(crate) strings: Vec<(usize, String)>,
    tests: Vec<RangeInclusive<usize>>,
}

impl Source {
    pub(crate) fn of(text: &str) -> Source {
        let mut scan = Scan {
            text,
            code: Vec::with_capacity(text.len()),
            strings: Vec::new(),
        };
        scan.run();
        let code = String::from_utf8_lossy(&scan.code).into_owned();
        let tests = test_lines(&code);
        Source {
            code,
            strings: scan.strings,
            tests,
        }
    }

    /// Lines of code that are no `#[cfg(test)]` item, with their numbers.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self
            .code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        numbered.filter(|(number, _)| !self.is_test(*number))
    }

    /// What product code imports: every path that its `use` declarations name, without aliases, with
    /// the line on which the declaration begins. A glob ends in `*`.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("use ") {
            if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let line = self.code[..at].matches('\n').count() + 1;
            let rest = &self.code[at + "use ".len()..];
            let tree = &rest[..rest.find(';').unwrap_or(rest.len())];
            if !self.is_test(line) {
                let mut paths = Vec::new();
                expand("", tree, &mut paths);
                found.extend(paths.into_iter().map(|path| (line, path)));
            }
        }
        found
    }

    /// Whether the line belongs to a `#[cfg(test)]` item.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }
}

/// Whether `word` stands in `line` as a whole identifier or path, not as a part of a longer one.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open_end = word.ends_with(':') || word.ends_with('(') || word.ends_with('!');
        !before.is_some_and(part) && (open_end || !after.is_some_and(part))
    })
}

/// The paths of a use tree below `prefix`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let mut depth = 0_usize;
    let items = tree.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for item in items.map(str::trim).filter(|item| !item.is_empty()) {
        if let Some((head, inside)) = item.split_once('{') {
            let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
            expand(&format!("{prefix}{}", head.trim()), inside, paths);
            continue;
        }
        let path = item.split(" as ").next().unwrap_or(item).trim();
        let path = format!("{prefix}{path}");
        let path = path.strip_suffix("::self").unwrap_or(&path);
        paths.push(path.trim_start_matches("::").to_owned());
    }
}

struct Scan<'t> {
    text: &'t str,
    code: Vec<u8>,
    strings: Vec<(usize, String)>,
}

impl Scan<'_> {
    fn run(&mut self) {
        while self.code.len() < self.text.len() {
            let rest = &self.text[self.code.len()..];
            if rest.starts_with("//") {
                self.blank(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.blank(block_comment(rest));
            } else if let Some((open, hashes)) = raw_string(rest) {
                self.raw(open, hashes);
            } else if rest.starts_with('"') {
                self.string();
            } else if rest.starts_with('\'') {
                self.quote();
            } else {
                self.token();
            }
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.code.len()..]
    }

    fn line(&self) -> usize {
        self.code.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn blank(&mut self, length: usize) {
        let at = self.code.len();
        let blanks = self.text.as_bytes()[at..at + length].iter();
        self.code
            .extend(blanks.map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
    }

    fn keep(&mut self, length: usize) {
        let at = self.code.len();
        self.code
            .extend_from_slice(&self.text.as_bytes()[at..at + length]);
    }

    /// An identifier whole, or one character.
    fn token(&mut self) {
        let rest = self.rest();
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = if word > 0 {
            word
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        // `b"…"` and `c"…"`: the prefix is kept, the string comes next.
        self.keep(length);
    }

    fn string(&mut self) {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest[1..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let inside = end.unwrap_or(rest.len() - 1);
        let content = rest[1..=inside].to_owned();
        self.strings.push((self.line(), content));
        self.keep(1);
        self.blank(inside);
        if end.is_some() {
            self.keep(1);
        }
    }

    fn raw(&mut self, open: usize, hashes: usize) {
        let close = format!("\"{}", "#".repeat(hashes));
        let rest = &self.rest()[open..];
        let inside = rest.find(&close).unwrap_or(rest.len());
        let content = rest[..inside].to_owned();
        let closing = if inside == rest.len() { 0 } else { close.len() };
        self.strings.push((self.line(), content));
        self.keep(open);
        self.blank(inside);
        self.keep(closing);
    }

    /// A character literal is blanked; a lifetime is kept.
    fn quote(&mut self) {
        let mut chars = self.rest().char_indices().skip(1);
        let first = chars.next();
        let literal = match first {
            Some((_, '\\')) => {
                let escaped = chars.next();
                escaped
                    .and_then(|_| chars.find(|(_, c)| *c == '\''))
                    .map(|(at, _)| at + 1)
            }
            Some(_) => chars
                .next()
                .filter(|(_, c)| *c == '\'')
                .map(|(at, _)| at + 1),
            None => None,
        };
        match literal {
            Some(length) => self.blank(length),
            None => self.keep(1),
        }
    }
}

/// Length of the (nested) comment that `rest` opens with.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Length of the opening of a raw string that `rest` begins with, and its number of hashes.
fn raw_string(rest: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr"]
        .iter()
        .find(|p| rest.starts_with(**p))?
        .len();
    let hashes = rest[prefix..]
        .bytes()
        .take_while(|byte| *byte == b'#')
        .count();
    rest[prefix + hashes..]
        .starts_with('"')
        .then_some((prefix + hashes + 1, hashes))
}

fn test_lines(code: &str) -> Vec<RangeInclusive<usize>> {
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let mut found: Vec<RangeInclusive<usize>> = Vec::new();
    let mut from = 0;
    while let Some(start) = code[from..].find("#[cfg(test)]").map(|at| from + at) {
        let end = item_end(code, start + "#[cfg(test)]".len());
        found.push(line_of(start)..=line_of(end));
        from = end;
    }
    found
}

/// Where the item ends that begins at `from`: after its block, or at its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let source = Source::of(
            "let a = \"tokio \\\" x\"; // tokio\n/* tokio /* nested */ tokio */ let c = '\"';\nlet r = r#\"tokio \" y\"#; let b: &'static str = b\"tokio\";\n",
        );
        assert!(!source.code.contains("tokio"), "{}", source.code);
        assert!(source.code.contains("&'static str"), "{}", source.code);
        assert_eq!(source.code.lines().count(), 3);
        let strings: Vec<_> = source
            .strings
            .iter()
            .map(|(n, s)| (*n, s.as_str()))
            .collect();
        assert_eq!(
            strings,
            [(1, "tokio \\\" x"), (3, "tokio \" y"), (3, "tokio")]
        );
    }

    #[test]
    fn unfinished_literals_end_with_the_text() {
        for text in ["\"abc", "r#\"abc\"", "/* abc", "'", "'\\", "'\\'", "\"\\"] {
            assert_eq!(Source::of(text).code.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn test_modules_are_no_product() {
        let source =
            Source::of("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        let lines: Vec<_> = source.product_lines().map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 6]);
    }

    #[test]
    fn imports_are_found_in_every_form() {
        let source = Source::of(
            "use std::time::Instant as I;\npub(crate) use std::{\n    fs,\n    io::{self, Read as _},\n    net::*,\n};\n\
             fn f<'a>() -> impl Sized + use<'a> {}\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n",
        );
        let expected = [
            (1, "std::time::Instant"),
            (2, "std::fs"),
            (2, "std::io"),
            (2, "std::io::Read"),
            (2, "std::net::*"),
        ];
        let expected = expected.map(|(line, path)| (line, path.to_owned()));
        assert_eq!(source.imports(), expected);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use tokio::net;", "tokio"));
        assert!(has_word("std::thread::spawn(", "std::thread"));
        assert!(!has_word("let tokio_like = 1;", "tokio"));
        assert!(!has_word("my_env::var()", "env::"));
        assert!(has_word("env::var()", "env::"));
    }
}
