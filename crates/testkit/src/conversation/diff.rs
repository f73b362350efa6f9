//! What was expected and what came, line by line.

use waxwing_wire::{Element, Node, ns};

use super::matching::{has_more, spelled, value};
use super::xml::{Bindings, MORE};

/// Both, one tag a line: `-` was expected, `+` came.
pub(super) fn of_elements(pattern: &Element, came: &Element, bindings: &Bindings) -> String {
    let wanted = lines(&filled(pattern, came, bindings));
    let found = lines(came);
    let mut out = String::new();
    for (mark, line) in diff(&wanted, &found) {
        out.push_str("  ");
        out.push(mark);
        out.push(' ');
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// An element, one tag a line.
pub(super) fn shown(element: &Element) -> String {
    lines(element)
        .iter()
        .map(|line| format!("  + {line}\n"))
        .collect()
}

/// The pattern, with what came wherever that fits: holes are no differences.
fn filled(pattern: &Element, came: &Element, bindings: &Bindings) -> Element {
    let mut out = Element::new(pattern.ns().to_owned(), pattern.name().to_owned());
    let fit = |wanted: &str, found: Option<&str>| match found {
        Some(found) if value(wanted, found, &mut bindings.clone()) => found.to_owned(),
        _ => spelled(wanted, bindings),
    };
    let open = pattern.attributes().any(|wanted| wanted.name == *MORE);
    for found in came.attributes().filter(|_| open) {
        out.set_attr_ns(found.ns.clone(), found.name.clone(), found.value.clone());
    }
    let is_shown = |name: &str| name != MORE || came.name().is_empty();
    for wanted in pattern.attributes().filter(|wanted| is_shown(&wanted.name)) {
        let found = came
            .attributes()
            .find(|found| found.ns == wanted.ns && found.name == wanted.name)
            .map(|found| found.value.as_str());
        out.set_attr_ns(
            wanted.ns.clone(),
            wanted.name.clone(),
            fit(&wanted.value, found),
        );
    }
    let mut left: Vec<&Element> = came.children().collect();
    for node in pattern.nodes() {
        match node {
            Node::Text(text) => out.push_text(&fit(text, Some(&came.text()))),
            Node::Element(child) => {
                let at = left
                    .iter()
                    .position(|found| found.name() == child.name() && found.ns() == child.ns());
                let counterpart = at.map(|at| left.remove(at));
                let empty = Element::default();
                out.push(filled(child, counterpart.unwrap_or(&empty), bindings));
            }
        }
    }
    out
}

fn lines(element: &Element) -> Vec<String> {
    let mut lines = Vec::new();
    write(element, ns::CLIENT, 0, &mut lines);
    lines
}

fn write(element: &Element, parent_ns: &str, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let mut tag = format!("{indent}<{}", element.name());
    if element.ns() != parent_ns {
        tag.push_str(&format!(" xmlns='{}'", element.ns()));
    }
    let mut attributes: Vec<_> = element.attributes().collect();
    attributes.sort_by_key(|attribute| attribute.name.to_string());
    for attribute in attributes {
        if attribute.name == *MORE {
            tag.push_str(" …");
        } else {
            tag.push_str(&format!(" {}='{}'", &*attribute.name, attribute.value));
        }
    }
    let text = element.text();
    let text = text.trim();
    if element.children().next().is_none() {
        if text.is_empty() {
            lines.push(format!("{tag}/>"));
        } else {
            lines.push(format!("{tag}>{text}</{}>", element.name()));
        }
        return;
    }
    lines.push(format!("{tag}>"));
    if !text.is_empty() && !has_more(element) {
        lines.push(format!("{indent}  {text}"));
    }
    for child in element.children() {
        write(child, element.ns(), depth + 1, lines);
    }
    if has_more(element) {
        lines.push(format!("{indent}  …"));
    }
    lines.push(format!("{indent}</{}>", element.name()));
}

/// The longest common lines unmarked, those of one side only marked.
fn diff<'a>(wanted: &'a [String], found: &'a [String]) -> Vec<(char, &'a str)> {
    let columns = found.len() + 1;
    let mut common = vec![0_usize; (wanted.len() + 1) * columns];
    let at = |row: usize, column: usize| row * columns + column;
    for row in (0..wanted.len()).rev() {
        for column in (0..found.len()).rev() {
            common[at(row, column)] = if wanted[row] == found[column] {
                common[at(row + 1, column + 1)] + 1
            } else {
                common[at(row + 1, column)].max(common[at(row, column + 1)])
            };
        }
    }
    let (mut row, mut column, mut out) = (0, 0, Vec::new());
    while row < wanted.len() || column < found.len() {
        let (has_wanted, has_found) = (row < wanted.len(), column < found.len());
        if has_wanted && has_found && wanted[row] == found[column] {
            out.push((' ', wanted[row].as_str()));
            row += 1;
            column += 1;
        } else if has_wanted
            && (!has_found || common[at(row + 1, column)] >= common[at(row, column + 1)])
        {
            out.push(('-', wanted[row].as_str()));
            row += 1;
        } else {
            out.push(('+', found[column].as_str()));
            column += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        let pattern = Element::parse("<a id='{id}'><b>1</b><c/></a>").unwrap();
        let came = Element::parse("<a id='x'><b>2</b><c/></a>").unwrap();
        let shown = of_elements(&pattern, &came, &Bindings::new());
        assert!(shown.contains("    <a xmlns='' id='x'>\n"), "{shown}");
        assert!(shown.contains("  -   <b>1</b>\n"), "{shown}");
        assert!(shown.contains("  +   <b>2</b>\n"), "{shown}");
        assert!(shown.contains("      <c/>\n"), "{shown}");
    }
}
