//! What the shapes promise, whatever stores them: each test runs against every backend.
//!
//! What one backend promises beyond that is in `double.rs`, `disk.rs` and `postgres.rs`.
//!
//! A test gets a [`Place`](place::Place), opens stores in it, and knows nothing of what it is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod backup;
mod batch;
mod blob;
mod confirmed;
mod copy;
mod disk;
mod doctor;
mod double;
mod index;
mod limits;
mod log;
mod migration;
mod model;
mod object_place;
mod objects;
mod order;
mod owner;
mod place;
mod postgres;
mod search;
mod server;
mod shapes;
mod table;

macro_rules! conformance {
    ($($module:ident: $($test:ident)+;)+) => {
        mod memory {
            $(mod $module {
                $(#[test]
                fn $test() {
                    crate::$module::$test(&crate::place::InMemory::new());
                })+
            })+
        }
        mod sqlite {
            $(mod $module {
                $(#[test]
                fn $test() {
                    crate::$module::$test(&crate::place::OnDisk::new());
                })+
            })+
        }
        mod sqlite_objects {
            $(mod $module {
                $(#[test]
                fn $test() {
                    let name = concat!(stringify!($module), "/", stringify!($test));
                    if let Some(place) = crate::object_place::InObjects::new(name) {
                        crate::$module::$test(&place);
                    }
                })+
            })+
        }
        mod postgresql {
            $(mod $module {
                $(#[test]
                fn $test() {
                    let name = concat!(stringify!($module), "/", stringify!($test));
                    if let Some(place) = crate::server::InPostgres::new(name) {
                        crate::$module::$test(&place);
                    }
                })+
            })+
        }
    };
}

/// Tests of blobs, with a database and an object store.
mod postgresql_objects {
    macro_rules! blobs {
        ($($test:ident)+) => {
            $(#[test]
            fn $test() {
                let name = concat!("postgresql/", stringify!($test));
                if let Some(place) = crate::object_place::InBoth::new(name) {
                    crate::blob::$test(&place);
                }
            })+
        };
    }
    blobs! {
        a_blob_is_read_in_parts
        a_blob_has_the_name_of_its_content
        a_reference_keeps_a_blob
        a_lease_keeps_a_blob
        an_unfinished_blob_leaves_nothing
        references_are_counted_by_owner
        a_reference_to_nothing_is_refused
        a_deleted_owner_gives_its_references_back
    }
}

conformance! {
    table:
        a_value_is_what_was_put_last
        values_stay_over_a_restart
        owners_do_not_see_each_other
        a_scan_goes_by_key_in_both_directions
        a_scan_goes_by_prefix
        a_scan_goes_on_after_a_key
        an_empty_range_is_empty
        expired_values_are_not_there
        expired_values_are_purged_in_steps
        counters_add_and_stop_at_their_bounds
        a_counter_keeps_the_time_at_which_it_expires
        what_expires_and_is_put_again_is_what_was_put_last
        a_range_is_removed_in_steps
        long_keys_sort_as_short_ones_do
        owners_are_listed_in_order;
    index:
        rows_of_all_owners_are_found_in_order
        an_index_follows_its_values
        a_page_of_an_index_goes_on_after_a_row
        a_unique_key_is_refused_to_another_row
        a_unique_key_moves_within_a_batch
        an_index_hides_expired_rows
        a_counter_can_be_indexed
        a_foreign_index_is_refused;
    confirmed:
        what_is_confirmed_together_is_cleared_together
        what_nobody_waits_for_is_seen_and_stored
        a_batch_that_is_refused_confirms_nothing;
    log:
        entries_are_paged_in_both_directions
        a_page_goes_on_where_the_last_one_ended
        times_and_ids_bound_a_page
        an_id_is_taken_once
        a_unique_key_gives_the_entry_that_has_it
        a_unique_key_goes_with_its_entry
        an_entry_goes_when_no_mark_is_left
        marks_are_cleared_over_a_range_in_steps
        an_entry_without_a_mark_is_not_stored
        entries_are_counted_by_marks
        a_tombstone_takes_the_place_of_a_payload
        a_range_of_entries_is_removed_in_steps
        entries_are_found_by_address
        a_page_by_address_ends_early_in_a_long_log
        a_page_ends_before_it_is_too_large
        the_last_id_is_known_over_restarts
        logs_list_their_owners;
    batch:
        a_refused_batch_leaves_no_trace
        preconditions_look_at_the_state_before_the_batch
        preconditions_know_expiry
        a_shape_that_was_not_declared_is_refused
        an_empty_batch_commits
        writes_apply_in_the_order_of_the_calls;
    limits:
        a_key_has_a_limit
        an_owner_has_a_limit
        the_keys_of_an_entry_have_a_limit
        a_value_has_a_limit
        a_batch_has_limits
        rows_at_a_time_have_a_limit
        times_have_a_limit
        a_read_of_a_blob_has_a_limit;
    owner:
        a_deleted_owner_is_gone_from_all_shapes
        a_deleted_owner_can_come_back
        a_deleted_owner_frees_its_unique_keys
        a_large_owner_goes_without_a_trace;
    blob:
        a_blob_is_read_in_parts
        a_blob_has_the_name_of_its_content
        a_reference_keeps_a_blob
        a_lease_keeps_a_blob
        an_unfinished_blob_leaves_nothing
        references_are_counted_by_owner
        a_reference_to_nothing_is_refused
        a_deleted_owner_gives_its_references_back;
    order:
        outcomes_come_in_the_order_of_submission
        a_read_sees_what_was_submitted_before_it
        every_thread_sees_its_own_writes
        questions_over_owners_see_what_was_submitted
        questions_over_ranges_stand_between_batches;
    migration:
        rows_are_brought_to_the_declared_version
        steps_are_taken_one_after_another
        keys_can_change
        a_log_is_brought_to_the_declared_version
        an_index_that_is_added_is_filled
        an_index_that_is_taken_away_is_gone
        a_failed_migration_changes_nothing
        two_rows_with_one_key_fail_a_migration
        a_newer_shape_is_refused
        a_shape_that_is_too_old_is_refused
        an_unknown_shape_is_refused
        a_shape_of_another_kind_is_refused
        contradicting_declarations_are_refused;
    search:
        entries_are_found_by_their_words
        a_replaced_text_is_found_as_it_is_now
        a_page_by_text_ends_early_in_a_long_log
        random_writes_are_found;
    model:
        random_writes_do_what_the_model_does;
}
