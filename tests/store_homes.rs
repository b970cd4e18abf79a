//! Homes that are not what they should be: each a clear error of its own, and nothing in them is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reeve::store::{Batch, Range, StoreError, open, open_copy};
use uuid::Uuid;

const HOME: Uuid = Uuid::from_u128(0x5eed);

fn home_of(directory: &tempfile::TempDir) -> (PathBuf, String) {
    let home = directory.path().join("deep/er/home");
    let url = format!("sled:{}", home.display());
    (home, url)
}

fn refused(url: &str) -> StoreError {
    match open(url, HOME) {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

/// Every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_second_process_is_told_who_has_the_home() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    let store = open(&url, HOME).unwrap();
    let locked = StoreError::Locked {
        path: home,
        pid: Some(std::process::id()),
    };
    assert_eq!(refused(&url), locked);
    assert_eq!(open_copy(&url).err(), Some(locked));
    drop(store);
    open(&url, HOME).unwrap();
}

#[test]
fn a_foreign_directory_is_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    std::fs::create_dir_all(home.join("sub")).unwrap();
    std::fs::write(home.join("letter.txt"), "dear reader").unwrap();
    let before = files(&home);
    assert!(matches!(refused(&url), StoreError::Foreign { .. }));
    assert!(matches!(open_copy(&url), Err(StoreError::Foreign { .. })));
    assert_eq!(files(&home), before);

    let file = home.join("letter.txt");
    assert!(matches!(
        refused(&file.display().to_string()),
        StoreError::Foreign { .. }
    ));
    assert!(matches!(
        refused(&file.join("below").display().to_string()),
        StoreError::Unreadable { .. }
    ));
}

#[test]
fn a_sled_database_of_somebody_else_is_foreign() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    let other = sled::open(home.join("sled")).unwrap();
    other.insert("theirs", "value").unwrap();
    drop(other);
    assert!(matches!(refused(&url), StoreError::Foreign { .. }));
    assert_eq!(
        sled::open(home.join("sled"))
            .unwrap()
            .get("theirs")
            .unwrap()
            .unwrap(),
        "value"
    );
}

#[test]
fn a_newer_home_is_refused_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    open(&url, HOME)
        .unwrap()
        .commit(Batch::new().put("a", "1"))
        .wait()
        .unwrap();
    let set = |format: &str| {
        let database = sled::open(home.join("sled")).unwrap();
        database.insert(b"\x00format", format).unwrap();
    };
    set(r#"{"version":9,"id":"changed shape","more":true}"#);
    let error = refused(&url);
    assert_eq!(
        error,
        StoreError::Newer {
            path: home.clone(),
            found: 9,
            known: 1
        }
    );
    assert!(
        error
            .to_string()
            .contains("has format 9 and this reeve knows formats up to 1"),
        "{error}"
    );
    set(&format!(r#"{{"version":1,"id":"{HOME}"}}"#));
    assert_eq!(open(&url, HOME).unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
}

#[test]
fn a_damaged_home_is_a_clear_error_that_names_the_backup() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    drop(open(&url, HOME).unwrap());
    let conf = home.join("sled/conf");
    let good = std::fs::read(&conf).unwrap();
    std::fs::write(
        &conf,
        "segment_size: 524288 and something that was never there",
    )
    .unwrap();
    let StoreError::Corrupt { backup: None, .. } = refused(&url) else {
        panic!("not corrupt")
    };
    std::fs::write(home.join("backup"), "").unwrap();
    let error = refused(&url);
    assert!(
        error.to_string().contains(&format!(
            "restore the backup {}",
            home.join("backup").display()
        )),
        "{error}"
    );
    std::fs::write(&conf, good).unwrap();
    open(&url, HOME).unwrap();
}

#[test]
fn a_snapshot_that_a_crash_left_half_written_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    open(&url, HOME)
        .unwrap()
        .commit(Batch::new().put("a", "1"))
        .wait()
        .unwrap();
    std::fs::write(home.join("sled/snap.7FFFFFFFFFFFFFFF.generating"), "half").unwrap();
    assert_eq!(open_copy(&url).unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
    assert_eq!(open(&url, HOME).unwrap().get(b"a"), Ok(Some(b"1".to_vec())));
}

#[test]
fn a_home_whose_making_was_interrupted_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    std::fs::create_dir_all(home.join("sled.new/blobs")).unwrap();
    std::fs::write(home.join("sled.new/conf"), "half").unwrap();
    assert_eq!(open(&url, HOME).unwrap().home().id, HOME);
    assert!(!home.join("sled.new").exists());
}

#[test]
fn a_copy_shows_the_home_and_never_makes_or_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let (home, url) = home_of(&directory);
    assert_eq!(
        open_copy(&url).err(),
        Some(StoreError::Missing { path: home.clone() })
    );
    assert!(!directory.path().join("deep").exists());
    open(&url, HOME)
        .unwrap()
        .commit(Batch::new().put("a", "1").put("long", vec![5; 50_000]))
        .wait()
        .unwrap();
    let before = files(&home);
    let copy = open_copy(&url).unwrap();
    assert_eq!((copy.home().id, copy.sequence()), (HOME, 1));
    let keys: Vec<_> = copy.scan(Range::all()).map(|row| row.unwrap().0).collect();
    assert_eq!(keys, [&b"a"[..], b"long"]);
    assert!(files(&home) == before);
    let store = open(&url, HOME).expect("a copy holds nothing");
    store.commit(Batch::new().put("a", "2")).wait().unwrap();
    assert_eq!(copy.get(b"a"), Ok(Some(b"1".to_vec())));
}

#[test]
fn an_unknown_scheme_names_the_known_ones() {
    let error = refused("postgres://host/db");
    assert!(error.to_string().contains("known: sled, ram"), "{error}");
}

#[test]
fn a_home_is_free_as_soon_as_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (_, url) = home_of(&directory);
    for number in 1..60 {
        let store = open(&url, HOME).unwrap();
        let tickets: Vec<_> = (0..8)
            .map(|row| store.commit(Batch::new().put(format!("{row}"), vec![number; 3000])))
            .collect();
        drop(store);
        assert!(
            tickets.into_iter().all(|ticket| ticket.wait().is_ok()),
            "what was queued is still committed"
        );
    }
}
