//! Commands that Prefect's users know and reeve does not have: what does the same here. Pure: words in, text out.

/// The first words of a Prefect command, and what to type, or know, instead.
const ELSEWHERE: [(&str, &str); 16] = [
    ("init", "`reeve project init` writes a deployment.yaml"),
    ("deploy", "`reeve reconcile` makes what deployment.yaml declares; `reeve project init` writes a first one"),
    ("serve", "`reeve daemon` keeps running what deployment.yaml declares"),
    ("flow serve", "`reeve daemon` keeps running what deployment.yaml declares"),
    ("server", "`reeve daemon` serves the API and runs what is due"),
    ("orion", "`reeve daemon` serves the API and runs what is due"),
    ("worker", "`reeve daemon` works on every pool of type process itself"),
    ("agent", "`reeve daemon` works on every work queue itself"),
    ("deployment build", "`reeve project init` writes a deployment.yaml, `reeve reconcile` makes what it declares"),
    ("deployment create", "declare it in deployment.yaml; `reeve reconcile` makes what that declares"),
    ("deployment apply", "declare it in deployment.yaml; `reeve reconcile` makes what that declares"),
    ("deployment schedule", "declare its `schedules:` in deployment.yaml; `reeve upcoming` lists what fires next"),
    ("deployment set-schedule", "declare its `schedules:` in deployment.yaml; `reeve upcoming` lists what fires next"),
    ("config", "commands find the daemon of their home, $REEVE_HOME, by themselves; --api URL names another"),
    ("profile", "commands find the daemon of their home, $REEVE_HOME, by themselves; --api URL names another"),
    ("storage", "none is needed: runs read their code where the project's files are"),
];

/// What stands in for the command that begins with these words: as many of them as name it, and the advice.
pub fn instead_of(words: &[&str]) -> Option<(String, &'static str)> {
    let first: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    [2, 1].into_iter().filter(|count| *count <= first.len()).find_map(|count| {
        let typed = first[..count].join(" ");
        let (known, advice) = ELSEWHERE.iter().find(|(known, _)| *known == typed)?;
        Some(((*known).to_owned(), *advice))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_prefect_lead_to_those_of_reeve() {
        for (words, expected) in [
            (&["deploy", "my_flow.py:get_repo_info"][..], Some(("deploy", "reeve reconcile"))),
            (&["worker", "start", "--pool", "p"], Some(("worker", "reeve daemon"))),
            (&["deployment", "create", "leo.py"], Some(("deployment create", "reeve reconcile"))),
            (&["deployment", "frobnicate"], None),
            (&["--api", "deploy"], None),
            (&[], None),
        ] {
            let found = instead_of(words);
            assert_eq!(found.as_ref().map(|(typed, _)| typed.as_str()), expected.map(|(typed, _)| typed), "{words:?}");
            assert!(found.is_none_or(|(_, advice)| advice.contains(expected.unwrap_or_default().1)), "{words:?}");
        }
    }

    #[test]
    fn what_reeve_has_is_not_elsewhere() {
        let reeve = crate::cli::command();
        for (known, _) in ELSEWHERE {
            let found = known.split(' ').try_fold(&reeve, |command, word| command.find_subcommand(word));
            assert!(found.is_none(), "reeve has {known}");
        }
    }
}
