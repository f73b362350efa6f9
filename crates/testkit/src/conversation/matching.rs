//! Whether what came is what was expected.

use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_wire::{Element, Header, Name, Node};

use super::xml::{Bindings, Kind, MORE, Piece, pieces};

/// Compares an element; names that it meets for the first time are bound.
///
/// # Errors
/// The first difference: where, and what.
pub(super) fn element(
    pattern: &Element,
    came: &Element,
    any_order: bool,
    bindings: &mut Bindings,
) -> Result<(), String> {
    let mut tried = bindings.clone();
    compare(pattern, came, any_order, &mut tried, "")?;
    *bindings = tried;
    Ok(())
}

fn compare(
    pattern: &Element,
    came: &Element,
    any_order: bool,
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    if pattern.name() != came.name() || pattern.ns() != came.ns() {
        return Err(format!(
            "{path}{} came, not {}",
            shown(came),
            shown(pattern)
        ));
    }
    let path = format!("{path}<{}>", came.name());
    attributes(pattern, came, bindings, &path)?;
    text(pattern, came, bindings, &path)?;
    let children: Vec<&Element> = came.children().collect();
    if any_order {
        unordered(pattern, children, bindings, &path)
    } else if has_more(pattern) {
        among(pattern, &children, bindings, &path)
    } else {
        ordered(pattern, &children, bindings, &path)
    }
}

fn shown(element: &Element) -> String {
    format!("<{} xmlns='{}'>", element.name(), element.ns())
}

fn attributes(
    pattern: &Element,
    came: &Element,
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    let same = |ns: &Name, name: &Name| {
        let (ns, name) = (ns.clone(), name.clone());
        came.attributes()
            .find(move |attribute| attribute.ns == ns && attribute.name == name)
    };
    let mut open = false;
    for wanted in pattern.attributes() {
        let name = &wanted.name;
        if *name == *MORE {
            open = true;
            continue;
        }
        let Some(found) = same(&wanted.ns, name) else {
            return Err(format!("{path} lacks the attribute {}", &**name));
        };
        if !value(&wanted.value, &found.value, bindings) {
            let (wanted, found) = (spelled(&wanted.value, bindings), &found.value);
            return Err(format!("{path} has {}='{found}', not '{wanted}'", &**name));
        }
    }
    let extra = came.attributes().find(|attribute| {
        let known = |wanted: &waxwing_wire::Attribute| {
            wanted.ns == attribute.ns && wanted.name == attribute.name
        };
        !pattern.attributes().any(known)
    });
    match extra {
        Some(extra) if !open => Err(format!(
            "{path} has the attribute {}='{}' too",
            &*extra.name, extra.value
        )),
        _ => Ok(()),
    }
}

/// Whether `…` among the children says that more may stand there.
pub(super) fn has_more(pattern: &Element) -> bool {
    pattern
        .nodes()
        .iter()
        .any(|node| matches!(node, Node::Text(text) if is_dots(text)))
}

fn is_dots(text: &str) -> bool {
    matches!(text.trim(), "…" | "...")
}

fn text(
    pattern: &Element,
    came: &Element,
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    if has_more(pattern) {
        return Ok(());
    }
    let (mut wanted, mut found) = (pattern.text(), came.text());
    // Between elements whitespace is the writer's.
    if pattern.children().next().is_some() || came.children().next().is_some() {
        wanted = wanted.trim().to_owned();
        found = found.trim().to_owned();
    }
    if value(&wanted, &found, bindings) {
        return Ok(());
    }
    let wanted = spelled(&wanted, bindings);
    Err(format!("{path} holds the text '{found}', not '{wanted}'"))
}

fn ordered(
    pattern: &Element,
    came: &[&Element],
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    let wanted: Vec<&Element> = pattern.children().collect();
    for (one, other) in wanted.iter().zip(came) {
        compare(one, other, false, bindings, path)?;
    }
    if let Some(missing) = wanted.get(came.len()) {
        return Err(format!("{path} lacks {}", shown(missing)));
    }
    match came.get(wanted.len()) {
        Some(extra) => Err(format!("{path} has {} too", shown(extra))),
        None => Ok(()),
    }
}

/// The wanted ones in their order, others between them.
fn among(
    pattern: &Element,
    came: &[&Element],
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    let mut left = came.iter();
    for wanted in pattern.children() {
        if !left.any(|child| element(wanted, child, false, bindings).is_ok()) {
            return Err(lack(wanted, came, false, bindings, path));
        }
    }
    Ok(())
}

fn unordered(
    pattern: &Element,
    mut left: Vec<&Element>,
    bindings: &mut Bindings,
    path: &str,
) -> Result<(), String> {
    for wanted in pattern.children() {
        let at = left
            .iter()
            .position(|child| element(wanted, child, true, bindings).is_ok());
        match at {
            Some(at) => drop(left.remove(at)),
            None => return Err(lack(wanted, &left, true, bindings, path)),
        }
    }
    match left.first() {
        Some(extra) if !has_more(pattern) => Err(format!("{path} has {} too", shown(extra))),
        _ => Ok(()),
    }
}

/// What is wrong where none of those that came is the wanted one: what differs in the one that has its
/// name, if only one has.
fn lack(
    wanted: &Element,
    came: &[&Element],
    any_order: bool,
    bindings: &Bindings,
    path: &str,
) -> String {
    let mut alike = came
        .iter()
        .filter(|child| child.is(wanted.ns(), wanted.name()));
    if let (Some(only), None) = (alike.next(), alike.next())
        && let Err(what) = compare(wanted, only, any_order, &mut bindings.clone(), path)
    {
        return what;
    }
    format!("{path} lacks {} as written", shown(wanted))
}

/// Compares a stream header.
pub(super) fn header(
    pattern: &Header,
    open: bool,
    came: &Header,
    bindings: &mut Bindings,
) -> Result<(), String> {
    let mut tried = bindings.clone();
    let default_ns = |header: &Header| Some(header.default_ns.to_string());
    let pairs = [
        ("to", pattern.to.clone(), came.to.clone()),
        ("from", pattern.from.clone(), came.from.clone()),
        ("id", pattern.id.clone(), came.id.clone()),
        ("version", pattern.version.clone(), came.version.clone()),
        ("xml:lang", pattern.lang.clone(), came.lang.clone()),
        ("xmlns", default_ns(pattern), default_ns(came)),
    ];
    for (name, wanted, found) in pairs {
        let fits = match (&wanted, &found) {
            (Some(wanted), Some(found)) => value(wanted, found, &mut tried),
            (None, Some(_)) => open,
            (wanted, None) => wanted.is_none(),
        };
        if !fits {
            return Err(format!(
                "the stream header has {name} {found:?}, not {wanted:?}"
            ));
        }
    }
    *bindings = tried;
    Ok(())
}

/// Compares a value; what cannot be read as a pattern matches nothing.
pub(super) fn value(pattern: &str, came: &str, bindings: &mut Bindings) -> bool {
    let Ok(pieces) = pieces(pattern) else {
        return false;
    };
    let mut tried = bindings.clone();
    let fits = fit(&pieces, came, &mut tried);
    if fits {
        *bindings = tried;
    }
    fits
}

fn fit(pieces: &[Piece], came: &str, bindings: &mut Bindings) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return came.is_empty();
    };
    let hole = match first {
        Piece::Text(text) => {
            return came
                .strip_prefix(text.as_str())
                .is_some_and(|came| fit(rest, came, bindings));
        }
        Piece::Hole(hole) => hole,
    };
    if let Some(bound) = hole.name.as_ref().and_then(|name| bindings.get(name)) {
        let after = came.strip_prefix(bound.as_str()).map(str::to_owned);
        return after.is_some_and(|came| fit(rest, &came, bindings));
    }
    // A hole is never empty, and takes no more than it must.
    let ends = came.char_indices().map(|(at, c)| at + c.len_utf8());
    for end in ends {
        let (inside, after) = came.split_at(end);
        if !hole.kind.holds(inside) || (rest.is_empty() && !after.is_empty()) {
            continue;
        }
        let mut tried = bindings.clone();
        if let Some(name) = &hole.name {
            tried.insert(name.clone(), inside.to_owned());
        }
        if fit(rest, after, &mut tried) {
            *bindings = tried;
            return true;
        }
    }
    false
}

impl Kind {
    fn holds(self, text: &str) -> bool {
        match self {
            Kind::Text => !text.is_empty(),
            Kind::Time => text.parse::<DateTime>().is_ok(),
            Kind::Number => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        }
    }
}

/// A pattern with what its names stand for.
pub(super) fn spelled(pattern: &str, bindings: &Bindings) -> String {
    let Ok(pieces) = pieces(pattern) else {
        return pattern.to_owned();
    };
    let spelled = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Hole(hole) => {
            let name = hole.name.unwrap_or_else(|| "any".to_owned());
            bindings
                .get(&name)
                .cloned()
                .unwrap_or_else(|| format!("{{{name}}}"))
        }
    });
    spelled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(pattern: &str, came: &str, any_order: bool) -> Result<Bindings, String> {
        let patterns = super::super::xml::patterns(pattern)?;
        let [super::super::Pattern::Element(pattern)] = &patterns[..] else {
            return Err("one element".to_owned());
        };
        let came = super::super::xml::patterns(came)?;
        let [super::super::Pattern::Element(came)] = &came[..] else {
            return Err("one element".to_owned());
        };
        let mut bindings = Bindings::new();
        element(pattern, came, any_order, &mut bindings).map(|()| bindings)
    }

    fn why(pattern: &str, came: &str) -> String {
        outcome(pattern, came, false).unwrap_err()
    }

    #[test]
    fn prefixes_and_the_order_of_attributes_mean_nothing() {
        assert!(
            outcome(
                "<a x='1' y='2'><b xmlns='urn:b'/></a>",
                "<a y='2' x='1'>\n <p:b xmlns:p='urn:b'/>\n</a>",
                false
            )
            .is_ok()
        );
        assert!(why("<a xmlns='urn:a'/>", "<a/>").contains("urn:a"));
    }

    #[test]
    fn what_was_not_expected_is_named() {
        assert!(why("<a/>", "<a x='1'/>").contains("x='1'"));
        assert!(why("<a x='1'/>", "<a/>").contains("lacks the attribute x"));
        assert!(why("<a x='1'/>", "<a x='2'/>").contains("x='2'"));
        assert!(why("<a/>", "<a><b/></a>").contains("<b xmlns='jabber:client'> too"));
        assert!(why("<a><b/></a>", "<a/>").contains("lacks <b"));
        assert!(why("<a>1</a>", "<a>2</a>").contains("'2'"));
        assert!(why("<a>1</a>", "<a> 1</a>").contains("' 1'"));
        assert!(why("<a><b/><c/></a>", "<a><c/><b/></a>").contains("<c"));
    }

    #[test]
    fn dots_let_more_stand_there() {
        assert!(outcome("<a …/>", "<a x='1'/>", false).is_ok());
        assert!(outcome("<a …/>", "<a><b/></a>", false).is_err());
        let wanted = "<a><b/>…<c/></a>";
        assert!(outcome(wanted, "<a><x/><b/>text<y/><c/></a>", false).is_ok());
        assert!(outcome(wanted, "<a><c/><b/></a>", false).is_err());
        assert!(outcome(wanted, "<a><c/><b/></a>", true).is_ok());
    }

    #[test]
    fn order_is_free_where_that_is_said() {
        let wanted = "<a><b n='1'/><b n='2'/></a>";
        assert!(outcome(wanted, "<a><b n='2'/><b n='1'/></a>", true).is_ok());
        assert!(outcome(wanted, "<a><b n='2'/><b n='2'/></a>", true).is_err());
        assert!(outcome(wanted, "<a><b n='2'/><b n='1'/><b n='3'/></a>", true).is_err());
    }

    #[test]
    fn names_keep_what_they_stand_for() {
        let bound = outcome("<a x='{n}' y='{n}-{m}'/>", "<a x='1' y='1-2'/>", false).unwrap();
        assert_eq!(bound["n"], "1");
        assert_eq!(bound["m"], "2");
        assert!(outcome("<a x='{n}' y='{n}'/>", "<a x='1' y='2'/>", false).is_err());
        assert!(outcome("<a x='{n}'/>", "<a x=''/>", false).is_err());
        assert!(outcome("<a x='{any}' y='{any}'/>", "<a x='1' y='2'/>", false).is_ok());
        assert!(outcome("<a x='{n:number}'/>", "<a x='1x'/>", false).is_err());
        assert!(outcome("<a x='{t:time}'/>", "<a x='2026-01-01T00:00:00Z'/>", false).is_ok());
        assert!(outcome("<a x='{t:time}'/>", "<a x='yesterday'/>", false).is_err());
    }
}
