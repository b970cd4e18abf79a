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

/// The names of one entry, whose flow a bare name shares.
pub fn read(deployment: &Node<'_>, name: &FullName) -> Vec<Claim> {
    let Some(field) = deployment.field("renamed_from") else { return Vec::new() };
    let mut claims: Vec<Claim> = Vec::new();
    let items = field.value.as_array().map(Vec::as_slice);
    if items.is_none() {
        claims.extend(claim(&field, name));
    }
    for (index, item) in items.into_iter().flatten().enumerate() {
        let found = claim(&field.item(index, item), name);
        claims.extend(found.filter(|found| claims.iter().all(|claim| claim.old != found.old)));
    }
    claims
}

fn claim(node: &Node<'_>, name: &FullName) -> Option<Claim> {
    const EXPECTED: &str = "an earlier name, or a list of them";
    let Some(text) = node.value.as_str() else {
        node.expected(EXPECTED);
        return None;
    };
    let old = match text.split_once('/') {
        None => FullName::new(name.flow.clone(), part(node, text)?),
        Some((flow, deployment)) if !deployment.contains('/') => FullName::new(part(node, flow)?, part(node, deployment)?),
        Some(_) => {
            let message = format!("{} holds more than one `/`; expected an earlier name: `name`, or `flow/name`", shown(text));
            node.report.push(node.error("bad-name", message));
            return None;
        }
    };
    if old == *name {
        let problem = node.warning("renamed-from-itself", format!("`renamed_from` is the deployment's own name, {}", shown(&old.to_string())));
        node.report.push(problem.help("remove it, or name what it was called before"));
        return None;
    }
    Some(Claim { old, place: node.place(At::Value) })
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
