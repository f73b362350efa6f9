//! Storage shapes, their backends and one conformance suite.
