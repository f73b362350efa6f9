//! Files that this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: standard streams, the runtime's own, the resolver's, `/proc`, files of reports.
const BESIDES: u64 = 64;

/// This system does not let so many files be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{clients} clients need {needed} open files, and this system allows {allowed} (ulimit -Hn): raise that, \
     or take fewer clients in each of several processes"
)]
pub struct TooFew {
    /// How many there are to be.
    pub clients: usize,
    /// What they need.
    pub needed: u64,
    /// What there is.
    pub allowed: u64,
}

/// Raises the soft limit of open files as far as so many connections need it.
///
/// # Errors
/// [`TooFew`] where the hard limit is lower.
pub fn allow(clients: usize) -> Result<(), TooFew> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = u64::try_from(clients)
        .unwrap_or(u64::MAX)
        .saturating_add(BESIDES);
    // No limit is none.
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum,
    };
    let is_allowed = maximum.is_none_or(|maximum| maximum >= needed);
    if is_allowed && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(TooFew {
        clients,
        needed,
        allowed: maximum.or(current).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_system_allows_is_refused_with_both_numbers() {
        assert_eq!(allow(1), Ok(()));
        let maximum = getrlimit(Resource::Nofile).maximum;
        let refused = allow(usize::MAX);
        match maximum {
            None => assert_eq!(refused, Ok(())),
            Some(allowed) => assert_eq!(refused.map_err(|error| error.allowed), Err(allowed)),
        }
    }
}
