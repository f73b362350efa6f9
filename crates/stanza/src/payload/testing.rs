//! The property test that each payload type gets from its macro.

use std::fmt::Debug;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use waxwing_wire::{Element, Limits, Node, Stanza, ns};

use super::{Payload, PayloadError, Secret};
use crate::{BareJid, FullJid, Jid};

/// Bytes that samples are made from: chosen, and made smaller after a failure, by proptest. When they
/// are used up, there are zeros, of which all samples make the smallest value.
pub(crate) struct Source<'a>(&'a [u8]);

impl Source<'_> {
    /// A number below `end`, which is above zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let mut number = 0;
        for _ in 0..if end > 256 { 4 } else { 1 } {
            number = number << 8 | usize::from(self.byte());
        }
        number % end
    }

    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }
}

/// A type of which there are samples.
pub(crate) trait Sample: Sized {
    /// Makes a value.
    fn sample(source: &mut Source<'_>) -> Self;
}

/// Characters with a meaning in XML, to whitespace rules, or of several bytes.
const CHARACTERS: [char; 16] = [
    'a',
    'Z',
    '0',
    ' ',
    '<',
    '&',
    '>',
    '"',
    '\'',
    '\n',
    '\t',
    '\r',
    ']',
    '\u{E9}',
    '\u{4E2D}',
    '\u{1F98A}',
];

impl Sample for String {
    fn sample(source: &mut Source<'_>) -> String {
        (0..source.below(6))
            .map(|_| CHARACTERS[source.below(CHARACTERS.len())])
            .collect()
    }
}

impl Sample for Secret {
    fn sample(source: &mut Source<'_>) -> Secret {
        Secret(String::sample(source))
    }
}

impl Sample for bool {
    fn sample(source: &mut Source<'_>) -> bool {
        source.below(2) == 1
    }
}

macro_rules! numbers {
    ($($name:ident)+) => {$(
        impl Sample for $name {
            fn sample(source: &mut Source<'_>) -> $name {
                $name::from_le_bytes(std::array::from_fn(|_| source.byte()))
            }
        }
    )+};
}

numbers!(i8 u8 u16 u32 u64 i64);

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source<'_>) -> Option<T> {
        (source.below(2) == 1).then(|| T::sample(source))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(source: &mut Source<'_>) -> Vec<T> {
        (0..source.below(4)).map(|_| T::sample(source)).collect()
    }
}

const ADDRESSES: [&str; 4] = [
    "example.org/a b",
    "a@b/c",
    "\u{E9}@xn--9s9h.example/\u{1F98A}",
    "a'b@c/<&",
];

impl Sample for Jid {
    fn sample(source: &mut Source<'_>) -> Jid {
        let full = FullJid::sample(source);
        if source.below(2) == 1 {
            full.bare().into()
        } else {
            full.into()
        }
    }
}

impl Sample for BareJid {
    fn sample(source: &mut Source<'_>) -> BareJid {
        FullJid::sample(source).bare()
    }
}

impl Sample for FullJid {
    fn sample(source: &mut Source<'_>) -> FullJid {
        let text = ADDRESSES[source.below(ADDRESSES.len())].replace("a'b", "ab");
        FullJid::new(&text).unwrap()
    }
}

/// Looks like a stanza, so that it fits where a type holds one.
impl Sample for Element {
    fn sample(source: &mut Source<'_>) -> Element {
        let ns = [ns::CLIENT, ns::SERVER][source.below(2)];
        let mut element = Element::new(ns, ["message", "iq"][source.below(2)]);
        element.push_text(&String::sample(source));
        if source.below(2) == 1 {
            element.set_attr("c", String::sample(source));
        }
        if source.below(3) == 2 {
            element.push(Element::sample(source));
        }
        element
    }
}

/// Reads an example.
pub(crate) fn read<T: Payload>(xml: &str) -> Result<T, PayloadError> {
    T::read(&Element::parse(xml).unwrap())
}

/// Reads an example that is written as we would write it: `T` writes the same again.
pub(crate) fn written<T: Payload + Debug>(xml: &str) -> T {
    let element = Element::parse(xml).unwrap();
    let value = T::read(&element).unwrap();
    assert_eq!(value.write(), element, "{value:?}");
    value
}

/// Parses an example stanza of a client's stream.
pub(crate) fn stanza(xml: &str) -> Stanza {
    Stanza::parse(
        Bytes::copy_from_slice(xml.as_bytes()),
        ns::CLIENT,
        &Limits::CLIENT,
    )
    .unwrap()
}

/// Checks that values of `T` are read back as they were written, and that reading damaged ones gives an
/// error or a value that itself is read back.
pub(crate) fn check<T: Payload + Sample + PartialEq + Debug>() {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..160);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(200)
    });
    let outcome = runner.run(&(bytes(), bytes()), |(value, damage)| {
        let value = T::sample(&mut Source(&value));
        read_back(&value)?;
        let mut element = value.write();
        damage_element(&mut element, &mut Source(&damage));
        if let Ok(other) = T::read(&element) {
            read_back(&other)?;
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn read_back<T: Payload + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let element = value.write();
    let read = T::read(&element);
    prop_assert_eq!(read.as_ref(), Ok(value));
    let bytes = element.to_bytes("jabber:client");
    let wrapped = [b"<x xmlns='jabber:client'>", &bytes[..], b"</x>"].concat();
    let parsed =
        Element::parse(&wrapped).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let parsed = parsed.children().next().map(T::read);
    prop_assert_eq!(parsed.as_ref().map(Result::as_ref), Some(Ok(value)));
    Ok(())
}

/// Changes some attributes, texts and children, on all levels.
fn damage_element(root: &mut Element, source: &mut Source<'_>) {
    for _ in 0..=source.below(3) {
        let mut element = &mut *root;
        while source.below(2) == 1 && element.children().next().is_some() {
            let index = source.below(element.children().count());
            element = element.children_mut().nth(index).unwrap();
        }
        let attributes: Vec<String> = element
            .attributes()
            .map(|attribute| attribute.name.to_string())
            .collect();
        match source.below(6) {
            0 | 1 if !attributes.is_empty() => {
                let name = &attributes[source.below(attributes.len())];
                match source.below(3) {
                    0 => drop(element.remove_attr(name)),
                    1 => element.set_attr(name.clone(), String::sample(source)),
                    _ => element.set_attr(name.clone(), ""),
                }
            }
            2 => element.push(Element::sample(source)),
            3 => element.push_text(&String::sample(source)),
            4 => element.retain(|_| source.below(2) == 1),
            _ => {
                let twin = element.children().next().cloned();
                element.retain(|node| matches!(node, Node::Element(_)));
                twin.into_iter().for_each(|twin| element.push(twin));
            }
        }
    }
}
