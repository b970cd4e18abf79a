//! As whom a run runs and what it may use: user, group, niceness, file mode mask, memory and processor time.
//!
//! Looked up and checked in the supervisor before it forks, so that what is wrong becomes a sentence; applied in the child between
//! fork and exec, where only system calls may be made.
use super::cgroup::Cgroup;
use rustix::fs::Mode;
use rustix::process::{Gid, Resource, Rlimit, Uid, geteuid, setpriority_process, setrlimit, umask};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

/// What a job asks for; `None` leaves it as the daemon has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confinement {
    /// A name or a number, as in passwd(5). Only a daemon that runs as root can start runs as somebody else.
    pub user: Option<String>,
    /// Likewise; without it the user's own groups.
    pub group: Option<String>,
    /// From -20 (first) to 19 (last); less than the daemon's own needs root.
    pub nice: Option<i32>,
    pub umask: Option<u32>,
    /// Bytes: of the whole run where its control group can hold it, else of the private data of each of its processes.
    pub memory_max: Option<u64>,
    /// Processors: 0.5 is half of one. Only where the run's control group can hold it.
    pub cpu_max: Option<f64>,
}

impl Confinement {
    pub fn is_none(&self) -> bool {
        *self == Confinement::default()
    }
}

/// The same, ready to be applied.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    user: Option<Account>,
    nice: Option<i32>,
    umask: Option<Mode>,
    data_limit: Option<u64>,
    /// What the reader of the log should know.
    pub remarks: Vec<String>,
}

/// A user and groups of this host.
#[derive(Debug, Clone)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    /// Name and home directory, where the user has an entry.
    named: Option<(String, String)>,
}

impl Resolved {
    /// Looks everything up, and gives the run's control group its limits.
    ///
    /// # Errors
    /// A sentence: who is unknown, or what this daemon may not do.
    pub fn of(asked: &Confinement, cgroup: Option<&Cgroup>) -> Result<Resolved, String> {
        let mut resolved = Resolved { nice: asked.nice, umask: asked.umask.map(Mode::from_raw_mode), ..Resolved::default() };
        resolved.user = account_of(asked.user.as_deref(), asked.group.as_deref())?;
        if let Some(bytes) = asked.memory_max
            && !cgroup.is_some_and(|cgroup| cgroup.limit("memory.max", &bytes.to_string()))
        {
            resolved.data_limit = Some(bytes);
            resolved.remarks.push(format!("memory_max: {bytes} bytes for each process (no control group here can hold it for all of them)"));
        }
        if let Some(processors) = asked.cpu_max
            && !cgroup.is_some_and(|cgroup| cgroup.limit("cpu.max", &cpu_quota(processors)))
        {
            resolved.remarks.push("cpu_max is not held: no control group here can hold it".to_owned());
        }
        Ok(resolved)
    }

    /// The variables by which a program knows whose it is; those that the job sets itself win.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let named = self.user.as_ref().and_then(|user| user.named.clone());
        named.map_or_else(Vec::new, |(name, home)| vec![("USER", name.clone()), ("LOGNAME", name), ("HOME", home)])
    }

    /// In the child: what needs the daemon's rights first, then the rights go.
    pub fn apply(&self) -> io::Result<()> {
        if let Some(nice) = self.nice {
            setpriority_process(None, nice)?;
        }
        if let Some(mask) = self.umask {
            umask(mask);
        }
        if let Some(bytes) = self.data_limit {
            setrlimit(Resource::Data, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
        }
        if let Some(Account { uid, gid, groups, .. }) = &self.user {
            set_thread_groups(groups)?;
            set_thread_gid(*gid)?;
            set_thread_uid(*uid)?;
        }
        Ok(())
    }
}

/// `cpu.max` of a control group: microseconds of every 100 ms.
fn cpu_quota(processors: f64) -> String {
    const PERIOD: f64 = 100_000.0;
    format!("{} {PERIOD}", (processors * PERIOD).max(1_000.0).round() as u64)
}

/// Who a run would be.
///
/// # Errors
/// A sentence: who is unknown on this host, or that this process may not start anything as somebody else.
pub fn account_of(user: Option<&str>, group: Option<&str>) -> Result<Option<Account>, String> {
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    if !geteuid().is_root() {
        let asked = [user.map(|user| format!("user {user}")), group.map(|group| format!("group {group}"))];
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        return Err(format!("only a daemon that runs as root can start a run as {}", asked.join(", ")));
    }
    let entry = match user {
        None => Entry { uid: geteuid().as_raw(), gid: rustix::process::getegid().as_raw(), named: None },
        Some(user) => entry_of(user)?,
    };
    let gid = group.map_or(Ok(entry.gid), group_of)?;
    let groups = match &entry.named {
        Some((name, _)) if group.is_none() => groups_of(name, gid),
        _ => vec![gid],
    };
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(gid));
    let groups = groups.into_iter().map(Gid::from_raw).collect();
    Ok(Some(Account { uid, gid, groups, named: entry.named }))
}

struct Entry {
    uid: u32,
    gid: u32,
    named: Option<(String, String)>,
}

/// By getpwnam_r(3), which asks whatever this host keeps its users in; a number needs no entry.
fn entry_of(user: &str) -> Result<Entry, String> {
    let unknown = || format!("the user {user} is not known on this host");
    let name = CString::new(user).map_err(|_| unknown())?;
    let number = user.parse::<u32>().ok().filter(|number| *number != u32::MAX);
    let found = record(|record: *mut libc::passwd, texts, length, found| {
        // SAFETY: `record` and `texts` (of `length` bytes) are the caller's own, `name` ends with NUL.
        unsafe {
            match number {
                None => libc::getpwnam_r(name.as_ptr(), record, texts, length, found),
                Some(uid) => libc::getpwuid_r(uid, record, texts, length, found),
            }
        }
    }, |record| {
        // SAFETY: a record that was found has both texts, which live as long as it is looked at.
        let (name, home) = unsafe { (CStr::from_ptr(record.pw_name), CStr::from_ptr(record.pw_dir)) };
        let text = |text: &CStr| text.to_string_lossy().into_owned();
        Entry { uid: record.pw_uid, gid: record.pw_gid, named: Some((text(name), text(home))) }
    });
    found.or_else(|| number.map(|uid| Entry { uid, gid: uid, named: None })).ok_or_else(unknown)
}

fn group_of(group: &str) -> Result<u32, String> {
    let unknown = || format!("the group {group} is not known on this host");
    if let Some(number) = group.parse::<u32>().ok().filter(|number| *number != u32::MAX) {
        return Ok(number);
    }
    let name = CString::new(group).map_err(|_| unknown())?;
    let found = record(|record: *mut libc::group, texts, length, found| {
        // SAFETY: as in `entry_of`.
        unsafe { libc::getgrnam_r(name.as_ptr(), record, texts, length, found) }
    }, |record| record.gr_gid);
    found.ok_or_else(unknown)
}

/// Calls one of the functions that fill a record with texts elsewhere, with more room until they fit, and reads what it found.
fn record<R, T>(ask: impl Fn(*mut R, *mut libc::c_char, usize, *mut *mut R) -> libc::c_int, read: impl Fn(&R) -> T) -> Option<T> {
    const MOST_ROOM: usize = 1 << 20;
    let mut room = 4 << 10;
    loop {
        let mut texts: Vec<libc::c_char> = vec![0; room];
        let mut place = MaybeUninit::<R>::uninit();
        let mut found = std::ptr::null_mut();
        let error = ask(place.as_mut_ptr(), texts.as_mut_ptr(), room, &raw mut found);
        if error == libc::ERANGE && room < MOST_ROOM {
            room *= 4;
            continue;
        }
        // SAFETY: null, or the record above, filled; its texts are still there.
        return unsafe { found.as_ref() }.filter(|_| error == 0).map(&read);
    }
}

/// All groups of a user, by getgrouplist(3).
fn groups_of(name: &str, gid: u32) -> Vec<u32> {
    const MOST: usize = 1_024;
    let Ok(name) = CString::new(name) else { return vec![gid] };
    let mut groups = vec![0; MOST];
    let mut count = MOST as libc::c_int;
    // SAFETY: the list has as many places as `count` says.
    let found = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
    if found < 0 {
        return vec![gid];
    }
    groups.truncate(usize::try_from(count).unwrap_or(0));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_unknown_is_said_and_nobody_else_is_taken() {
        let asked = |user: Option<&str>, group: Option<&str>| Confinement { user: user.map(str::to_owned), group: group.map(str::to_owned), ..Confinement::default() };
        let resolved = |confinement: &Confinement| Resolved::of(confinement, None).map(|_| ());
        assert_eq!(resolved(&Confinement::default()), Ok(()));
        let someone = resolved(&asked(Some("no-such-user-here"), None));
        let somewhere = resolved(&asked(None, Some("no-such-group-here")));
        if geteuid().is_root() {
            assert_eq!(someone.unwrap_err(), "the user no-such-user-here is not known on this host");
            assert_eq!(somewhere.unwrap_err(), "the group no-such-group-here is not known on this host");
            assert_eq!(resolved(&asked(Some("65534"), Some("65534"))), Ok(()));
        } else {
            assert_eq!(someone.unwrap_err(), "only a daemon that runs as root can start a run as user no-such-user-here");
            assert_eq!(somewhere.unwrap_err(), "only a daemon that runs as root can start a run as group no-such-group-here");
        }
    }

    #[test]
    fn a_share_of_processors_is_a_quota() {
        for (processors, expected) in [(0.5, "50000 100000"), (2.0, "200000 100000"), (0.0001, "1000 100000")] {
            assert_eq!(cpu_quota(processors), expected);
        }
    }

    #[test]
    fn without_a_control_group_the_limits_say_what_becomes_of_them() {
        let asked = Confinement { memory_max: Some(1 << 30), cpu_max: Some(0.5), ..Confinement::default() };
        let resolved = Resolved::of(&asked, None).unwrap();
        assert_eq!(resolved.data_limit, Some(1 << 30));
        assert_eq!(resolved.remarks.len(), 2, "{:?}", resolved.remarks);
    }
}
