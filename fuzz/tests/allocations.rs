//! Memory is bounded by the named limits, whatever is sent.

#![allow(clippy::print_stdout, reason = "this is a test and says its figures")]

use proptest::prelude::*;
use waxwing_counting::{Counting, peak_of};
use waxwing_fuzz::corpus;
use waxwing_fuzz::mutate::Population;
use waxwing_wire::{Event, Limits, Reader, Stanza};

#[global_allocator]
static COUNTING: Counting = Counting;

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Bytes that come at one time.
const PIECE: usize = 4096;

/// The most that a reader and a stanza just made by it may hold. The buffer grows by doubling, old
/// and new exist together for a moment, and the stanza gets a copy: five times the bytes. A child of
/// the stanza has a record of 40 bytes, in a list that also grows by doubling; it takes four bytes
/// at least. The header is kept in parts, each of which has an owner of its own.
fn reader_bytes_max(limits: &Limits) -> usize {
    let children = (limits.elements_max as usize).min(limits.stanza_bytes_max / 4);
    5 * (limits.stanza_bytes_max + PIECE) + 3 * 40 * children + 16 * limits.header_bytes_max + 4096
}

/// The most that the tree of a stanza may hold, for each byte of it: an attribute of six bytes is a
/// record of 72, in a list that grows by doubling, and two texts.
const TREE_BYTES_PER_BYTE: usize = 48;

/// Reads to the end and says the peaks: of the reader, and, if there was a stanza, of a tree by each
/// byte of the last.
fn peaks(limits: Limits, bytes: &[u8]) -> (usize, Option<usize>) {
    let (stanza, reader) = peak_of(|| {
        let mut reader = Reader::new(limits);
        let mut last: Option<Stanza> = None;
        for piece in bytes.chunks(PIECE) {
            reader.push(piece);
            while let Ok(Some(event)) = reader.next() {
                if let Event::Stanza(stanza) = event {
                    last = Some(stanza);
                }
            }
        }
        last
    });
    let tree = stanza.map(|stanza| {
        let ((), tree) = peak_of(|| drop(stanza.element()));
        // Small ones cost what the first allocations of each kind do.
        tree.saturating_sub(4096) / stanza.bytes().len()
    });
    (reader, tree)
}

/// Says whether there was a stanza.
fn assert_bounded(limits: Limits, name: &str, bytes: &[u8]) -> bool {
    let (reader, tree) = peaks(limits, bytes);
    let max = reader_bytes_max(&limits);
    assert!(reader <= max, "{name}: {reader} bytes, not {max}");
    assert!(
        tree.is_none_or(|tree| tree <= TREE_BYTES_PER_BYTE),
        "{name}: {tree:?} times its bytes"
    );
    tree.is_some()
}

/// What someone sends who wants the most for every byte; `size` bytes of it.
fn greedy(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let fill = |before: &str, unit: &str, after: &str| {
        let count = size.saturating_sub(before.len() + after.len()) / unit.len();
        format!("{before}{}{after}", unit.repeat(count)).into_bytes()
    };
    let attributes: String = (0..60)
        .map(|n| format!(" {}{n}=''", (b'a' + (n % 26)) as char))
        .collect();
    let prefixes: String = (0..60).map(|n| format!(" xmlns:p{n}='&amp;'")).collect();
    vec![
        ("text", fill("<a>", "x", "</a>")),
        ("never ends", fill("<a>", "x", "")),
        ("children", fill("<a>", "<b/>", "</a>")),
        (
            "children with namespaces",
            fill("<a>", "<b xmlns='&amp;'/>", "</a>"),
        ),
        (
            "attributes",
            fill("<a>", &format!("<b{attributes}/>"), "</a>"),
        ),
        ("prefixes", fill("<a>", &format!("<b{prefixes}/>"), "</a>")),
        ("too many attributes", fill("<a", " a=''", "/>")),
        ("too many prefixes", fill("<a", " xmlns:a='n'", "/>")),
        ("depth", fill("", "<a>", "")),
        ("depth with prefixes", fill("", "<a xmlns:b='n'>", "")),
        ("references", fill("<a>", "&#65;", "</a>")),
        ("an attribute", fill("<a b='", "x", "'/>")),
        ("a name", fill("<a", "a", "/>")),
        ("whitespace", fill("", " ", "")),
        ("text in parts", fill("<a>", "x<![CDATA[y]]>", "</a>")),
        ("an end tag", fill("</", "x", "")),
        ("a CDATA section", fill("<a><![CDATA[", "]", "")),
    ]
}

#[test]
fn greedy_input_stays_within_limits() {
    let small = Limits {
        stanza_bytes_max: 16 * 1024,
        ..Limits::SERVER
    };
    for limits in [Limits::BEFORE_LOGIN, Limits::CLIENT, small] {
        let most = limits
            .stanza_bytes_max
            .min(4 * limits.elements_max as usize);
        for size in [most, limits.stanza_bytes_max, 4 * limits.stanza_bytes_max] {
            for (name, stanza) in greedy(size) {
                let bytes = [HEADER, &stanza].concat();
                assert_bounded(limits, name, &bytes);
                println!(
                    "{:>8} of {name:<26} {:?}",
                    bytes.len(),
                    peaks(limits, &bytes)
                );
            }
            let attributes = " a=''".repeat(size / 5);
            assert_bounded(
                limits,
                "a header",
                format!("<stream:stream{attributes}>").as_bytes(),
            );
        }
    }
}

#[test]
fn an_idle_stream_holds_no_buffer() {
    let mut reader = Reader::new(Limits::CLIENT);
    reader.push(HEADER);
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    let stanza = format!("<message><body>{}</body></message> ", "x".repeat(100_000));
    let (held, _) = peak_of(|| {
        for piece in stanza.as_bytes().chunks(PIECE) {
            reader.push(piece);
            while let Ok(Some(_)) = reader.next() {}
        }
        // A new piece of this size would be seen as a peak if the old buffer were still there.
        peak_of(|| reader.push(b" ")).1
    });
    assert_eq!(reader.next(), Ok(Some(Event::Whitespace)));
    assert!(held < 64, "{held} bytes for one");
    let ((), whole) = peak_of(|| {
        let mut reader = Reader::new(Limits::CLIENT);
        reader.push(HEADER);
        while let Ok(Some(_)) = reader.next() {}
        let idle = peak_of(|| drop(reader)).1;
        assert_eq!(idle, 0);
    });
    assert!(whole < 2048, "{whole} bytes to begin a stream");
}

#[test]
fn mutated_input_stays_within_limits() {
    let limits = Limits {
        stanza_bytes_max: 700,
        elements_max: 40,
        header_bytes_max: 300,
        ..Limits::SERVER
    };
    let seeds = corpus::load("wire_stream").expect("a corpus");
    let seeds = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    let mut population = Population::new(4, seeds);
    for _ in 0..50_000 {
        let input = population.mutated();
        if assert_bounded(limits, "mutated", &input) {
            population.keep(input);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_stay_within_limits(
        words in prop::collection::vec("(<|</|/>|>| |'|\"|&|;|\\]\\]>|<!\\[CDATA\\[| xmlns(:[ab])?='c'| [ab](:[ab])?='|<[ab](:a)?|[ab]|\\PC){1,4}", 0..200),
    ) {
        let limits = Limits { stanza_bytes_max: 500, elements_max: 20, ..Limits::SERVER };
        assert_bounded(limits, "any", &[HEADER, words.concat().as_bytes()].concat());
    }
}
