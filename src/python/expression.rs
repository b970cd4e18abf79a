//! Python expressions as far as they can be known without running them: names, literals, subscripts, unions, calls.
//! Must never compute anything that is not a literal; recursion is bounded.
use serde_json::{Map, Number, Value};
use tree_sitter::Node;

/// Levels of nesting within one expression; deeper parts are [`Expression::Other`].
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// A dotted name.
    Name(String),
    /// `name[a, b]`.
    Subscript(String, Vec<Expression>),
    /// `a | b`, flat.
    Union(Vec<Expression>),
    Literal(Value),
    /// `...`
    Ellipsis,
    /// `name(positional, keyword=…)`.
    Call(String, Vec<Expression>, Vec<(String, Expression)>),
    Other,
}

impl Expression {
    pub(super) fn read(node: Node, source: &str) -> Self {
        read(node, source, 0)
    }

    pub(super) fn literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }
}

pub(super) fn text<'s>(node: Node, source: &'s str) -> &'s str {
    source.get(node.byte_range()).unwrap_or_default()
}

pub(super) fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| child.kind() != "comment")
        .collect()
}

fn read(node: Node, source: &str, depth: usize) -> Expression {
    if depth > MAX_DEPTH || node.has_error() {
        return Expression::Other;
    }
    let below = |node| read(node, source, depth + 1);
    match node.kind() {
        "type" | "parenthesized_expression" => match children(node)[..] {
            [inner] => below(inner),
            _ => Expression::Other,
        },
        "identifier" | "attribute" | "member_type" => {
            dotted(node, source).map_or(Expression::Other, Expression::Name)
        }
        "subscript" | "generic_type" => subscript(node, source, depth),
        "union_type" => union(children(node), source, depth),
        "binary_operator" if is_bar(node, source) => union(children(node), source, depth),
        "call" => call(node, source, depth),
        "ellipsis" => Expression::Ellipsis,
        _ => literal(node, source, depth).map_or(Expression::Other, Expression::Literal),
    }
}

fn is_bar(node: Node, source: &str) -> bool {
    node.child_by_field_name("operator")
        .is_some_and(|operator| text(operator, source) == "|")
}

fn union(members: Vec<Node>, source: &str, depth: usize) -> Expression {
    let mut flat = Vec::new();
    for member in members {
        match read(member, source, depth + 1) {
            Expression::Union(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    Expression::Union(flat)
}

/// A dotted name without spaces or calls in it.
pub(super) fn dotted(node: Node, source: &str) -> Option<String> {
    let name = text(node, source);
    let plain = name
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    plain.then(|| name.to_owned())
}

fn subscript(node: Node, source: &str, depth: usize) -> Expression {
    let mut parts = children(node).into_iter();
    let Some(name) = parts.next().and_then(|head| dotted(head, source)) else {
        return Expression::Other;
    };
    let spread = |part: Node| -> Vec<Expression> {
        match part.kind() {
            "type_parameter" | "tuple" => children(part)
                .into_iter()
                .map(|p| read(p, source, depth + 1))
                .collect(),
            _ => vec![read(part, source, depth + 1)],
        }
    };
    Expression::Subscript(name, parts.flat_map(spread).collect())
}

fn call(node: Node, source: &str, depth: usize) -> Expression {
    let name = node
        .child_by_field_name("function")
        .and_then(|function| dotted(function, source));
    let (Some(name), Some(arguments)) = (name, node.child_by_field_name("arguments")) else {
        return Expression::Other;
    };
    let (mut positional, mut keywords) = (Vec::new(), Vec::new());
    for argument in children(arguments) {
        match (
            argument.child_by_field_name("name"),
            argument.child_by_field_name("value"),
        ) {
            (Some(key), Some(value)) if argument.kind() == "keyword_argument" => {
                keywords.push((text(key, source).to_owned(), read(value, source, depth + 1)));
            }
            _ => positional.push(read(argument, source, depth + 1)),
        }
    }
    Expression::Call(name, positional, keywords)
}

fn literal(node: Node, source: &str, depth: usize) -> Option<Value> {
    let value = |node| read(node, source, depth + 1).literal().cloned();
    match node.kind() {
        "none" => Some(Value::Null),
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "integer" | "float" => number(text(node, source)),
        "unary_operator" => negated(node, source, value(node.child_by_field_name("argument")?)?),
        "string" => string(node, source).map(Value::String),
        "concatenated_string" => {
            let parts: Option<String> = children(node)
                .into_iter()
                .map(|part| string(part, source))
                .collect();
            parts.map(Value::String)
        }
        "list" | "tuple" | "set" | "expression_list" => children(node)
            .into_iter()
            .map(value)
            .collect::<Option<_>>()
            .map(Value::Array),
        "dictionary" => {
            let mut fields = Map::new();
            for pair in children(node) {
                let key = value(pair.child_by_field_name("key")?)?;
                fields.insert(key_text(key)?, value(pair.child_by_field_name("value")?)?);
            }
            Some(Value::Object(fields))
        }
        _ => None,
    }
}

/// A dictionary's key as JSON has it.
fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn negated(node: Node, source: &str, value: Value) -> Option<Value> {
    match (text(node.child_by_field_name("operator")?, source), value) {
        ("-", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.checked_neg().map(Value::from),
            (None, Some(float)) if number.is_f64() => Number::from_f64(-float).map(Value::Number),
            _ => None,
        },
        ("+", Value::Number(number)) => Some(Value::Number(number)),
        _ => None,
    }
}

/// An integer of up to 64 bits in any base, or a finite float; anything else is not JSON.
fn number(written: &str) -> Option<Value> {
    let text = written.replace('_', "").to_lowercase();
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(p, r)| text.strip_prefix(p).map(|t| (t, r)));
    if let Some((digits, radix)) = radix {
        return u64::from_str_radix(digits, radix).ok().map(Value::from);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse::<u64>().ok().map(Value::from);
    }
    text.parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map(Value::Number)
}

/// The value of a string token; `None` for an f-string or a template.
pub(super) fn string(node: Node, source: &str) -> Option<String> {
    let mut cursor = node.walk();
    let parts: Vec<Node> = node.children(&mut cursor).collect();
    let (start, end) = (parts.first()?, parts.last()?);
    if start.kind() != "string_start" || end.kind() != "string_end" {
        return None;
    }
    let prefix = text(*start, source).to_lowercase();
    if prefix.contains(['f', 't']) {
        return None;
    }
    let content = source
        .get(start.end_byte()..end.start_byte())?
        .replace("\r\n", "\n");
    if prefix.contains('r') {
        Some(content)
    } else {
        unescape(&content)
    }
}

fn unescape(content: &str) -> Option<String> {
    let mut out = String::with_capacity(content.len());
    let mut chars = content.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let escape = chars.next()?;
        let mut code = |first: u32, radix, length| {
            let mut code = first;
            for _ in 0..length {
                match chars.peek().and_then(|c| c.to_digit(radix)) {
                    Some(digit) => code = code.saturating_mul(radix).saturating_add(digit),
                    None => break,
                }
                chars.next();
            }
            char::from_u32(code)
        };
        match escape {
            '\n' => {}
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\\' | '\'' | '"' => out.push(escape),
            'x' => out.push(code(0, 16, 2)?),
            'u' => out.push(code(0, 16, 4)?),
            'U' => out.push(code(0, 16, 8)?),
            'N' => return None,
            octal @ '0'..='7' => out.push(code(octal.to_digit(8)?, 8, 2)?),
            other => out.extend(['\\', other]),
        }
    }
    Some(out)
}
