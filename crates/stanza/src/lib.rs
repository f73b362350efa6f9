//! JIDs, stanza errors and payload types, one file a specification.
