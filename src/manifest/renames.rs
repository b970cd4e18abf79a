//! `renamed_from:` of deployments: earlier names, under which what is stored is found again.
use super::node::Node;
use super::report::{At, Place, Problem, Report, shown};
use super::project::LeftOut;
use super::work_pool;
use crate::model::deployment::FullName;
use crate::model::desired::Desired;
use std::collections::BTreeMap;

/// An earlier name that an entry claims, and where.
pub struct Claim {
    pub old: FullName,
    place: Place,
}

/// The names of one entry. A bare name is one of the same flow; where the entry's flow is only `implied` by its own name, as that
/// of a command is, the flow had the earlier name, too: then it stands for both.
pub fn read(deployment: &Node<'_>, name: &FullName, implied: bool) -> Vec<Claim> {
    let Some(field) = deployment.field("renamed_from") else { return Vec::new() };
    let mut claims: Vec<Claim> = Vec::new();
    let mut add = |node: &Node<'_>| {
        for old in earlier(node, name, implied).unwrap_or_default() {
            if claims.iter().all(|claim| claim.old != old) {
                claims.push(Claim { old, place: node.place(At::Value) });
            }
        }
    };
    match field.value.as_array() {
        None => add(&field),
        Some(items) => items.iter().enumerate().for_each(|(index, item)| add(&field.item(index, item))),
    }
    claims
}

/// The full names that one text stands for.
fn earlier(node: &Node<'_>, name: &FullName, implied: bool) -> Option<Vec<FullName>> {
    const EXPECTED: &str = "an earlier name, or a list of them";
    let Some(text) = node.value.as_str() else {
        node.expected(EXPECTED);
        return None;
    };
    let old = match text.split_once('/') {
        None => {
            let bare = part(node, text)?;
            let own = implied.then(|| FullName::new(bare.clone(), bare.clone()));
            own.into_iter().chain([FullName::new(name.flow.clone(), bare)]).collect()
        }
        Some((flow, deployment)) if !deployment.contains('/') => vec![FullName::new(part(node, flow)?, part(node, deployment)?)],
        Some(_) => {
            let message = format!("{} holds more than one `/`; expected an earlier name: `name`, or `flow/name`", shown(text));
            node.report.push(node.error("bad-name", message));
            return None;
        }
    };
    if old.contains(name) {
        let problem = node.warning("renamed-from-itself", format!("`renamed_from` is the deployment's own name, {}", shown(&name.to_string())));
        node.report.push(problem.help("remove it, or name what it was called before"));
        return None;
    }
    Some(old)
}

/// A flow's or a deployment's name, if it can be one.
fn part(node: &Node<'_>, text: &str) -> Option<String> {
    let value = serde_json::Value::String(text.to_owned());
    work_pool::name(&node.with(&value))
}

/// Fills `desired.renames`: of an old name that is still declared, or claimed twice, nobody could tell what it becomes. What
/// was left out is declared, too.
pub fn settle(desired: &mut Desired, claims: Vec<(FullName, Claim)>, left_out: &LeftOut, report: &Report<'_>, file_index: impl Fn(&str) -> usize) {
    let mut claimed: BTreeMap<FullName, (FullName, Place)> = BTreeMap::new();
    for (new, Claim { old, place }) in claims {
        let shown_old = shown(&old.to_string());
        if let Some(declared) = desired.deployments.get(&old) {
            let first = Place::Pointer { file: file_index(&declared.file), pointer: format!("{}/name", declared.pointer), at: At::Value };
            let problem = Problem::error("renamed-and-declared", format!("{} is renamed from {shown_old}, which is still declared", shown(&new.to_string())), place);
            report.push(problem.related("it is declared at", first).help("remove the old entry, or this `renamed_from`"));
        } else if left_out.names.contains(&old) || left_out.bare_names.contains(&old.deployment) {
            let message = format!("{} is renamed from {shown_old}, which is still declared", shown(&new.to_string()));
            report.push(Problem::error("renamed-and-declared", message, place).help("remove the old entry, or this `renamed_from`"));
        } else if let Some((other, first)) = claimed.get(&old) {
            let message = format!("{shown_old} cannot become both {} and {}", shown(&other.to_string()), shown(&new.to_string()));
            let problem = Problem::error("renamed-twice", message, place).related("the other claim stands at", first.clone());
            report.push(problem.help("leave the name with the one that keeps its runs and schedules, and remove the other `renamed_from`"));
        } else {
            claimed.insert(old.clone(), (new.clone(), place));
            desired.renames.entry(new).or_default().push(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::{FileContent, Files, Input, ManifestFile, OnMissing, load};

    struct NoFiles;

    impl Files for NoFiles {
        fn read(&self, _path: &str) -> FileContent {
            FileContent::Missing
        }
    }

    /// The renames of a project with these entries, or the codes of its errors.
    fn renames(entries: &str) -> Result<Vec<String>, Vec<String>> {
        let manifests = [ManifestFile { path: "deployment.yaml".into(), content: format!("name: p\ndeployments: [{entries}]\n").into_bytes() }];
        let (environment, missing) = (&|_: &str| None, OnMissing::Warning);
        let input =
            Input { root: "/p", manifests: &manifests, files: &NoFiles, environment, strict: false, missing_environment: missing, missing_sources: missing };
        let loaded = load(&input);
        let all = |earlier: Vec<crate::model::deployment::FullName>| earlier.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match loaded.desired {
            Some(desired) => Ok(desired.renames.into_iter().map(|(new, earlier)| format!("{new} < {}", all(earlier))).collect()),
            None => Err(loaded.problems.into_iter().map(|problem| problem.code).collect()),
        }
    }

    #[test]
    fn a_bare_name_has_the_same_flow_or_its_own_where_the_entry_has_its_own() {
        for (entries, expected) in [
            ("{name: new, command: x, renamed_from: old}", Ok("new/new < old/old new/old")),
            ("{name: new, command: [x], renamed_from: [old, old/old, f/older]}", Ok("new/new < old/old new/old f/older")),
            ("{name: new, command: x, flow_name: f, renamed_from: old}", Ok("f/new < f/old")),
            ("{name: new, entrypoint: 'a.py:main', renamed_from: old}", Ok("main/new < main/old")),
            ("{name: new, command: x, renamed_from: old}, {name: old, command: x}", Err("renamed-and-declared")),
            ("{name: new, command: x, renamed_from: old}, {name: other, command: x, renamed_from: old}", Err("renamed-twice")),
            ("{name: new, command: x, renamed_from: old}, {name: other, command: x, flow_name: f, renamed_from: old/old}", Err("renamed-twice")),
        ] {
            let expected = expected.map(|text| vec![text.to_owned()]).map_err(|code| vec![code.to_owned()]);
            assert_eq!(renames(entries), expected, "{entries}");
        }
    }
}
