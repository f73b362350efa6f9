//! What is measured, in the order in which a round does it.

use super::peer::Kept;

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rounds: u32,
    /// Length of a run.
    pub(super) secs: u32,
    /// Accounts that are there beforehand.
    pub(super) accounts: u32,
    /// Contacts in each account's roster.
    pub(super) roster: u32,
    /// Whether it is said how fast it went.
    pub(super) figures: bool,
}

impl Shape {
    pub(super) const FULL: Shape = Shape {
        rounds: 3,
        secs: 20,
        accounts: 8_000,
        roster: 20,
        figures: true,
    };
    pub(super) const QUICK: Shape = Shape {
        rounds: 1,
        secs: 3,
        accounts: 40,
        roster: 2,
        figures: false,
    };
}

/// Something that servers are made to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    /// Its name in files and tables of this tool.
    pub(super) key: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
    pub(super) kept: Kept,
    /// Whether Waxwing does it alone.
    pub(super) own_only: bool,
    /// Whether once is enough, since it takes long and comes out the same.
    pub(super) once: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Starts it, and looks at it when it has had nothing to do.
    Start {
        accounts: Accounts,
    },
    Load(Load),
}

/// How many accounts a server is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accounts {
    None,
    /// As many as all works have.
    All,
    /// 100,000 more.
    Many,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) scenario: &'static str,
    pub(super) tls: bool,
    /// How many clients; none for one for each account.
    pub(super) clients: Option<u32>,
    pub(super) pace: Pace,
    /// What else the generator is told.
    pub(super) more: &'static [&'static str],
    /// A run in the same process before, that is not measured.
    pub(super) before: Option<Before>,
}

/// What comes first, in the same process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// How many clients, if there are as many accounts.
    pub(super) clients: u32,
    /// What the generator is told.
    pub(super) told: &'static [&'static str],
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    AsFastAsItGoes,
    PerSecond(u32),
    /// At half of what the better peer carries of [`STORED`].
    HalfOfPeers,
}

pub(super) const PLAIN: &str = "plain";
pub(super) const TLS: &str = "tls";
pub(super) const STORED: &str = "stored";
pub(super) const STORED_500: &str = "stored-500";
pub(super) const STORED_HALF: &str = "stored-half";
pub(super) const LOGIN: &str = "login";
pub(super) const IDLE: &str = "idle";
pub(super) const EMPTY: &str = "empty";
pub(super) const START_FULL: &str = "start-accounts";
pub(super) const START_MANY: &str = "start-many";
pub(super) const STEADY_FEW: &str = "steady-100";
pub(super) const STEADY_MANY: &str = "steady-8000";
pub(super) const STEADY_OLD: &str = "steady-after-logins";

/// What comes first takes longer in a server that has just been started, and one second of it would be all that a 99th
/// percentile of twenty tells.
const WARM_UP: Before = Before {
    clients: 100,
    told: &["--scenario=chat", "--rate=500/s", "--duration=5s"],
};

/// The message asks not to be stored, and nobody counts it: what is left is its way.
const WAY_ONLY: &[&str] = &["--no-store", "--no-stream-management"];

/// The one way to log in over TLS that all of them know: ejabberd offers one bound to the channel, and over TLS 1.3 refuses it.
const SCRAM: &str = "--mechanism=SCRAM-SHA-256";

const LOAD: Load = Load {
    scenario: "flood",
    tls: false,
    clients: Some(100),
    pace: Pace::AsFastAsItGoes,
    more: &[],
    before: None,
};

const WORK: Work = Work {
    key: "",
    title: "",
    kept: Kept::Nothing,
    own_only: false,
    once: false,
    kind: Kind::Load(LOAD),
};

/// The whole table.
pub(super) fn full() -> Vec<Work> {
    let mut works = messages(Some(100));
    works.extend([
        stored_half(),
        pubsub(Some(1_000)),
        login(Some(1_000)),
        Work {
            key: EMPTY,
            title: "started on an empty folder",
            kind: Kind::Start {
                accounts: Accounts::None,
            },
            ..WORK
        },
        Work {
            key: START_FULL,
            title: "started with 8,000 accounts",
            kind: Kind::Start {
                accounts: Accounts::All,
            },
            ..WORK
        },
        Work {
            key: START_MANY,
            title: "started with 108,000 accounts",
            own_only: true,
            kind: Kind::Start {
                accounts: Accounts::Many,
            },
            ..WORK
        },
        Work {
            key: IDLE,
            title: "8,000 idle connections, TLS 1.3, presence sent, roster of 20",
            once: true,
            kind: Kind::Load(Load {
                scenario: "idle",
                tls: true,
                clients: None,
                // Who is there first waits for the last: ejabberd ends streams that acknowledge nothing meanwhile.
                more: &["--no-stream-management", SCRAM],
                ..LOAD
            }),
            ..WORK
        },
    ]);
    works.extend(steady());
    works
}

/// What CI checks: each way of a message, those who are away, and log-ins.
pub(super) fn quick() -> Vec<Work> {
    let mut works = messages(None);
    works.push(Work {
        key: "offline",
        title: "messages for those who are away",
        kind: Kind::Load(Load {
            scenario: "offline",
            clients: None,
            pace: Pace::PerSecond(50),
            ..LOAD
        }),
        ..WORK
    });
    works.push(pubsub(None));
    works.push(login(None));
    works
}

fn messages(clients: Option<u32>) -> Vec<Work> {
    let flood = Load { clients, ..LOAD };
    vec![
        Work {
            key: PLAIN,
            title: "chat messages as fast as they go, plain TCP, nothing stored",
            kind: Kind::Load(Load {
                more: WAY_ONLY,
                ..flood
            }),
            ..WORK
        },
        Work {
            key: TLS,
            title: "chat messages as fast as they go, TLS 1.3, nothing stored",
            kind: Kind::Load(Load {
                tls: true,
                more: &["--no-store", "--no-stream-management", SCRAM],
                ..flood
            }),
            ..WORK
        },
        Work {
            key: STORED,
            title: "chat messages as fast as they go, plain TCP, stored",
            kept: Kept::Everything,
            kind: Kind::Load(flood),
            ..WORK
        },
        Work {
            key: STORED_500,
            title: "500 chat messages a second, plain TCP, stored",
            kept: Kept::Everything,
            kind: Kind::Load(Load {
                scenario: "chat",
                pace: Pace::PerSecond(500),
                before: Some(WARM_UP),
                ..flood
            }),
            ..WORK
        },
    ]
}

fn stored_half() -> Work {
    Work {
        key: STORED_HALF,
        title: "chat messages at half of what the better peer carries, plain TCP, stored",
        kept: Kept::Everything,
        kind: Kind::Load(Load {
            scenario: "chat",
            pace: Pace::HalfOfPeers,
            before: Some(WARM_UP),
            ..LOAD
        }),
        ..WORK
    }
}

/// What an item costs for each who is told of it.
fn pubsub(clients: Option<u32>) -> Work {
    Work {
        key: "pubsub",
        title: "5 items a second at a node, to 999 subscribers, plain TCP; for each notification",
        kind: Kind::Load(Load {
            scenario: "pubsub",
            clients,
            pace: Pace::PerSecond(5),
            more: &["--no-stream-management"],
            ..LOAD
        }),
        ..WORK
    }
}

fn login(clients: Option<u32>) -> Work {
    Work {
        key: LOGIN,
        title: "log-ins by SCRAM-SHA-256 as fast as they go, TLS 1.3, ECDSA P-256",
        kind: Kind::Load(Load {
            scenario: "login",
            tls: true,
            clients,
            more: &[SCRAM, "--at-once=32"],
            ..LOAD
        }),
        ..WORK
    }
}

/// Whether a message costs the same where there is more around it.
fn steady() -> [Work; 3] {
    let steady = Load {
        scenario: "chat",
        pace: Pace::PerSecond(2_000),
        more: WAY_ONLY,
        ..LOAD
    };
    let work = Work {
        own_only: true,
        ..WORK
    };
    [
        Work {
            key: STEADY_FEW,
            title: "2,000 chat messages a second between 100 connections",
            // The others come after log-ins.
            kind: Kind::Load(Load {
                before: Some(WARM_UP),
                ..steady
            }),
            ..work
        },
        Work {
            key: STEADY_MANY,
            title: "the same between 8,000 connections",
            kind: Kind::Load(Load {
                clients: None,
                ..steady
            }),
            ..work
        },
        Work {
            key: STEADY_OLD,
            title: "the same between 100 connections, after 20,000 log-ins",
            kind: Kind::Load(Load {
                // As fast as it goes: the generator stretches each password, which takes 2 to 3 ms of its processor.
                before: Some(Before {
                    clients: 8_000,
                    told: &["--scenario=login", "--duration=75s"],
                }),
                ..steady
            }),
            ..work
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_work_has_a_name_of_its_own() {
        for works in [full(), quick()] {
            let mut keys: Vec<_> = works.iter().map(|work| work.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), works.len());
        }
    }

    /// Half of what peers carry is known only after they have shown it.
    #[test]
    fn what_depends_on_another_comes_after_it() {
        let works = full();
        let at = |key| works.iter().position(|work| work.key == key).unwrap();
        assert!(at(STORED) < at(STORED_HALF));
    }
}
