use std::collections::BTreeMap;

use waxwing_daemon::read_web_form;

/// The form of a page, as a browser sends it.
///
/// What is read is what another reader of such forms finds, which never refuses anything: the last of each name; and written
/// anew it is read as the same. Says whether it was read.
///
/// # Panics
/// It is not so.
pub fn web_form(bytes: &[u8]) -> bool {
    let Some(read) = read_web_form(bytes) else {
        return false;
    };
    let fields: BTreeMap<_, _> = form_urlencoded::parse(bytes).collect();
    let names = ["name", "password", "again"];
    let found = names.map(|name| {
        let value = fields.get(name);
        value.map_or_else(String::new, ToString::to_string)
    });
    assert_eq!(read, found);
    let mut again = form_urlencoded::Serializer::new(String::new());
    for (name, value) in names.into_iter().zip(&read) {
        again.append_pair(name, value);
    }
    assert_eq!(read_web_form(again.finish().as_bytes()), Some(read));
    true
}
