//! Turns to change rosters: what is read and what is staged upon it must not be mixed with another's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use waxwing_stanza::BareJid;

use crate::effects::Turn;
use crate::turnstile::Turnstile;

/// Turns there are; an account has one of them by its name, and may share it.
const TURNS: usize = 256;

/// Taken in ascending order, so that nobody waits in a circle.
pub(crate) struct RosterTurns(Vec<Arc<Turnstile>>);

impl Default for RosterTurns {
    fn default() -> Self {
        RosterTurns((0..TURNS).map(|_| Arc::default()).collect())
    }
}

impl RosterTurns {
    /// That of these accounts.
    pub(crate) async fn of(&self, accounts: &[&BareJid]) -> Turn {
        let mut places: Vec<usize> = accounts.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        let mut turn = Vec::new();
        for turns in places.into_iter().filter_map(|place| self.0.get(place)) {
            turn.push(turns.pass().await);
        }
        turn
    }

    /// Waits for the turn to change something else that has a name.
    pub(crate) async fn of_one(&self, name: &(impl Hash + ?Sized)) -> Turn {
        match self.0.get(place(name)) {
            Some(turns) => vec![turns.pass().await],
            None => Turn::new(),
        }
    }

    /// That of all.
    pub(crate) async fn of_all(&self) -> Turn {
        let mut turn = Vec::new();
        for one in &self.0 {
            turn.push(one.pass().await);
        }
        turn
    }
}

fn place(account: &(impl Hash + ?Sized)) -> usize {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default()
}
