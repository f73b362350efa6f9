use waxwing_server::archive::queries::{PAGE_MESSAGES_MAX, Reader};
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0313_archive::Query;
use waxwing_wire::Element;

/// A query of an archive, as anybody may ask it.
///
/// However it is asked, no more comes than fits a page, and no more ids are looked for. Written anew it is understood the
/// same. What is refused is refused with a reason. Says whether it was taken.
///
/// # Panics
/// It is not so.
pub fn archive_queries(bytes: &[u8]) -> bool {
    let query = Element::parse(bytes).ok();
    let Some(query) = query.and_then(|query| Query::read(&query).ok()) else {
        return false;
    };
    let reader = Reader::new([7; 32]);
    let asked = match reader.read(&query) {
        Ok(asked) => asked,
        Err(error) => {
            assert!(error.text.is_none_or(|text| !text.is_empty()));
            return false;
        }
    };
    assert!(asked.messages_max <= PAGE_MESSAGES_MAX);
    assert!(asked.ids.is_none_or(|ids| ids <= PAGE_MESSAGES_MAX));
    assert!(asked.known <= 4, "two by the form, two by the page");
    let again = Query::read(&query.write()).ok();
    let again = again.and_then(|again| reader.read(&again).ok());
    assert_eq!(again, Some(asked));
    true
}
