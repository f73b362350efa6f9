//! What is wrong with the files as such: their lengths, their first bytes, and the write-ahead log.

use super::super::ahead::WriteAhead;
use super::super::ahead_index::Waiting;
use super::super::open::{Directory, beside};
use super::image::Image;
use crate::examination::{Damage, DamagedPart, Loss};

/// What is wrong with the files as such.
pub(super) fn damages(place: &Directory, image: &Image) -> Vec<Damage> {
    let mut all = Vec::new();
    let mut damage = |part, text: String, loss| all.push(Damage { part, text, loss });
    if let Some(text) = image.wrong_header() {
        damage(DamagedPart::File, text, Loss::Nothing);
    }
    if let Some((there, counted)) = image.wrong_length() {
        let (text, loss) = if counted > there {
            (
                format!("it has {there} pages of {counted}: it was cut short"),
                Loss::Unknown,
            )
        } else {
            (
                format!("it has {there} pages and counts {counted}"),
                Loss::Nothing,
            )
        };
        damage(DamagedPart::File, text, loss);
    }
    if beside(&place.database, "-journal").exists() {
        let text = "there is a rollback journal beside it, which it never has".to_owned();
        damage(DamagedPart::File, text, Loss::Nothing);
    }
    all.extend(match &image.ahead {
        Some(ahead) => of_log(image, ahead),
        None => of_no_log(place, image).into_iter().collect(),
    });
    all
}

/// What a log lacks that is not there, or has no page.
fn of_no_log(place: &Directory, image: &Image) -> Option<Damage> {
    let log = beside(&place.database, "-wal");
    let what = if log.exists() { "cut short" } else { "missing" };
    let damage = |text, loss| {
        let part = DamagedPart::WriteAhead;
        Some(Damage { part, text, loss })
    };
    let waiting = (image.index).map(|index| index.of_none(&log, place.is_same_boot()));
    match waiting {
        Some(Waiting::Lost(pages)) => damage(
            format!(
                "it is {what}: its index counts {pages} committed pages that only it held; what they say was acknowledged, and is as it was before"
            ),
            Loss::Unknown,
        ),
        Some(Waiting::Maybe(pages)) => damage(
            format!(
                "it is empty, and its index counts {pages} committed pages that only it held: either it was cut short, or the power went when it had just been emptied"
            ),
            Loss::Unknown,
        ),
        _ if log.exists() => None,
        Some(Waiting::None) => damage(
            "it is missing; the database has everything that its index counts".to_owned(),
            Loss::Nothing,
        ),
        None if beside(&place.database, "-shm").exists() => damage(
            "it is missing, and its index is there: what was written last may be in it".to_owned(),
            Loss::Unknown,
        ),
        None => None,
    }
}

fn of_log(image: &Image, ahead: &WriteAhead) -> Vec<Damage> {
    let mut all = Vec::new();
    let mut damage = |text, loss| {
        let part = DamagedPart::WriteAhead;
        all.push(Damage { part, text, loss });
    };
    if ahead.header_damaged {
        let text = "its first bytes are not what was written".to_owned();
        damage(text, Loss::Nothing);
    }
    if !ahead.damaged.is_empty() {
        let (wrong, frames) = (ahead.damaged.len(), ahead.frames);
        let mut text = format!("{wrong} of {frames} pages in it are not what was written");
        if ahead.odd > 0 {
            let odd = ahead.odd;
            text.push_str(&format!(", {odd} of them by one bit, nobody knows which"));
        }
        if ahead.lost > 0 {
            let lost = ahead.lost;
            text.push_str(&format!(
                ", {lost} of them beyond repair: what they held is as it was before"
            ));
        }
        let loss = match ahead.odd + ahead.lost {
            0 => Loss::Nothing,
            _ => Loss::Unknown,
        };
        damage(text, loss);
    }
    if ahead.missing > 0 {
        let missing = ahead.missing;
        let text = format!(
            "{missing} pages at its end are missing or are not what was written, and its index counts them as committed"
        );
        let has_all = image
            .index
            .is_some_and(|index| index.copied == index.frames);
        if ahead.is_overtaken && has_all {
            let text = format!("{text}; the database has all that was in it");
            damage(text, Loss::Nothing);
        } else {
            let text = format!("{text}: what they say was acknowledged, and is as it was before");
            damage(text, Loss::Unknown);
        }
    }
    all
}
