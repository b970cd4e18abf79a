//! Recorded answers of Prefect 3.8.8, tables for the rest, and hostile sources.
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const SAMPLES: [(&str, &str, &str); 5] = [
    (
        "simple",
        include_str!("../../tests/data/python/simple.py"),
        include_str!("../../tests/data/python/simple.json"),
    ),
    (
        "generics",
        include_str!("../../tests/data/python/generics.py"),
        include_str!("../../tests/data/python/generics.json"),
    ),
    (
        "standard",
        include_str!("../../tests/data/python/standard.py"),
        include_str!("../../tests/data/python/standard.json"),
    ),
    (
        "classes",
        include_str!("../../tests/data/python/classes.py"),
        include_str!("../../tests/data/python/classes.json"),
    ),
    (
        "flows",
        include_str!("../../tests/data/python/flows.py"),
        include_str!("../../tests/data/python/flows.json"),
    ),
];

/// Where reeve differs on purpose: variadic parameters are not required, and `**` accepts further names.
fn as_reeve(function: &Function, recorded: &Value) -> Value {
    let mut schema = recorded.clone();
    for parameter in &function.parameters {
        if matches!(
            parameter.kind,
            ParameterKind::VarPositional | ParameterKind::VarKeyword
        ) {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            schema["required"] = required
                .into_iter()
                .filter(|name| *name != json!(parameter.name))
                .collect();
        }
        if parameter.kind == ParameterKind::VarKeyword {
            schema["additionalProperties"] = json!(true);
        }
    }
    if schema["required"].as_array().is_none_or(Vec::is_empty) {
        schema.as_object_mut().unwrap().remove("required");
    }
    schema
}

#[test]
fn schemas_names_and_docstrings_equal_prefects() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for (file, source, recorded) in SAMPLES {
        let module = parse(source).unwrap();
        assert_eq!(module.syntax_error(), None, "{file}");
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        for (name, answer) in recorded.as_object().unwrap() {
            let function = module
                .function(name)
                .unwrap_or_else(|| panic!("{file}: {name} was not found"));
            let (ours, theirs) = (
                parameter_schema(&function, &module),
                as_reeve(&function, &answer["schema"]),
            );
            let flow = function.flow.as_ref().map(|_| flow_name(&function));
            if ours != theirs {
                wrong.push(format!("{file}.{name}\n  ours   {ours}\n  theirs {theirs}"));
            }
            if json!(function.docstring) != answer["docstring"]
                || json!(flow) != answer["flow"]["name"]
            {
                wrong.push(format!(
                    "{file}.{name}: {:?} {flow:?}, recorded {answer}",
                    function.docstring
                ));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 45, "only {compared} samples");
}

#[test]
fn the_decorator_is_found_under_every_name() {
    for (source, expected) in [
        (
            "from prefect import flow\n@flow\ndef a_b(): pass",
            Some("a-b"),
        ),
        (
            "from prefect import *\n@flow(name='x')\ndef a(): pass",
            Some("x"),
        ),
        (
            "import prefect as p\n@p.flow(name='x')\ndef a(): pass",
            Some("x"),
        ),
        (
            "from prefect.flows import flow as f\n@other\n@f(name=NAME)\nasync def a(): pass",
            Some("a"),
        ),
        (
            "try:\n  from prefect import flow\nexcept ImportError:\n  flow = None\n@flow\ndef a(): pass",
            Some("a"),
        ),
        ("@flow\ndef a(): pass", None),
        ("from other import flow\n@flow\ndef a(): pass", None),
        ("def a(): pass", None),
    ] {
        let module = parse(source).unwrap();
        let function = module.function(&module.function_names()[0]).unwrap();
        assert_eq!(
            function
                .flow
                .is_some()
                .then(|| flow_name(&function))
                .as_deref(),
            expected,
            "{source}"
        );
    }
}

#[test]
fn the_flow_decorators_literals_are_read() {
    let module = parse(SAMPLES[4].1).unwrap();
    let flow = module.function("named_flow").unwrap().flow.unwrap();
    let expected = FlowDecorator {
        name: Some("My Flow".into()),
        description: Some("does it".into()),
        version: Some("v1".into()),
        retries: Some(2),
        retry_delay_seconds: Some(1.5),
        timeout_seconds: Some(60.0),
        log_prints: Some(true),
        validate_parameters: Some(false),
    };
    assert_eq!(flow, expected);
}

#[test]
fn the_last_definition_counts_and_nesting_in_functions_is_not_looked_into() {
    let module = parse("def a(x): pass\nif True:\n  def a(y):\n    def inner(): pass\nclass C:\n  class D:\n    async def m(self): 'doc'").unwrap();
    assert_eq!(module.function_names(), ["a", "C.D.m"]);
    assert_eq!(module.function("a").unwrap().parameters[0].name, "y");
    let method = module.function("C.D.m").unwrap();
    assert!(method.is_async && method.line == 7 && method.docstring.as_deref() == Some("doc"));
    assert!(module.function("inner").is_none());
}

#[test]
fn defaults_are_literals_or_text() {
    let source = "def f(a=-1.5, b='x' 'y', c=g(), d=(1, {'k': None}), e=99999999999999999999, f=f'{a}', h=60*60, i=b'z', j=1e999): pass";
    let function = parse(source).unwrap().function("f").unwrap();
    let defaults: Vec<_> = function
        .parameters
        .into_iter()
        .filter_map(|p| p.default)
        .collect();
    let computed = |text: &str| Default::Computed(text.to_owned());
    let literal = Default::Literal;
    assert_eq!(
        defaults,
        [
            literal(json!(-1.5)),
            literal(json!("xy")),
            computed("g()"),
            literal(json!([1, {"k": null}])),
            computed("99999999999999999999"),
            computed("f'{a}'"),
            computed("60*60"),
            literal(json!("z")),
            computed("1e999"),
        ]
    );
}

#[test]
fn computed_defaults_are_optional_and_unknown_types_accept_anything() {
    let module =
        parse("def f(a: int = g(), b: Nowhere = None, c: list[Nowhere[int]] = []): pass").unwrap();
    let schema = parameter_schema(&module.function("f").unwrap(), &module);
    assert_eq!(
        schema,
        json!({"title": "Parameters", "type": "object", "definitions": {}, "properties": {
            "a": {"title": "a", "position": 0, "type": "integer"},
            "b": {"title": "b", "position": 1, "default": null},
            "c": {"title": "c", "position": 2, "type": "array", "items": {}, "default": []},
        }})
    );
}

#[test]
fn models_may_inherit_name_themselves_and_use_field() {
    let source = "from pydantic import BaseModel, Field\nclass A(BaseModel):\n  id: int = Field(..., ge=1)\n  up: 'A | None' = None\nclass B(A):\n  tags: list[str] = Field(default_factory=list)\ndef f(b: B): pass\nclass L(L): pass\ndef g(l: L): pass";
    let module = parse(source).unwrap();
    let schema = parameter_schema(&module.function("f").unwrap(), &module);
    assert_eq!(schema["definitions"]["B"]["required"], json!(["id"]));
    assert_eq!(
        schema["definitions"]["A"]["properties"]["up"]["anyOf"][0],
        json!({"$ref": "#/definitions/A"})
    );
    assert_eq!(
        parameter_schema(&module.function("g").unwrap(), &module)["properties"]["l"],
        json!({"title": "l", "position": 0})
    );
}

#[test]
fn a_syntax_error_has_its_place_and_the_rest_is_read() {
    let module = parse("def a(x: int): pass\nx = é )\ndef b(): pass\n").unwrap();
    assert_eq!(module.syntax_error().map(|(line, _)| line), Some(2));
    assert!(module.function("a").is_some());
    assert_eq!(parse("x = 1\n").unwrap().syntax_error(), None);
}

#[test]
fn what_stands_before_noise_is_read() {
    let module = parse(&format!(
        "def a(x: int): pass\n{}",
        "? a ) \0(".repeat(5_000)
    ))
    .unwrap();
    assert_eq!(module.function_names(), ["a"]);
    assert_eq!(module.syntax_error().map(|(line, _)| line), Some(2));
}

#[test]
fn hostile_sources_end_in_an_answer() {
    assert_eq!(
        parse(&" ".repeat(MAX_BYTES + 1)).unwrap_err(),
        ParseError::TooLarge {
            bytes: MAX_BYTES + 1
        }
    );
    let blocks: String = (0..300)
        .map(|depth| format!("{}if x:\n", " ".repeat(depth)))
        .collect();
    for source in [
        format!(
            "def f(a={}1{}): pass",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ),
        format!("def f(a: {}): pass", "list[".repeat(10_000)),
        format!("def f(a: {}int): pass", "int | ".repeat(10_000)),
        format!("def f(a={}1): pass", "-".repeat(10_000)),
        "(".repeat(10_000),
        "\0)(*&".repeat(2_000),
        "? a ".repeat(2_000),
        "class A:\n ".repeat(1_000),
        blocks,
        "class A(B, C): pass\nclass B(A, C): pass\nclass C(A, B): pass\n".to_owned()
            + "def f(a: A, b: B = A.x): pass",
        (1..60)
            .map(|n| {
                format!(
                    "class C{n}(C{m}, D{m}): pass\nclass D{n}(C{m}, D{m}): pass\n",
                    m = n - 1
                )
            })
            .collect::<String>()
            + "def f(a: C59): pass",
    ] {
        if let Ok(module) = parse(&source) {
            for name in module.function_names() {
                parameter_schema(&module.function(&name).unwrap(), &module);
            }
        }
    }
}

fn read_all(source: &str) {
    if let Ok(module) = parse(source) {
        for name in module.function_names() {
            let function = module.function(&name).unwrap();
            flow_name(&function);
            parameter_schema(&function, &module);
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(source in "(?s).{0,200}") {
        read_all(&source);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_python_is_read_without_panic(
        sample in 0..SAMPLES.len(), cut in any::<prop::sample::Index>(), length in 0usize..80,
        token in prop::sample::select(vec!["", "(", "]", "'", "\"\"\"", "\\", "def ", "@", "*", ":", "\t", "é", "\0", "f'{", "class A(A):\n x: A\n"]),
    ) {
        let mut chars: Vec<char> = SAMPLES[sample].1.chars().collect();
        let start = cut.index(chars.len());
        let end = (start + length).min(chars.len());
        chars.splice(start..end, token.chars());
        read_all(&chars.into_iter().collect::<String>());
    }
}
