//! Tables and properties of the placeholder form.
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn known(reference: &Reference) -> Resolution {
    let values = json!({"s": "text", "n": 3, "f": 1e16, "t": true, "z": null, "o": {"k": ["it's", 1.5]}, "a-b": {"c": [10, 20]}});
    match reference {
        Reference::Environment("HOME") => Resolution::Value(json!("/root")),
        Reference::Value(path) => {
            lookup(&values, path).map_or(Resolution::Missing, |v| Resolution::Value(v.clone()))
        }
        Reference::Block(_) | Reference::Variable(_) | Reference::Context(_) => Resolution::Keep,
        _ => Resolution::Missing,
    }
}

#[test]
fn names_are_classified_by_prefix() {
    for (name, reference) in [
        ("$HOME", Reference::Environment("HOME")),
        (
            "prefect.blocks.secret.token",
            Reference::Block("secret.token"),
        ),
        ("prefect.variables.x", Reference::Variable("x")),
        ("ctx.flow_run.id", Reference::Context("flow_run.id")),
        ("parameters.x", Reference::Parameter("x")),
        ("step.out[0]", Reference::Value("step.out[0]")),
        ("parameters", Reference::Value("parameters")),
    ] {
        assert_eq!(Reference::of(name), reference);
    }
}

#[test]
fn only_the_form_is_found() {
    for (text, names) in [
        ("{{ a }}{{b}} {{  c.d[0]  }}", vec!["a", "b", "c.d[0]"]),
        ("{{{ a }}}", vec!["a"]),
        (
            "{{ a | b }} {{ f(x) }} {{ }} {{}} { { a } } {{ a b }} {{ a }",
            vec![],
        ),
        ("{{ {{ $X }} }}", vec!["$X"]),
        ("{{\n größe\t}}", vec!["größe"]),
        ("{% if x %} {{ a }}", vec!["a"]),
    ] {
        assert_eq!(
            placeholders(text)
                .into_iter()
                .map(|p| p.name)
                .collect::<Vec<_>>(),
            names,
            "{text}"
        );
    }
}

#[test]
fn values_keep_their_type_alone_and_read_as_python_in_text() {
    for (text, value) in [
        ("{{ n }}", json!(3)),
        ("{{ o }}", json!({"k": ["it's", 1.5]})),
        ("{{ z }}", json!(null)),
        ("{{ $HOME }}", json!("/root")),
        ("{{ a-b.c[1] }}", json!(20)),
        (" {{ n }}", json!(" 3")),
        (
            "<{{ s }}|{{ t }}|{{ z }}|{{ f }}|{{ o }}>",
            json!("<text|True|None|1e+16|{'k': [\"it's\", 1.5]}>"),
        ),
        (
            "{{ ctx.flow.name }} {{ n }}",
            json!("{{ ctx.flow.name }} 3"),
        ),
        (
            "{{ prefect.blocks.secret.t }}",
            json!("{{ prefect.blocks.secret.t }}"),
        ),
        ("{{ event.id }}", json!("{{ event.id }}")),
        ("{{ foo | bar }}", json!("{{ foo | bar }}")),
    ] {
        let rendered = render(&json!(text), &mut known);
        assert_eq!(
            rendered,
            Rendered {
                value,
                unresolved: vec![]
            },
            "{text}"
        );
    }
}

#[test]
fn what_is_missing_stays_and_is_reported_with_its_place() {
    let value = json!({"a/b": ["x", "{{ gone }}"], "c": "in {{ $NO }} {{ n }}"});
    let rendered = render(&value, &mut known);
    assert_eq!(
        rendered.value,
        json!({"a/b": ["x", "{{ gone }}"], "c": "in {{ $NO }} 3"})
    );
    let found: Vec<_> = rendered
        .unresolved
        .iter()
        .map(|u| (u.path.as_str(), u.name.as_str(), u.whole))
        .collect();
    assert_eq!(found, [("/a~1b/1", "gone", true), ("/c", "$NO", false)]);
}

#[test]
fn nesting_is_bounded() {
    let mut value = json!("{{ n }}");
    for _ in 0..MAX_DEPTH + 1 {
        value = json!([value]);
    }
    let rendered = render(&value, &mut known);
    assert_eq!(rendered.value, value);
    assert_eq!(rendered.unresolved[0].reason, Reason::TooDeep);
}

#[test]
fn a_path_walks_keys_and_indices() {
    let value = json!({"a": {"b": [{"c": 1}, [2]]}, "x.y": 3, "l": [0]});
    for (path, found) in [
        ("a.b[0].c", Some(json!(1))),
        ("a.b[1][0]", Some(json!(2))),
        ("x.y", Some(json!(3))),
        ("a.b[9]", None),
        ("a.b[x]", None),
        ("a.b[0", None),
        ("", None),
        (".", None),
        ("a.", None),
        ("l[0].z", None),
        ("a[b]", None),
    ] {
        assert_eq!(lookup(&value, path).cloned(), found, "{path}");
    }
}

proptest! {
    #[test]
    fn keeping_everything_changes_nothing(text in "[{} a.$|\\[\\]é\n]{0,60}") {
        let rendered = render(&json!(text), &mut |_| Resolution::Keep);
        prop_assert_eq!(rendered.value, json!(text));
    }

    #[test]
    fn every_missing_name_is_reported(text in "[{} a.$]{0,60}") {
        let rendered = render(&json!(text), &mut |_| Resolution::Missing);
        prop_assert_eq!(rendered.unresolved.len(), placeholders(&text).len());
        prop_assert_eq!(rendered.value, json!(text));
    }

    #[test]
    fn ranges_cover_the_braces(text in "\\PC{0,40}", name in "[a-z][a-z0-9_.-]{0,8}") {
        let whole = format!("{text}{{{{ {name} }}}}{text}");
        for found in placeholders(&whole) {
            let slice = &whole[found.range.clone()];
            prop_assert!(slice.starts_with("{{") && slice.ends_with("}}") && slice.contains(&found.name));
        }
    }

    #[test]
    fn lookup_never_panics(path in "[a-c.\\[\\]0-9é]{0,20}") {
        let _ = lookup(&json!({"a": [{"b": 1}], "c": {"a": [[1]]}}), &path);
    }
}
