//! What happens in a history. A history is a list of events that means the same whatever is left out of it, so that one that fails
//! can be shortened.
use super::file::{Entry, POLICIES, RULES};
use super::random::Random;

/// What happens, and when.
#[derive(Debug, Clone)]
pub struct Event {
    pub when: When,
    pub what: What,
}

#[derive(Debug, Clone, Copy)]
pub enum When {
    /// So many microseconds after what was before.
    After(i64),
    /// So many microseconds from the next slot that is due.
    NearSlot(i64),
    /// The same after so many slots.
    AfterSlots(u8, i64),
}

#[derive(Debug, Clone)]
pub enum What {
    /// The file is edited and read.
    Edit(Edit),
    /// The same file is read again.
    Redeploy,
    /// An operator pauses or resumes a deployment.
    Pause(u8),
    Resume(u8),
    /// The daemon is stopped in good order and started.
    Restart { down: i64, deploy_first: bool },
    /// The daemon is killed at its k-th write from now, before it is made or just after, or, where there is none before the
    /// next event, then. The file may be edited while it is down.
    Kill { writes: u8, made: bool, down: i64, edit: Option<Edit>, deploy_first: bool },
    /// The clock is set, by so many microseconds.
    SetClock(i64),
    Nothing,
}

/// A change of the file. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Edit {
    Add(u8, Entry),
    Remove(u8, u8),
    Rule(u8, u8, usize),
    Respell(u8, u8),
    Slug(u8, u8, Option<u8>),
    Parameters(u8, u8, Option<u8>),
    Policy(u8, u8, usize),
    Dst(u8, u8, u8),
    Duplicate(u8, u8),
    Reverse(u8),
    Active(u8, u8),
    Paused(u8),
    AddDeployment(u8),
    RemoveDeployment(u8),
    RenameFile,
    MoveRoot,
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// The events of a seed.
pub fn history(seed: u64) -> Vec<Event> {
    let mut random = Random(seed ^ 0x5eed);
    let count = 4 + random.below(16);
    (0..count).map(|_| Event { when: when(&mut random), what: what(&mut random) }).collect()
}

fn when(random: &mut Random) -> When {
    // Around the second at which a run is made ahead, the tenth at which it is claimed, the slot itself.
    let offsets = [-2 * SECOND, -1_000_001, -SECOND, -999_999, -500_000, -100_001, -100_000, -50_000, -1, 0, 1, 400, SECOND, 14 * SECOND, 16 * SECOND, 1_800 * SECOND];
    match random.below(10) {
        0..=4 => When::NearSlot(random.pick(&offsets)),
        5..=6 => When::AfterSlots(1 + random.below(12) as u8, random.pick(&offsets)),
        7..=8 => When::After(random.below(6 * HOUR as u64) as i64),
        _ => When::After(random.pick(&[0, 1, SECOND, 90 * SECOND])),
    }
}

fn what(random: &mut Random) -> What {
    match random.below(20) {
        0..=8 => What::Edit(edit(random)),
        9 => What::Redeploy,
        10..=11 => What::Pause(random.next() as u8),
        12..=13 => What::Resume(random.next() as u8),
        14 => What::Restart { down: down(random), deploy_first: random.one_in(3) },
        15..=17 => What::Kill {
            writes: random.below(5) as u8,
            made: random.one_in(2),
            down: down(random),
            edit: random.one_in(3).then(|| edit(random)),
            deploy_first: random.one_in(3),
        },
        18 => What::SetClock(set(random)),
        _ => What::Nothing,
    }
}

fn down(random: &mut Random) -> i64 {
    random.pick(&[0, 1_000, 300_000, SECOND, 10 * SECOND, 20 * SECOND, 600 * SECOND, 3 * HOUR, 50 * HOUR, 200 * HOUR])
}

fn set(random: &mut Random) -> i64 {
    let by = random.pick(&[1_000, 500_000, SECOND, 14 * SECOND, 59 * SECOND, 61 * SECOND, HOUR, 30 * HOUR, 24 * 6 * HOUR]);
    if random.one_in(2) { by } else { -by }
}

fn edit(random: &mut Random) -> Edit {
    let (deployment, entry) = (random.next() as u8, random.next() as u8);
    let slug = |random: &mut Random| (!random.one_in(3)).then(|| random.below(3) as u8);
    match random.below(20) {
        0..=2 => Edit::Add(deployment, entry_of(random)),
        3..=4 => Edit::Remove(deployment, entry),
        5..=8 => Edit::Rule(deployment, entry, random.below(RULES.len() as u64) as usize),
        9 => Edit::Respell(deployment, entry),
        10..=11 => Edit::Slug(deployment, entry, slug(random)),
        12 => Edit::Parameters(deployment, entry, slug(random)),
        13 => match random.one_in(2) {
            true => Edit::Policy(deployment, entry, random.below(POLICIES as u64) as usize),
            false => Edit::Dst(deployment, entry, random.next() as u8),
        },
        14 => Edit::Duplicate(deployment, entry),
        15 => Edit::Reverse(deployment),
        16..=17 => Edit::Active(deployment, entry),
        18 => match random.below(3) {
            0 => Edit::AddDeployment(deployment),
            1 => Edit::RemoveDeployment(deployment),
            _ => Edit::Paused(deployment),
        },
        _ => if random.one_in(2) { Edit::RenameFile } else { Edit::MoveRoot },
    }
}

/// A schedule as a file may begin with.
pub fn entry_of(random: &mut Random) -> Entry {
    Entry {
        rule: random.below(RULES.len() as u64) as usize,
        spelling: 0,
        slug: random.one_in(3).then(|| random.below(3) as u8),
        active: !random.one_in(8),
        parameter: random.one_in(4).then(|| random.below(2) as u8),
        policy: if random.one_in(2) { 0 } else { random.below(POLICIES as u64) as usize },
        dst: if random.one_in(4) { random.next() as u8 } else { 0 },
    }
}
