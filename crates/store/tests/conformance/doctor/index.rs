//! What the index of the write-ahead log tells of a log that was cut short, and what it must not tell.

use waxwing_store::Loss;

use super::*;

type Records = BTreeMap<(Vec<u8>, Vec<u8>), usize>;

const FRAME: usize = 4_120;
const NAMES: [&str; 4] = [
    "waxwing.db",
    "waxwing.db-wal",
    "waxwing.db-shm",
    "waxwing.lock",
];

/// The files of a store as a process leaves them that is killed, and what was in them.
#[derive(Clone)]
struct Left {
    files: [Option<Vec<u8>>; 4],
}

impl Left {
    fn of(directory: &Path) -> Self {
        Self {
            files: NAMES.map(|name| fs::read(directory.join(name)).ok()),
        }
    }

    fn with(&self, file: usize, content: Option<Vec<u8>>) -> Self {
        let mut left = self.clone();
        left.files[file] = content;
        left
    }

    fn log(&self) -> &[u8] {
        self.files[1].as_deref().unwrap()
    }

    fn index(&self) -> &[u8] {
        self.files[2].as_deref().unwrap()
    }

    fn put(&self) -> TestDirectory {
        let directory = TestDirectory::new();
        fs::create_dir_all(directory.path()).unwrap();
        for (name, content) in NAMES.iter().zip(&self.files) {
            if let Some(content) = content {
                fs::write(directory.path().join(name), content).unwrap();
            }
        }
        directory
    }

    /// What doctor finds, and what it saves; the server says the same, and nothing changes.
    fn examined(&self) -> (Findings, Records) {
        let directory = self.put();
        let examination = examine(directory.path()).unwrap();
        let backup = export(&examination);
        let findings = examination.findings().clone();
        drop(examination);
        let looked = Store::sqlite_look(directory.path(), &all());
        assert_eq!(looked.err(), findings.refusal);
        assert_eq!(Left::of(directory.path()).files, self.files);
        let options = SqliteOptions::default();
        let opened = Store::sqlite(directory.path(), &options, &all());
        assert_eq!(opened.as_ref().err(), findings.refusal.as_ref());
        if opened.is_err() {
            assert_eq!(Left::of(directory.path()).files, self.files);
            restored(&backup);
        }
        (findings, records(&backup))
    }

    /// It is what a process that was killed, or a power cut, leaves: nobody may be kept from it.
    fn is_well(&self, what: &str) {
        let (findings, _) = self.examined();
        let said = (&findings.refusal, &*findings.damages);
        assert_eq!(said, (&None, &[][..]), "{what}");
    }

    /// What was acknowledged is missing, and that is said.
    fn is_refused(&self, what: &str) -> (Damage, Records) {
        let (findings, saved) = self.examined();
        let log = Path::new(NAMES[1]);
        assert!(
            matches!(&findings.refusal, Some(OpenError::Damaged { path, .. }) if path.ends_with(log)),
            "{what}: {findings:?}"
        );
        let mut damages = findings.damages.into_iter();
        let said = damages.find(|damage| damage.part == DamagedPart::WriteAhead);
        (said.unwrap_or_else(|| panic!("{what}")), saved)
    }
}

fn more(store: &Store, number: u64) {
    committed(store, |batch| fill(batch, &owner(number), number));
}

fn checkpoint(directory: &Path, mode: &str) {
    let db = Connection::open(directory.join(NAMES[0])).unwrap();
    let busy: i64 = db
        .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(busy, 0);
}

#[test]
fn a_log_that_is_cut_short_is_refused() {
    let directory = TestDirectory::new();
    let store = open(directory.path());
    for number in 0..4 {
        more(&store, number);
    }
    let left = Left::of(directory.path());
    left.is_well("killed");
    let whole = left.examined().1;
    assert_eq!(whole.len(), 4 * 25 * 7);
    let length = left.log().len();
    for cut in [
        0,
        10,
        32,
        100,
        FRAME + 32,
        length / 2,
        length - FRAME,
        length - 1,
    ] {
        let here = left.with(1, Some(left.log()[..cut].to_vec()));
        let (damage, saved) = here.is_refused(&cut.to_string());
        assert_eq!(damage.loss, Loss::Unknown, "{damage:?}");
        assert!(
            missing(&saved, &whole) <= 25 && saved.len() < whole.len(),
            "{cut}"
        );
    }
    let (damage, _) = left.with(1, None).is_refused("none");
    assert!(
        damage.text.starts_with("it is missing: its index counts"),
        "{damage:?}"
    );
    // Damage in the last commit, which looks like a write that a power cut kept from the disk.
    let mut log = left.log().to_vec();
    log[length - FRAME / 2] ^= 4;
    let (damage, saved) = left.with(1, Some(log)).is_refused("flipped");
    assert_eq!((damage.loss, saved == whole), (Loss::Nothing, true));
    let mut log = left.log().to_vec();
    log[length - FRAME..].fill(0);
    let (damage, _) = left.with(1, Some(log)).is_refused("zeros");
    assert_eq!(damage.loss, Loss::Unknown);
}

#[test]
fn what_the_database_has_taken_over_needs_no_log() {
    let directory = TestDirectory::new();
    let store = open(directory.path());
    for number in 0..4 {
        more(&store, number);
    }
    checkpoint(directory.path(), "PASSIVE");
    let left = Left::of(directory.path());
    left.is_well("killed");
    let whole = left.examined().1;
    // What is left of the log is older than the database: together they are neither.
    let cut = left.log()[..left.log().len() / 3].to_vec();
    let (damage, saved) = left.with(1, Some(cut)).is_refused("cut");
    assert_eq!(damage.loss, Loss::Nothing, "{damage:?}");
    assert!(saved == whole);
    // Without it nothing is missing.
    let (findings, saved) = left.with(1, None).examined();
    assert_eq!(findings.refusal, None);
    assert_eq!(findings.damages.len(), 1);
    assert_eq!(findings.damages[0].loss, Loss::Nothing);
    assert!(saved == whole);
    // With a part of it, what came later is.
    more(&store, 5);
    let later = Left::of(directory.path());
    later.is_well("killed later");
    let cut = later.log()[..32 + 3 * FRAME].to_vec();
    assert_eq!(
        later.with(1, Some(cut)).is_refused("cut").0.loss,
        Loss::Unknown
    );
}

#[test]
fn an_index_that_lags_behind_or_is_torn_tells_nothing() {
    let directory = TestDirectory::new();
    let store = open(directory.path());
    let mut states = vec![Left::of(directory.path())];
    for number in 0..3 {
        more(&store, number);
        states.push(Left::of(directory.path()));
    }
    checkpoint(directory.path(), "PASSIVE");
    states.push(Left::of(directory.path()));
    // The log begins anew, in the same file.
    for number in 5..7 {
        more(&store, number);
        states.push(Left::of(directory.path()));
    }
    checkpoint(directory.path(), "TRUNCATE");
    states.push(Left::of(directory.path()));
    more(&store, 7);
    states.push(Left::of(directory.path()));
    assert!(states.iter().any(|state| state.log().is_empty()));
    // A power cut finds what the machine has written of the index by then: any older state of it.
    for (now, state) in states.iter().enumerate() {
        for (then, older) in states[..=now].iter().enumerate() {
            // A log without a page may be one that was cut: but there it is told by its index alone.
            if state.log().is_empty() && now != then {
                continue;
            }
            let index = Some(older.index().to_vec());
            state
                .with(2, index)
                .is_well(&format!("log {now}, index {then}"));
        }
    }
    let last = &states[4];
    let cut = last.with(1, Some(last.log()[..last.log().len() / 2].to_vec()));
    for (at, what) in [
        (16, "first copy"),
        (48 + 16, "second copy"),
        (0, "format"),
        (12, "begun"),
    ] {
        let mut torn = last.index().to_vec();
        torn[at] ^= 1;
        cut.with(2, Some(torn)).is_well(what);
    }
    for bytes in [&[][..], &[0; 3], &[0; 32_768], &last.index()[..100]] {
        cut.with(2, Some(bytes.to_vec())).is_well("no index");
    }
    cut.with(2, None).is_well("none");
}
