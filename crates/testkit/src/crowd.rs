//! Peers in a world: connected, and connected again whenever a connection ends.

use waxwing_server::Security;
use waxwing_stream::client::Tls;

use crate::dice::{Dice, Seed};
use crate::peer::Peer;
use crate::stream::Wants;
use crate::world::{Happening, LinkId, World};

/// Longest time that a peer takes to connect again.
const AWAY_MICROS_MAX: u64 = 3_000_000;

/// Simulated time after which something that should happen never will.
const PATIENCE_MICROS: u64 = 3_600_000_000;

/// A world with peers in it.
pub struct Crowd {
    /// The world.
    pub world: World,
    members: Vec<Member>,
    dice: Dice,
}

struct Member {
    peer: Peer,
    link: Option<LinkId>,
    connect_at: Option<u64>,
}

/// What was waited for did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing more happens, and what was waited for has not come")]
pub struct NeverComes;

impl Crowd {
    /// Peers that connect at once.
    #[must_use]
    pub fn new(world: World, peers: Vec<Peer>, seed: Seed) -> Crowd {
        let members = peers
            .into_iter()
            .map(|peer| Member {
                peer,
                link: None,
                connect_at: None,
            })
            .collect();
        let mut crowd = Crowd {
            world,
            members,
            dice: Dice::new(seed),
        };
        for at in 0..crowd.members.len() {
            crowd.connect(at);
        }
        crowd
    }

    /// The peers, in the order in which they were given.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = &Peer> {
        self.members.iter().map(|member| &member.peer)
    }

    /// Lets a peer do something, and writes what comes of it.
    pub fn with<T>(&mut self, at: usize, act: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        let outcome = act(&mut self.members.get_mut(at)?.peer);
        self.flush(at);
        Some(outcome)
    }

    /// The connection that a peer has now.
    #[must_use]
    pub fn link(&self, at: usize) -> Option<LinkId> {
        self.members.get(at).and_then(|member| member.link)
    }

    /// Goes on by one happening.
    pub fn step(&mut self) {
        let now = self.world.now_micros();
        let due = self
            .members
            .iter()
            .position(|member| member.connect_at.is_some_and(|at| at <= now));
        if let Some(at) = due {
            return self.connect(at);
        }
        let next = self
            .members
            .iter()
            .filter_map(|member| member.connect_at)
            .min();
        match self.world.next(next.unwrap_or(now + 1_000_000)) {
            Happening::Received(link, bytes) => {
                if let Some(at) = self.position(link) {
                    self.with(at, |peer| peer.receive(&bytes));
                }
            }
            Happening::Disconnected(link) => {
                if let Some(at) = self.position(link) {
                    self.leave(at);
                }
            }
            Happening::Idle => {}
        }
    }

    /// Goes on until `done` says so.
    ///
    /// # Errors
    /// [`NeverComes`] after an hour of simulated time.
    pub fn run_until(
        &mut self,
        mut done: impl FnMut(&mut Crowd) -> bool,
    ) -> Result<(), NeverComes> {
        let patience = self.world.now_micros() + PATIENCE_MICROS;
        while !done(self) {
            if self.world.now_micros() > patience {
                return Err(NeverComes);
            }
            self.step();
        }
        Ok(())
    }

    fn position(&self, link: LinkId) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.link == Some(link))
    }

    fn connect(&mut self, at: usize) {
        let link = self.world.connect(&Security::StartTls);
        if let Some(member) = self.members.get_mut(at) {
            member.connect_at = None;
            member.link = Some(link);
            member.peer.connect(Tls::Required);
        }
        self.flush(at);
    }

    fn leave(&mut self, at: usize) {
        let again = self.world.now_micros() + self.dice.below(AWAY_MICROS_MAX);
        if let Some(member) = self.members.get_mut(at) {
            member.peer.disconnected();
            member.link = None;
            member.connect_at = Some(again);
        }
    }

    fn flush(&mut self, at: usize) {
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        let Some(link) = member.link else { return };
        loop {
            for bytes in member.peer.take_output() {
                self.world.write(link, &bytes);
            }
            match member.peer.wants() {
                Some(Wants::StartTls) => member.peer.tls_started(World::binding(link)),
                Some(Wants::Close) => {
                    self.world.close(link);
                    return self.leave(at);
                }
                None => return,
            }
        }
    }
}
