//! An allocator that counts what the current thread holds, for tests of memory limits, and how often it asks, for
//! benches.
//!
//! ```
//! #[global_allocator]
//! static COUNTING: waxwing_counting::Counting = waxwing_counting::Counting;
//!
//! let (text, peak) = waxwing_counting::peak_of(|| vec![0_u8; 1000]);
//! assert!(peak >= 1000);
//! # drop(text);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting by thread.
pub struct Counting;

thread_local! {
    // Constant and without destructor: using them allocates nothing.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// What `work` returns, and the most bytes that it held at one time beyond those held before, in this
/// thread. Zero if [`Counting`] is not the program's allocator.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (
        result,
        usize::try_from(PEAK.get() - before).unwrap_or_default(),
    )
}

/// What `work` returns, and how often it asked for memory, or for more of it, in this thread. Zero if [`Counting`] is
/// not the program's allocator.
pub fn allocations_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ASKED.get();
    let result = work();
    (result, ASKED.get() - before)
}

fn count(bytes: usize, sign: isize) {
    let held = HELD.get() + sign * bytes as isize;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: everything is handed to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new exist at one time, if only for the copy.
        count(size, 1);
        ASKED.set(ASKED.get() + 1);
        count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}
