//! A plan for people: what changes, grouped by kind, what to know, what stands against it, and one line that counts.
use super::paint::{Ink, Page};
use super::{Style, Tense};
use crate::model::id::Kind;
use crate::model::name::typed;
use crate::model::overrides::Override;
use crate::model::stored::TOMBSTONE_DAYS;
use super::{flow, refusals, signature};
use crate::reconcile::plan::{Action, Drift, Fate, FieldChange, InProgress, Note, NoteLevel, Plan, Shadow, Step};
use crate::reconcile::planner::WITH_OVERRIDES;
use jiff::Timestamp;
use serde_json::Value;

/// Of each kind so many steps are shown unasked, prunes not counted: those are always shown.
const MOST_STEPS: usize = 50;
/// So many notes, and so many refusals, are shown unasked.
const MOST_NOTES: usize = 10;
/// Of each step so many changed fields are shown unasked.
const MOST_FIELDS: usize = 20;
/// Of each new object so many fields are shown unasked.
const MOST_FIELDS_OF_NEW: usize = 12;
/// A value of a new object is cut to so many columns where no terminal says how many there are.
const MOST_WIDTH: usize = 160;
/// What a whole schedule's words do not say.
const POLICIES: [&str; 7] = ["missed", "on_resume", "overlap", "expire_after", "jitter", "spread", "dst"];

/// The whole plan. Ends with a newline.
pub fn text(plan: &Plan, style: Style) -> String {
    let mut page = Page::new(style);
    if !plan.is_in_sync() || plan.is_refused() {
        header(&mut page, plan);
    }
    steps(&mut page, plan, style);
    notes(&mut page, plan, style);
    refused(&mut page, plan, style);
    page.gap();
    let ink = if plan.is_refused() { Ink::Bad } else { Ink::Strong };
    page.paragraph(ink, "", 2, &summary(plan, style.tense));
    page.finish()
}

/// Drops what [`text`] shows of a plan only when it is asked for everything: the fields of most of many new objects. They are most of a
/// large plan, and whoever reads only the text need not be sent them.
pub fn abridge(plan: &mut Plan) {
    for kind in [Kind::ConcurrencyLimit, Kind::WorkPool, Kind::WorkQueue, Kind::Deployment] {
        let is_new = |step: &&mut Step| step.kind == kind && step.action == Action::Create;
        let mut new: Vec<&mut Step> = plan.steps.iter_mut().filter(is_new).collect();
        if new.len() > MOST_STEPS {
            let (_, _, hidden) = new.select_nth_unstable_by(MOST_STEPS - 1, |a, b| a.name.cmp(&b.name));
            for step in hidden {
                (step.changes, step.makes, step.pointer) = (Vec::new(), Vec::new(), None);
            }
        }
    }
}

/// What changes and which overrides stand over it, without what surrounds that in [`text`].
pub(super) fn changes(plan: &Plan, style: Style) -> String {
    let mut page = Page::new(style);
    steps(&mut page, plan, style);
    page.finish()
}

fn steps(page: &mut Page, plan: &Plan, style: Style) {
    for (kind, title) in
        [(Kind::ConcurrencyLimit, "concurrency limits"), (Kind::WorkPool, "work pools"), (Kind::WorkQueue, "work queues"), (Kind::Deployment, "deployments")]
    {
        group(page, plan, style, kind, title);
    }
    shadows(page, plan, style);
}

/// The closing line: `2 to create, 1 to update, 9,996 unchanged`, or `In sync: nothing to change, 10 objects`.
pub fn summary(plan: &Plan, tense: Tense) -> String {
    let counts = plan.counts;
    if plan.is_in_sync() && !plan.is_refused() {
        let kept = if counts.kept > 0 { format!(", {} kept", thousands(counts.kept)) } else { String::new() };
        return match counts.total() - counts.kept {
            _ if plan.waiting > 0 => format!("Nothing has drifted; {}", waiting(plan)),
            0 => format!("In sync: nothing to change, nothing declared{kept}"),
            1 => format!("In sync: nothing to change, 1 object{kept}"),
            objects => format!("In sync: nothing to change, {} objects{kept}", thousands(objects)),
        };
    }
    // What is refused was not done, whatever was asked for.
    let tense = if plan.is_refused() { Tense::Planned } else { tense };
    let mut parts = Vec::new();
    if plan.moved.is_some() && counts.changes() == 0 {
        parts.push(in_tense(tense, "the project's root", "update"));
    }
    for (count, verb) in [
        (counts.create, "create"),
        (counts.update, "update"),
        (counts.adopt, "adopt"),
        (counts.rename, "rename"),
        (counts.restore, "restore"),
        (counts.prune, "prune"),
    ] {
        if count > 0 {
            parts.push(in_tense(tense, &thousands(count), verb));
        }
    }
    if let corrected @ 1.. = counts.drift.saturating_sub(counts.drift_left) {
        parts.push(format!("{} (drift)", in_tense(tense, &thousands(corrected), "correct")));
    }
    if counts.drift_left > 0 {
        parts.push(format!("{} drifted and left so", thousands(counts.drift_left)));
    }
    if counts.kept > 0 {
        parts.push(format!("{} kept", thousands(counts.kept)));
    }
    if counts.unchanged > 0 {
        parts.push(format!("{} unchanged", thousands(counts.unchanged)));
    }
    if plan.waiting > 0 {
        parts.push(waiting(plan));
    }
    match (plan.is_refused(), parts.is_empty()) {
        (true, true) => "Refused: nothing is written".to_owned(),
        (true, false) => format!("Refused: nothing is written ({})", parts.join(", ")),
        (false, _) => parts.join(", "),
    }
}

/// `2 other changes wait: reeve reconcile --dry-run --project /srv/etl`.
fn waiting(plan: &Plan) -> String {
    let wait = if plan.waiting == 1 { "change waits" } else { "changes wait" };
    format!("{} other {wait}: `reeve reconcile --dry-run --project {}`", thousands(plan.waiting), typed(&plan.root))
}

/// `2 to create` or `2 created`.
fn in_tense(tense: Tense, what: &str, verb: &str) -> String {
    match tense {
        Tense::Planned => format!("{what} to {verb}"),
        Tense::Done if verb.ends_with('e') => format!("{what} {verb}d"),
        Tense::Done => format!("{what} {verb}ed"),
    }
}

fn header(page: &mut Page, plan: &Plan) {
    page.line(&[(Ink::Strong, &plan.project), (Ink::Faint, &format!("  {}", plan.root))]);
    if let Some(moved) = &plan.moved {
        page.line(&[(Ink::Change, "  ~ "), (Ink::Plain, &format!("moved: {} -> {}", moved.from, moved.to))]);
    }
}

fn group(page: &mut Page, plan: &Plan, style: Style, kind: Kind, title: &str) {
    let listed = |step: &&Step| step.kind == kind && (style.verbose || step.action != Action::Unchanged);
    let (moved, mut steps): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().filter(listed).partition(|step| !style.verbose && only_moved(step));
    if steps.is_empty() && moved.is_empty() {
        return;
    }
    page.gap();
    page.line(&[(Ink::Strong, title)]);
    steps.sort_by(|a, b| a.name.cmp(&b.name));
    let mut left = MOST_STEPS;
    let mut hidden = 0;
    for shown in steps {
        if shown.action != Action::Prune && !style.verbose {
            if left == 0 {
                hidden += 1;
                continue;
            }
            left -= 1;
        }
        step(page, shown, plan, style);
    }
    if hidden > 0 {
        page.line(&[(Ink::Faint, &format!("  ... and {} more ({} lists them)", thousands(hidden), verbose(plan, style)))]);
    }
    if let [first, ..] = moved[..] {
        let what = match moved.len() {
            1 => first.name.clone(),
            count => format!("{} {title}", thousands(count)),
        };
        page.line(&[(Ink::Change, "  ~ "), (Ink::Strong, &what), (Ink::Plain, ": start in the new root")]);
    }
}

/// An update that only follows the project's move: shown once for all.
fn only_moved(step: &Step) -> bool {
    step.action == Action::Update && matches!(&step.changes[..], [change] if change.field == "root")
}

fn step(page: &mut Page, step: &Step, plan: &Plan, style: Style) {
    let (mark, ink) = match step.action {
        Action::Create | Action::Restore => ("+", Ink::Good),
        Action::Update | Action::Rename => ("~", Ink::Change),
        Action::Adopt => ("±", Ink::Change),
        Action::Prune => ("-", Ink::Bad),
        Action::Unchanged => ("=", Ink::Faint),
    };
    let place = match (&step.position, &step.file) {
        (Some(position), _) => format!("  {position}"),
        (None, Some(file)) if step.action == Action::Prune && plan.was_not_read(file) => format!("  from {file}, which was not read"),
        (None, Some(file)) if step.action == Action::Prune => format!("  no longer in {file}"),
        (None, Some(file)) => format!("  {file}"),
        (None, None) => String::new(),
    };
    let was = step.renamed_from.as_ref().map(|was| format!("  (was {was})")).unwrap_or_default();
    let drifted = if step.drift.is_some() { "  drifted" } else { "" };
    page.line(&[(ink, &format!("  {mark} ")), (Ink::Strong, &step.name), (Ink::Change, &was), (Ink::Change, drifted), (Ink::Faint, &place)]);
    if style.verbose {
        page.line(&[(Ink::Faint, &format!("      id {}", step.id))]);
    }
    let routine = matches!(step.action, Action::Update | Action::Unchanged | Action::Prune | Action::Rename) && step.drift.is_none();
    let routine = routine && !step.reason.starts_with(WITH_OVERRIDES);
    let says_itself = !style.verbose && (routine || step.reason.starts_with("new in "));
    if !says_itself {
        let word = if step.action == Action::Update && step.drift.is_some() { "drift" } else { step.action.word() };
        page.line(&[(Ink::Plain, &format!("      {word}: {}", drift(step)))]);
    }
    fields(page, step, plan, style);
    runs(page, step);
    if let Some(runs) = &step.in_progress {
        page.line(&[(Ink::Plain, &format!("      in progress: {}", in_progress(runs)))]);
    }
    if style.verbose {
        for made in &step.makes {
            let line = format!("      with the {} {}  id {}", made.kind.words(), made.name, made.id);
            page.line(&[(Ink::Faint, &line)]);
        }
    }
}

/// Why a step is there; of what has drifted, what is done about it.
pub(super) fn drift(step: &Step) -> String {
    match step.drift {
        Some(Drift::Report) => format!("{}; it is left so (`drift: report`)", step.reason),
        Some(Drift::Correct) if step.action == Action::Adopt => format!("{}; it has drifted since", step.reason),
        _ => step.reason.to_string(),
    }
}

/// `2 runs go on to their end, 1 waiting run never starts`.
pub(super) fn in_progress(runs: &InProgress) -> String {
    let told = |count: usize, what: &str, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {what} {one}")),
        count => Some(format!("{} {what}s {many}", thousands(count))),
    };
    let (running, waiting) = match runs.fate {
        Fate::Finish => (told(runs.running, "run", "goes on to its end", "go on to their end"), ["never starts", "never start"]),
        Fate::Cancel => (told(runs.running, "run", "is cancelled", "are cancelled"), ["never starts", "never start"]),
        Fate::GoOn => (told(runs.running, "run", "goes on", "go on"), ["goes on", "go on"]),
        Fate::Renew => {
            let waiting = told(runs.waiting, "waiting run", "will start with the new definition", "will start with the new definition");
            let old = if waiting.is_some() { "the old one" } else { "the old definition" };
            let running = told(runs.running, "run", &format!("goes on with {old}"), &format!("go on with {old}"));
            return waiting.into_iter().chain(running).collect::<Vec<_>>().join(", ");
        }
        Fate::Keep => {
            let running = told(runs.running, "run", "goes on as it was made", "go on as they were made");
            (running, ["will start as it was made", "will start as they were made"])
        }
        Fate::Pause => (told(runs.running, "run", "goes on to its end", "go on to their end"), ["is cancelled", "are cancelled"]),
    };
    let parts: Vec<String> = running.into_iter().chain(told(runs.waiting, "waiting run", waiting[0], waiting[1])).collect();
    parts.join(", ")
}

/// `runs in the next day: 4 vanish, first 2026-11-22 01:00:00 UTC; 4 appear, first 2026-11-22 02:00:00 UTC`.
fn runs(page: &mut Page, step: &Step) {
    let Some(changes) = &step.runs else { return };
    let more = if changes.more { "more than " } else { "" };
    let told = |slots: &[Timestamp], one: &str, many: &str| {
        let first = slots.first()?;
        let what = if slots.len() == 1 { format!("1 {one}: {}", instant(*first)) } else { format!("{more}{} {many}, first {}", thousands(slots.len()), instant(*first)) };
        Some(what)
    };
    let moved = changes.moves.first().map(|first| match changes.moves.len() {
        1 => format!("1 moves: {} -> {}", instant(first.from), instant(first.to)),
        count => format!("{} move, first {} -> {}", thousands(count), instant(first.from), instant(first.to)),
    });
    let parts = [moved, told(&changes.vanish, "vanishes", "vanish"), told(&changes.appear, "appears", "appear")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    page.line(&[(Ink::Faint, &format!("      runs to come: {}", parts.join("; ")))]);
}

fn fields(page: &mut Page, step: &Step, plan: &Plan, style: Style) {
    let new = step.action == Action::Create;
    let (mut changes, parameters) = match style.verbose {
        true => (step.changes.iter().collect(), Vec::new()),
        false => signature::split(&step.changes, new),
    };
    if new && !style.verbose {
        changes.sort_by_key(|change| (!is_telling(change), change.field.contains('/')));
    }
    let most = match (style.verbose, new) {
        (true, _) => usize::MAX,
        (false, true) => MOST_FIELDS_OF_NEW,
        (false, false) => MOST_FIELDS,
    };
    let mut shown = changes.iter().take(most).peekable();
    while let Some(change) = shown.next() {
        field(page, change, style, new);
        let key = schedule_key(&change.field);
        if let Some(key) = key.filter(|_| shown.peek().and_then(|next| schedule_key(&next.field)) != key) {
            for note in plan.notes.iter().filter(|note| note.kind == Kind::Schedule && note.name.strip_prefix(&step.name) == Some(&format!("#{key}"))) {
                let (word, ink) = level(note);
                page.paragraph(ink, &format!("        {word}: "), 10, &note.message);
            }
        }
    }
    let room = most.saturating_sub(changes.len());
    for (mark, words) in parameters.iter().take(room) {
        let ink = [("+ ", Ink::Good), ("- ", Ink::Bad), ("~ ", Ink::Change)].into_iter().find(|(with, _)| with == mark);
        let words = clip(words, style.width.or(Some(MOST_WIDTH)).map(|width| width.saturating_sub(8)));
        page.line(&[(ink.map_or(Ink::Plain, |(_, ink)| ink), &format!("      {mark}")), (Ink::Plain, &words)]);
    }
    if let hidden @ 1.. = (changes.len() + parameters.len()).saturating_sub(most) {
        let what = one_or_many(hidden, "field");
        page.line(&[(Ink::Faint, &format!("      ... and {hidden} more {what} ({} lists them)", verbose(plan, style)))]);
    }
}

/// The schedule that a field belongs to.
fn schedule_key(field: &str) -> Option<&str> {
    field.strip_prefix("schedules/")?.split('/').next()
}

/// What one wants to know first of a new object: what starts, where, when.
fn is_telling(change: &FieldChange) -> bool {
    let whole = change.field.split('/').next().unwrap_or_default();
    let telling =
        ["entrypoint", "command", "type", "work_pool", "work_queue", "concurrency_limit", "priority", "paused"];
    telling.contains(&whole) || whole == "schedules" || whole == "filter"
}

fn field(page: &mut Page, change: &FieldChange, style: Style, new_object: bool) {
    let label = label(&change.field);
    let (mark, ink) = match (&change.old, &change.new) {
        _ if new_object => ("", Ink::Plain),
        (None, _) => ("+ ", Ink::Good),
        (_, None) => ("- ", Ink::Bad),
        _ => ("~ ", Ink::Change),
    };
    let width = style.width.or((new_object && !style.verbose).then_some(MOST_WIDTH));
    let room = width.map(|width| width.saturating_sub(6 + mark.len() + label.chars().count() + 2));
    let mut value = match (&change.old, &change.new) {
        (Some(old), Some(new)) if old == new => format!("{} (changed, never shown)", flow::bare(new)),
        (Some(old), Some(new)) => before_and_after(&flow::of(old), &flow::of(new), room),
        (Some(one), None) | (None, Some(one)) => clip(&shown(change, one), room),
        (None, None) => String::new(),
    };
    if let Some(words) = change.in_words.as_ref().filter(|_| !is_whole_schedule(change)) {
        value.push_str(&format!("  ({words})"));
    }
    page.line(&[(ink, &format!("      {mark}")), (Ink::Plain, &format!("{label}: {value}"))]);
    if let Some(by) = &change.shadowed_by {
        let line = format!("        no effect while overridden: {}", by_whom(by));
        page.line(&[(Ink::Change, &line)]);
    }
}

/// A whole schedule in words, any other value as JSON.
fn shown(change: &FieldChange, value: &Value) -> String {
    match change.in_words.as_ref().filter(|_| is_whole_schedule(change)) {
        None => flow::of(value),
        Some(words) => {
            let inactive = (value.get("active") == Some(&Value::Bool(false))).then(|| "inactive".to_owned());
            let policy = POLICIES.iter().filter_map(|field| Some(format!("{field}: {}", flow::bare(value.get(field)?))));
            let aside: Vec<String> = inactive.into_iter().chain(policy).collect();
            if aside.is_empty() { words.clone() } else { format!("{words} ({})", aside.join("; ")) }
        }
    }
}

/// The change is about a schedule as a whole, which comes or goes, and not about a field of it.
fn is_whole_schedule(change: &FieldChange) -> bool {
    [&change.old, &change.new].into_iter().flatten().all(Value::is_object)
}

/// The field, with the key of a schedule without a slug cut to what tells it apart.
fn label(field: &str) -> String {
    let mut parts: Vec<&str> = field.split('/').collect();
    if let ["schedules", key, ..] = &mut parts[..]
        && key.len() >= 16
        && key.bytes().take(16).all(|byte| byte.is_ascii_hexdigit())
    {
        *key = &key[..8];
    }
    parts.join("/")
}

/// `old -> new` in `room` columns: the longer side gives way first.
fn before_and_after(old: &str, new: &str, room: Option<usize>) -> String {
    let Some(room) = room.map(|room| room.saturating_sub(4)) else { return format!("{old} -> {new}") };
    let (old_len, new_len) = (old.chars().count(), new.chars().count());
    let half = room / 2;
    let (old_room, new_room) = if old_len + new_len <= room {
        (old_len, new_len)
    } else if old_len <= half {
        (old_len, room - old_len)
    } else if new_len <= half {
        (room - new_len, new_len)
    } else {
        (half, half)
    };
    format!("{} -> {}", clip(old, Some(old_room)), clip(new, Some(new_room)))
}

fn clip(text: &str, room: Option<usize>) -> String {
    match room {
        Some(room) if text.chars().count() > room.max(1) => {
            let mut clipped: String = text.chars().take(room.max(1) - 1).collect();
            clipped.push('…');
            clipped
        }
        _ => text.to_owned(),
    }
}

fn shadows(page: &mut Page, plan: &Plan, style: Style) {
    if plan.shadowed.is_empty() {
        return;
    }
    let most = if style.verbose { usize::MAX } else { MOST_NOTES };
    page.gap();
    page.line(&[(Ink::Strong, "overrides in force")]);
    for shadow in plan.shadowed.iter().take(most) {
        let line = format!("{}: {}; {}", label(&shadow.field), by_whom(&shadow.by), below(shadow));
        page.line(&[(Ink::Plain, "  "), (Ink::Strong, &shadow.name), (Ink::Plain, &format!("  {line}"))]);
    }
    if let hidden @ 1.. = plan.shadowed.len().saturating_sub(most) {
        page.line(&[(Ink::Faint, &format!("  ... and {} more (`reeve override ls` lists them)", thousands(hidden)))]);
    }
}

/// What would be without the override: `the file says true`, or `the default is false` where the file says nothing.
fn below(shadow: &Shadow) -> String {
    let value = shadow.declared.as_ref().unwrap_or(&Value::Null);
    let default = match shadow.field.rsplit('/').next() {
        Some("paused") => Value::Bool(false),
        Some("active") => Value::Bool(true),
        _ => Value::Null,
    };
    let said = if shadow.position.is_none() && *value == default { "the default is" } else { "the file says" };
    match value {
        value if *value == shadow.by.value => format!("{said} the same"),
        Value::Null => format!("{said} nothing").replace("the default is nothing", "the default is none"),
        value => format!("{said} {value}"),
    }
}

/// `true by alice since 2026-11-20 10:00:00 UTC until ...: load test`.
fn by_whom(by: &Override) -> String {
    let mut text = format!("{} by {} since {}", by.value, by.who, instant(by.since));
    if let Some(until) = by.until {
        text.push_str(&format!(" until {}", instant(until)));
    }
    if let Some(why) = &by.why {
        text.push_str(&format!(": {why}"));
    }
    text
}

fn notes(page: &mut Page, plan: &Plan, style: Style) {
    let quiet = plan.is_in_sync() && !style.verbose;
    // What is said of schedules stands under them; of what is not shown, only what wants somebody to act.
    let elsewhere = |note: &Note| note.kind == Kind::Schedule && (note.level == NoteLevel::Info || shows(plan, style, note));
    let mut told: Vec<&Note> =
        plan.notes.iter().filter(|note| (note.level == NoteLevel::Warning || !quiet) && !elsewhere(note)).collect();
    told.retain(|note| style.verbose || !is_of_kept(note));
    told.sort_by_key(|note| note.level == NoteLevel::Info);
    let most = if style.verbose { usize::MAX } else { MOST_NOTES };
    for note in told.iter().take(most) {
        let (word, ink) = level(note);
        page.gap();
        page.paragraph(ink, &format!("{}{word}: ", place(note)), 2, &note.sentence());
        if let Some(help) = &note.help {
            page.paragraph(Ink::Faint, "  help: ", 4, help);
        }
    }
    more(page, told.len().saturating_sub(most), "note", &verbose(plan, style));
    restorable(page, plan, style);
    kept(page, plan, style);
}

/// How deployments that are pruned come back.
fn restorable(page: &mut Page, plan: &Plan, style: Style) {
    let mut pruned = plan.steps.iter().filter(|step| (step.action, step.kind) == (Action::Prune, Kind::Deployment));
    let Some(first) = pruned.next() else { return };
    let name = if pruned.next().is_some() { "NAME".to_owned() } else { typed(&first.name) };
    let come_back = if style.tense == Tense::Done && !plan.is_refused() { "comes back" } else { "would come back" };
    page.gap();
    let line = format!("for {TOMBSTONE_DAYS} days what is pruned {come_back} with its runs by `reeve restore {name}`");
    page.paragraph(Ink::Faint, "note: ", 2, &line);
}

/// One line for all that left the files and stays because somebody said so.
fn kept(page: &mut Page, plan: &Plan, style: Style) {
    const NAMED: usize = 3;
    let names: Vec<&str> = plan.notes.iter().filter(|note| is_of_kept(note) && note.file.is_some()).map(|note| note.name.as_str()).collect();
    if names.is_empty() || style.verbose {
        return;
    }
    let all = plan.counts.kept;
    let more = if all > NAMED.min(names.len()) { ", ..." } else { "" };
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let what = if all == 1 { "1 object is no longer declared and stays" } else { &format!("{} objects are no longer declared and stay", thousands(all)) };
    page.gap();
    page.paragraph(Ink::Plain, "note: ", 2, &format!("{what}: {shown}{more} ({} says why)", verbose(plan, style)));
}

/// Notes of which the text makes one line.
fn is_of_kept(note: &Note) -> bool {
    ["not-pruned", "protected"].contains(&note.code.as_str())
}

fn one_or_many(count: usize, what: &str) -> String {
    if count == 1 { what.to_owned() } else { format!("{what}s") }
}

fn level(note: &Note) -> (&'static str, Ink) {
    match note.level {
        NoteLevel::Warning => ("warning", Ink::Change),
        NoteLevel::Info => ("note", Ink::Plain),
    }
}

/// Whether a note on a schedule stands under it: nothing was left out of the plan's deployments.
fn shows(plan: &Plan, style: Style, note: &Note) -> bool {
    let Some((deployment, _)) = note.name.rsplit_once('#') else { return false };
    let listed = plan.steps.iter().filter(|step| step.kind == Kind::Deployment && step.action != Action::Unchanged);
    style.verbose || listed.clone().count() <= MOST_STEPS && listed.clone().any(|step| step.name == deployment && step.changes.len() <= MOST_FIELDS)
}

fn refused(page: &mut Page, plan: &Plan, style: Style) {
    let most = if style.verbose { usize::MAX } else { MOST_NOTES };
    let told = refusals::told(plan, style.says_options);
    for (_, refusal) in told.iter().take(most) {
        page.gap();
        page.paragraph(Ink::Bad, "refused: ", 2, refusal);
    }
    more(page, told.len().saturating_sub(most), "refusal", &verbose(plan, style));
}

/// What shows everything, to be typed.
fn verbose(plan: &Plan, style: Style) -> String {
    match style.in_log {
        true => format!("`reeve reconcile --dry-run --verbose --project {}`", typed(&plan.root)),
        false => "--verbose".to_owned(),
    }
}

fn more(page: &mut Page, hidden: usize, what: &str, verbose: &str) {
    if hidden > 0 {
        page.gap();
        page.line(&[(Ink::Faint, &format!("... and {} more {} ({verbose} lists them)", thousands(hidden), one_or_many(hidden, what)))]);
    }
}

fn place(note: &Note) -> String {
    note.position.as_ref().map_or(String::new(), |position| format!("{position}: "))
}

/// An instant as the rest of the command line shows it.
fn instant(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `9,996`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
