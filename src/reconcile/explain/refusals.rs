//! What stands against a plan, sentence by sentence. A project under another name than before is told once, not for each of its objects.
use crate::model::position::Position;
use crate::reconcile::plan::Plan;
use crate::reconcile::refusal::Refusal;

/// The sentences, each with its place. `options`: what allows it is an option of the command that was typed, else a whole command.
pub(super) fn told(plan: &Plan, options: bool) -> Vec<(Option<&Position>, String)> {
    let mut told = Vec::new();
    let mut renamed = false;
    for refusal in &plan.refusals {
        match former(plan, refusal) {
            Some(former) if !renamed => {
                renamed = true;
                told.push((None, rename(plan, former)));
            }
            Some(_) => {}
            None if options => told.push((refusal.position(), refusal.to_string())),
            None => told.push((refusal.position(), refusal.in_full(&plan.root))),
        }
    }
    told
}

/// The project that owns an object and was applied from the same directory: this one, under its former name.
fn former<'a>(plan: &Plan, refusal: &'a Refusal) -> Option<&'a str> {
    match refusal {
        Refusal::Owned { owner, owner_root: Some(root), owner_position: None, .. } if *root == plan.root => Some(owner),
        _ => None,
    }
}

fn rename(plan: &Plan, former: &str) -> String {
    let count = plan.refusals.iter().filter(|refusal| self::former(plan, refusal).is_some()).count();
    let objects = if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
    format!(
        "the project was renamed: `name:` was `{former}` and is `{}` now, and it declares {objects} of `{former}`: give it its \
         former name again; or, if the new one is meant, take each over where it is deployed (`reeve adopt FLOW/NAME ... --project {}`)",
        plan.project,
        crate::model::name::typed(&plan.root)
    )
}
