//! What only a database on a server does: it goes away and comes back, is slow, or belongs to somebody else.
