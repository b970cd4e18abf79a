//! One suite that every backend passes, and any sequence of batches against a map.
mod map;

use std::sync::Arc;

use reeve::store::{
    Batch, CommitError, MAX_KEY_BYTES, MAX_ROWS, MAX_VALUE_BYTES, Range, ReadStore,
    Store, StoreError, open, redo,
};
use uuid::Uuid;

const HOME: Uuid = Uuid::from_u128(0x5eed);

/// A way to get an empty store, and to see it as it is after it was closed and opened again.
trait Factory {
    fn fresh(&self) -> Arc<dyn Store>;
    fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;
}

struct Ram;

impl Factory for Ram {
    fn fresh(&self) -> Arc<dyn Store> {
        open("ram:", HOME).unwrap()
    }
    fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store
    }
}

struct Sled {
    directory: tempfile::TempDir,
}

impl Sled {
    fn new() -> Sled {
        Sled {
            directory: tempfile::tempdir().unwrap(),
        }
    }
    fn url(&self) -> String {
        format!("sled:{}", self.directory.path().join("home").display())
    }
}

impl Factory for Sled {
    fn fresh(&self) -> Arc<dyn Store> {
        let home = self.directory.path().join("home");
        if home.exists() {
            std::fs::remove_dir_all(&home).unwrap();
        }
        open(&self.url(), HOME).unwrap()
    }
    fn reopen(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        drop(store);
        open(&self.url(), Uuid::nil()).unwrap()
    }
}

fn suite(factory: &dyn Factory) {
    keeps_rows(factory);
    compares_before_it_sets(factory);
    scans_ranges(factory);
    keeps_long_values(factory);
    refuses_what_is_too_large(factory);
    decides_concurrent_commits_one_after_another(factory);
    tells_changes(factory);
    tells_a_reader_that_fell_behind(factory);
    takes_large_units(factory);
    shows_only_what_is_durable(factory);
}

/// What somebody reads is never taken back: whoever sees a commit sees it published, which is after the sync.
fn shows_only_what_is_durable(factory: &dyn Factory) {
    const ROUNDS: u64 = 40;
    let store = factory.fresh();
    let first = store.sequence() + 1;
    let last = first + ROUNDS;
    let writer = std::thread::spawn({
        let store = Arc::clone(&store);
        move || {
            for sequence in first..=last {
                assert_eq!(store.commit(Batch::new().put(*b"row", sequence.to_be_bytes())).wait(), Ok(sequence));
            }
        }
    });
    let read = |value: Vec<u8>| u64::from_be_bytes(value.try_into().unwrap());
    let mut seen = 0;
    while seen < last {
        let got = store.get(b"row").unwrap().map(read);
        let durable = store.sequence();
        assert!(got.is_none_or(|got| got <= durable), "the commit {got:?} was read, and {durable} is the last durable one");
        let scanned = store.scan(Range::prefix(b"row")).next().map(|row| read(row.unwrap().1));
        let durable = store.sequence();
        assert!(scanned.is_none_or(|scanned| scanned <= durable), "the commit {scanned:?} was scanned, and {durable} is the last durable one");
        seen = got.unwrap_or(0).max(seen);
    }
    writer.join().unwrap();
}

#[test]
fn ram_conforms() {
    suite(&Ram);
}

#[test]
fn sled_conforms() {
    suite(&Sled::new());
}

fn rows(store: &dyn ReadStore, range: Range) -> Vec<(Vec<u8>, Vec<u8>)> {
    store.scan(range).collect::<Result<_, _>>().unwrap()
}

fn keys(store: &dyn ReadStore, range: Range) -> Vec<String> {
    rows(store, range)
        .into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

fn keeps_rows(factory: &dyn Factory) {
    let store = factory.fresh();
    assert_eq!((store.sequence(), store.home().id), (0, HOME));
    assert_eq!(rows(&*store, Range::all()), vec![]);
    assert_eq!(
        store
            .commit(Batch::new().put("a", "1").put("b", "2").put("", "no key"))
            .wait(),
        Ok(1)
    );
    assert_eq!(
        store
            .commit(Batch::new().put("a", "3").delete("b").delete("absent"))
            .wait(),
        Ok(2)
    );
    let store = factory.reopen(store);
    assert_eq!((store.sequence(), store.home().id), (2, HOME));
    assert_eq!(store.get(b"a"), Ok(Some(b"3".to_vec())));
    assert_eq!(store.get(b"b"), Ok(None));
    assert_eq!(keys(&*store, Range::all()), ["", "a"]);
    assert_eq!(
        store.commit(Batch::new()).wait(),
        Ok(2),
        "nothing to write takes no sequence"
    );
    assert_eq!(store.commit(Batch::new().put("c", "4")).wait(), Ok(3));
}

fn compares_before_it_sets(factory: &dyn Factory) {
    let store = factory.fresh();
    let first = Batch::new()
        .expect_absent("head")
        .put("head", "1")
        .put("row", "x");
    assert_eq!(store.commit(first.clone()).wait(), Ok(1));
    let conflict = || {
        Err(CommitError::Conflict {
            key: b"head".to_vec(),
        })
    };
    assert_eq!(store.commit(first).wait(), conflict());
    assert_eq!(
        store
            .commit(
                Batch::new()
                    .expect_equals("head", "0")
                    .put("row", "y")
                    .put("new", "y")
            )
            .wait(),
        conflict()
    );
    let store = factory.reopen(store);
    assert_eq!(keys(&*store, Range::all()), ["head", "row"]);
    assert_eq!(
        store.get(b"row"),
        Ok(Some(b"x".to_vec())),
        "nothing of a rejected batch is applied"
    );
    let both = Batch::new()
        .expect_equals("head", "1")
        .expect_absent("new")
        .put("head", "2")
        .delete("row");
    assert_eq!(store.commit(both).wait(), Ok(2));
    assert_eq!(
        store
            .commit(Batch::new().expect_unchanged("head", Some(b"2".to_vec())))
            .wait(),
        Ok(2)
    );
    assert_eq!(
        store.commit(Batch::new().expect_absent("head")).wait(),
        conflict()
    );
}

fn scans_ranges(factory: &dyn Factory) {
    let store = factory.fresh();
    let names: Vec<String> = (0..900).map(|row| format!("run/{row:04}")).collect();
    for part in names.chunks(300) {
        store
            .commit(
                part.iter()
                    .fold(Batch::new(), |batch, name| batch.put(name.as_str(), "r")),
            )
            .wait()
            .unwrap();
    }
    let edges = [
        &b"rum"[..],
        b"run",
        b"run/",
        b"run0",
        b"\xff",
        b"\xff\xff",
        b"\xff\xffz",
        b"\x00",
        b"",
    ];
    store
        .commit(
            edges
                .iter()
                .fold(Batch::new(), |batch, key| batch.put(*key, "e")),
        )
        .wait()
        .unwrap();
    let store = factory.reopen(store);
    let mut backward = rows(&*store, Range::all().reverse());
    backward.reverse();
    assert_eq!(rows(&*store, Range::all()), backward);
    assert_eq!(backward.len(), 909);
    assert!(backward.is_sorted());
    assert_eq!(rows(&*store, Range::prefix("run/")).len(), 901);
    assert_eq!(rows(&*store, Range::prefix([0xff])).len(), 3);
    assert_eq!(
        rows(&*store, Range::prefix([0xff, 0xff]).reverse()).len(),
        2
    );
    assert_eq!(rows(&*store, Range::prefix("")).len(), 909);
    assert_eq!(rows(&*store, Range::prefix("none")), vec![]);
    assert_eq!(
        keys(&*store, Range::between("run/0010", "run/0012")),
        ["run/0010", "run/0011"]
    );
    assert_eq!(
        keys(&*store, Range::prefix("run/08").after("run/0897")),
        ["run/0898", "run/0899"]
    );
    assert_eq!(
        keys(&*store, Range::between("run/0010", "run/0012").reverse()),
        ["run/0011", "run/0010"]
    );
    assert_eq!(keys(&*store, Range::between("b", "a")), [""; 0]);
    assert_eq!(keys(&*store, Range::between("a", "a").after("a")), [""; 0]);
    assert_eq!(
        store.scan(Range::all().reverse()).take(5).count(),
        5,
        "a scan may be left half-way"
    );
}

fn keeps_long_values(factory: &dyn Factory) {
    let store = factory.fresh();
    let value = |size: usize, seed: u8| -> Vec<u8> {
        (0..size).map(|index| (index % 251) as u8 ^ seed).collect()
    };
    let sizes = [0, 1, 4095, 4096, 4097, 8192, 100_000, MAX_VALUE_BYTES];
    for round in 0..3 {
        for size in sizes {
            let key = format!("size/{size}");
            let before = store.get(key.as_bytes()).unwrap();
            assert_eq!(before.is_some(), round > 0);
            let batch = Batch::new()
                .expect_unchanged(key.as_str(), before)
                .put(key.as_str(), value(size, round));
            store.commit(batch).wait().unwrap();
            assert_eq!(store.get(key.as_bytes()).unwrap(), Some(value(size, round)));
        }
    }
    let store = factory.reopen(store);
    assert_eq!(
        rows(&*store, Range::all()).len(),
        sizes.len(),
        "a scan shows whole rows and nothing else"
    );
    for (key, found) in rows(&*store, Range::all().reverse()) {
        let size: usize = String::from_utf8_lossy(&key[5..]).parse().unwrap();
        assert!(found == value(size, 2), "value of {size} bytes");
    }
    // Short again, and gone.
    let batch = sizes.iter().fold(Batch::new(), |batch, size| {
        batch.put(format!("size/{size}"), "short")
    });
    store.commit(batch).wait().unwrap();
    assert!(
        rows(&*store, Range::all())
            .iter()
            .all(|(_, value)| value == b"short")
    );
    store
        .commit(sizes.iter().fold(Batch::new(), |batch, size| {
            batch.delete(format!("size/{size}"))
        }))
        .wait()
        .unwrap();
    assert_eq!(rows(&*factory.reopen(store), Range::all()), vec![]);
}

fn refuses_what_is_too_large(factory: &dyn Factory) {
    let store = factory.fresh();
    let refused = |batch: Batch| match store.commit(batch).wait() {
        Err(CommitError::Store(
            error @ (StoreError::TooLarge { .. } | StoreError::WrittenTwice { .. }),
        )) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    };
    let many =
        |rows: usize| (0..rows).fold(Batch::new(), |batch, row| batch.put(format!("{row}"), "v"));
    let message = refused(many(MAX_ROWS + 1));
    assert!(
        message.contains("501 rows in one batch, but at most 500"),
        "{message}"
    );
    refused(Batch::new().put(vec![b'k'; MAX_KEY_BYTES + 1], "v"));
    refused(Batch::new().put("k", vec![0; MAX_VALUE_BYTES + 1]));
    refused(
        Batch::new()
            .put("a", vec![0; MAX_VALUE_BYTES])
            .put("b", vec![0; MAX_VALUE_BYTES])
            .put("c", "v"),
    );
    refused(Batch::new().put("k", "v").delete("k"));
    assert_eq!(store.sequence(), 0);
    assert_eq!(store.commit(many(MAX_ROWS)).wait(), Ok(1));
    assert_eq!(
        store
            .commit(Batch::new().put(vec![b'k'; MAX_KEY_BYTES], "v"))
            .wait(),
        Ok(2)
    );
}

/// Many threads add one to the same row by compare-and-set: every addition is there, none twice.
fn decides_concurrent_commits_one_after_another(factory: &dyn Factory) {
    const THREADS: u64 = 8;
    const ADDITIONS: u64 = 25;
    let store = factory.fresh();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for addition in 0..ADDITIONS {
                    while !add_one(&**store, thread, addition) {}
                }
            });
        }
    });
    let sequence = store.sequence();
    let store = factory.reopen(store);
    assert_eq!(
        store.get(b"sum"),
        Ok(Some((THREADS * ADDITIONS).to_be_bytes().to_vec()))
    );
    assert_eq!(
        (store.sequence(), sequence),
        (THREADS * ADDITIONS, THREADS * ADDITIONS)
    );
    assert_eq!(
        rows(&*store, Range::prefix("by/")).len() as u64,
        THREADS * ADDITIONS
    );
}

fn add_one(store: &dyn Store, thread: u64, addition: u64) -> bool {
    let read = store.get(b"sum").unwrap();
    let sum = read
        .as_deref()
        .map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
    let batch = Batch::new()
        .expect_unchanged("sum", read)
        .put("sum", (sum + 1).to_be_bytes())
        .put(format!("by/{thread}/{addition}"), "done");
    match store.commit(batch).wait() {
        Ok(_) => true,
        Err(CommitError::Conflict { key }) => {
            assert_eq!(key, b"sum");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn tells_changes(factory: &dyn Factory) {
    let store = factory.fresh();
    store.commit(Batch::new().put("a", "1")).wait().unwrap();
    runtime().block_on(async {
        let mut all = store.changes(1);
        let mut later = store.changes(store.sequence() + 1);
        let mut future = store.changes(50);
        store
            .commit(Batch::new().put("b", "2").delete("a"))
            .await
            .unwrap();
        store
            .commit(Batch::new().expect_absent("b").put("c", "3"))
            .await
            .unwrap_err();
        for (sequence, keys) in [
            (1, vec![b"a".to_vec()]),
            (2, vec![b"b".to_vec(), b"a".to_vec()]),
        ] {
            let change = all.next().await.unwrap().unwrap();
            assert_eq!((change.sequence, &change.keys), (sequence, &keys));
        }
        assert_eq!(later.next().await.unwrap().unwrap().sequence, 2);
        let lagged = future.next().await.unwrap().unwrap_err();
        assert_eq!((lagged.wanted, lagged.newest), (50, 2));
        // A reader that waits is woken; a rejected batch tells nobody.
        let (change, committed) =
            tokio::join!(later.next(), store.commit(Batch::new().put("d", "4")));
        assert_eq!((change.unwrap().unwrap().sequence, committed), (3, Ok(3)));
        assert_eq!(
            future.next().await.unwrap().unwrap().sequence,
            3,
            "after having lagged it goes on"
        );
        drop(store);
        assert_eq!(
            all.next().await.unwrap().unwrap().sequence,
            3,
            "what is left is still read"
        );
        assert_eq!(all.next().await, None, "a closed store ends the feed");
    });
}

fn tells_a_reader_that_fell_behind(factory: &dyn Factory) {
    let store = factory.fresh();
    let mut slow = store.changes(1);
    for number in 0..140_u32 {
        let batch = (0..MAX_ROWS).fold(Batch::new(), |batch, row| {
            batch.put(format!("{row}"), number.to_be_bytes())
        });
        store.commit(batch).wait().unwrap();
    }
    runtime().block_on(async {
        let lagged = slow.next().await.unwrap().unwrap_err();
        assert_eq!((lagged.wanted, lagged.newest), (1, 140));
        let mut recent = store.changes(120);
        assert_eq!(recent.next().await.unwrap().unwrap().sequence, 120);
    });
}

fn takes_large_units(factory: &dyn Factory) {
    let store = factory.fresh();
    store
        .commit(Batch::new().put("base", "1").put("gone", "x"))
        .wait()
        .unwrap();
    let unit = (0..2000_u32).fold(Batch::new().expect_equals("base", "1"), |unit, row| {
        unit.put(format!("row/{row}"), vec![7; 300])
    });
    let unit = unit
        .put("base", "2")
        .put("long", vec![1; 200_000])
        .delete("gone");
    redo::commit_unit(&*store, unit.clone()).unwrap();
    assert_eq!(
        redo::commit_unit(&*store, unit),
        Err(CommitError::Conflict {
            key: b"base".to_vec()
        })
    );
    let store = factory.reopen(store);
    assert_eq!(rows(&*store, Range::all()).len(), 2002);
    assert_eq!(rows(&*store, Range::prefix(redo::PREFIX)), vec![]);
    assert_eq!(store.get(b"base"), Ok(Some(b"2".to_vec())));
}
