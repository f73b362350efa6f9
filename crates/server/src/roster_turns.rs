//! Turns to change rosters: what is read and what is staged upon it must not be mixed with another's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use waxwing_stanza::BareJid;

use crate::effects::Turn;
use crate::outside::Random;
use crate::turnstile::Turnstile;

/// Turns there are; an account has one of them by its name, and may share it.
const TURNS: usize = 256;

/// Taken in ascending order, so that nobody waits in a circle.
pub(crate) struct RosterTurns {
    places: Vec<Arc<Turnstile>>,
    /// What nobody outside knows: so nobody can think up names that share a turn with somebody else's.
    secret: u128,
}

impl RosterTurns {
    /// With a secret of its own.
    pub(crate) fn new(random: &dyn Random) -> RosterTurns {
        let mut secret = [0; 16];
        random.fill(&mut secret);
        RosterTurns {
            places: (0..TURNS).map(|_| Arc::default()).collect(),
            secret: u128::from_ne_bytes(secret),
        }
    }

    /// That of these accounts.
    pub(crate) async fn of(&self, accounts: &[&BareJid]) -> Turn {
        let mut places: Vec<usize> = accounts.iter().map(|jid| self.place(jid)).collect();
        places.sort_unstable();
        places.dedup();
        let mut turn = Vec::new();
        for turns in places
            .into_iter()
            .filter_map(|place| self.places.get(place))
        {
            turn.push(turns.pass().await);
        }
        turn
    }

    /// Waits for the turn to change something else that has a name.
    pub(crate) async fn of_one(&self, name: &(impl Hash + ?Sized)) -> Turn {
        match self.places.get(self.place(name)) {
            Some(turns) => vec![turns.pass().await],
            None => Turn::new(),
        }
    }

    /// That of all.
    pub(crate) async fn of_all(&self) -> Turn {
        let mut turn = Vec::new();
        for one in &self.places {
            turn.push(one.pass().await);
        }
        turn
    }

    fn place(&self, name: &(impl Hash + ?Sized)) -> usize {
        let mut hasher = DefaultHasher::new();
        self.secret.hash(&mut hasher);
        name.hash(&mut hasher);
        usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default()
    }
}
