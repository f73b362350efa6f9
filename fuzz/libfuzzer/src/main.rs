//! Hands libFuzzer's inputs to the target that `WAXWING_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use waxwing_fuzz::{TARGETS, Target};

static CHOSEN: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("WAXWING_FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    *target.unwrap_or_else(|| panic!("WAXWING_FUZZ_TARGET names no target: `{name}`"))
});

fuzz_target!(|bytes: &[u8]| {
    let (_, run) = *CHOSEN;
    run(bytes);
});
