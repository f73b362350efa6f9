//! Our tree in the oracles' terms.

use waxwing_oracle::Token;
use waxwing_wire::{Element, Node};

pub(crate) fn tokens(element: &Element) -> Vec<Token> {
    let mut tokens = vec![start(element)];
    let mut open = vec![element.nodes().iter()];
    while let Some(nodes) = open.last_mut() {
        match nodes.next() {
            Some(Node::Element(child)) => {
                tokens.push(start(child));
                open.push(child.nodes().iter());
            }
            Some(Node::Text(text)) => tokens.push(Token::Text(text.clone())),
            None => {
                open.pop();
                tokens.push(Token::End);
            }
        }
    }
    tokens
}

fn start(element: &Element) -> Token {
    let mut attributes: Vec<_> = element
        .attributes()
        .map(|attribute| {
            (
                (attribute.ns.to_string(), attribute.name.to_string()),
                attribute.value.clone(),
            )
        })
        .collect();
    attributes.sort();
    Token::Start(
        (element.ns().to_owned(), element.name().to_owned()),
        attributes,
    )
}
