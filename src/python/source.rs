//! From source text to [`Module`]: the only place that runs the parser. Statements are walked without recursion.
use super::expression::{Expression, children, dotted, string, text};
use super::{
    Class, Decorator, Default, Field, FlowDecorator, Function, Module, Parameter, ParameterKind,
    ParseError, docstring,
};
use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// Sources above this many bytes are refused.
pub const MAX_BYTES: usize = 1 << 20;

/// The parser reports its progress every hundred steps or so; a source may take this many reports, and one more for each
/// so many bytes: ordinary code takes a tenth of it.
const REPORTS: usize = 10_000;
const BYTES_PER_REPORT: usize = 10;

/// Reports with every reading of the source in error. Beyond these the parser is stopped and the lines before are read alone:
/// its recovery takes time with the cube of the text skipped (10 KB of noise took half a minute), unasked in between.
const REPORTS_ASTRAY: usize = 20;
const ATTEMPTS: usize = 4;

/// Blocks within blocks (`if` in `try` in a class …) that are looked into for definitions.
const MAX_BLOCKS: usize = 32;

/// Reads a source. Syntax errors are tolerated: what can be told apart is read, and [`Module::syntax_error`] says where.
pub fn parse(source: &str) -> Result<Module, ParseError> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let (tree, cut) = tree(source)?;
    let cut = cut.map(|offset| {
        (
            source.as_bytes()[..offset]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1,
            1,
        )
    });
    let mut module = Module {
        syntax_error: first_error(tree.root_node(), source).or(cut),
        ..Module::default()
    };
    let mut pending = vec![Block {
        node: tree.root_node(),
        class: None,
        depth: 0,
    }];
    while let Some(block) = pending.pop() {
        let mut inner = Vec::new();
        for statement in children(block.node) {
            module.statement(statement, &block, source, &mut inner);
        }
        pending.extend(inner.into_iter().rev());
    }
    module.functions.sort_by_key(|function| function.line);
    let flows: Vec<_> = module
        .functions
        .iter()
        .map(|function| module.flow(function))
        .collect();
    for (function, flow) in module.functions.iter_mut().zip(flows) {
        function.flow = flow;
    }
    Ok(module)
}

/// One expression, as in a quoted annotation.
pub(super) fn parse_expression(source: &str) -> Expression {
    let Ok((tree, None)) = tree(source) else {
        return Expression::Other;
    };
    match children(tree.root_node())[..] {
        [statement] if statement.kind() == "expression_statement" => {
            match children(statement)[..] {
                [expression] => Expression::read(expression, source),
                _ => Expression::Other,
            }
        }
        _ => Expression::Other,
    }
}

/// A tree of the source, or of its lines before the place where the parser lost its way (returned as a byte offset).
fn tree(source: &str) -> Result<(Tree, Option<usize>), ParseError> {
    if source.len() > MAX_BYTES {
        return Err(ParseError::TooLarge {
            bytes: source.len(),
        });
    }
    let (mut kept, mut cut) = (source, None);
    for _ in 0..ATTEMPTS {
        match attempt(kept)? {
            Ok(tree) => return Ok((tree, cut)),
            Err(lost) => {
                let before = &kept.as_bytes()[..lost.min(kept.len())];
                let line = before
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |newline| newline + 1);
                (kept, cut) = (kept.get(..line).unwrap_or_default(), Some(line));
            }
        }
    }
    Err(ParseError::TooComplex)
}

/// One run of the parser; the inner error is the offset at which it lost its way.
fn attempt(source: &str) -> Result<Result<Tree, usize>, ParseError> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_python::LANGUAGE.into())
        .map_err(|_| ParseError::Grammar)?;
    let mut left = REPORTS + source.len() / BYTES_PER_REPORT;
    let (mut astray, mut lost) = (0, None);
    let mut progress = |state: &ParseState| {
        left = left.saturating_sub(1);
        if state.has_error() {
            astray += 1;
            lost.get_or_insert(state.current_byte_offset());
        } else if astray < REPORTS_ASTRAY {
            lost = None;
        }
        left == 0 || astray >= REPORTS_ASTRAY
    };
    let bytes = source.as_bytes();
    let options = ParseOptions::new().progress_callback(&mut progress);
    let mut read = |offset: usize, _| bytes.get(offset..).unwrap_or_default();
    match (
        parser.parse_with_options(&mut read, None, Some(options)),
        lost,
    ) {
        (Some(tree), _) => Ok(Ok(tree)),
        (None, Some(lost)) => Ok(Err(lost)),
        (None, None) => Err(ParseError::TooComplex),
    }
}

fn first_error(root: Node, source: &str) -> Option<(usize, usize)> {
    let mut node = root;
    if !node.has_error() {
        return None;
    }
    while !node.is_error() && !node.is_missing() {
        let mut cursor = node.walk();
        let Some(next) = node
            .children(&mut cursor)
            .find(|child| child.has_error() || child.is_missing())
        else {
            break;
        };
        node = next;
    }
    let position = node.start_position();
    let before = source
        .get(node.start_byte() - position.column..node.start_byte())
        .unwrap_or_default();
    Some((position.row + 1, before.chars().count() + 1))
}

struct Block<'t> {
    node: Node<'t>,
    class: Option<String>,
    depth: usize,
}

impl Module {
    fn statement<'t>(
        &mut self,
        node: Node<'t>,
        block: &Block<'t>,
        source: &str,
        inner: &mut Vec<Block<'t>>,
    ) {
        match node.kind() {
            "import_statement" | "import_from_statement" => self.import(node, source),
            "function_definition" => self.functions.extend(function(node, &[], block, source)),
            "decorated_definition" => {
                let decorators: Vec<_> = children(node)
                    .into_iter()
                    .filter(|n| n.kind() == "decorator")
                    .map(|n| decorator(n, source))
                    .collect();
                match node.child_by_field_name("definition") {
                    Some(definition) if definition.kind() == "class_definition" => {
                        self.class(definition, decorators, block, source, inner)
                    }
                    Some(definition) => {
                        self.functions
                            .extend(function(definition, &decorators, block, source))
                    }
                    None => {}
                }
            }
            "class_definition" => self.class(node, Vec::new(), block, source, inner),
            "if_statement" | "elif_clause" | "else_clause" | "try_statement" | "except_clause"
            | "finally_clause" | "with_statement" | "block"
                if block.depth < MAX_BLOCKS =>
            {
                inner.push(Block {
                    node,
                    class: block.class.clone(),
                    depth: block.depth + 1,
                });
            }
            _ => {}
        }
    }

    fn class<'t>(
        &mut self,
        node: Node<'t>,
        decorators: Vec<Decorator>,
        block: &Block<'t>,
        source: &str,
        inner: &mut Vec<Block<'t>>,
    ) {
        let (Some(name), Some(body)) = (
            node.child_by_field_name("name"),
            node.child_by_field_name("body"),
        ) else {
            return;
        };
        let local = text(name, source);
        let name = block
            .class
            .as_ref()
            .map_or_else(|| local.to_owned(), |class| format!("{class}.{local}"));
        let bases = node
            .child_by_field_name("superclasses")
            .map(children)
            .unwrap_or_default();
        let bases = bases
            .into_iter()
            .filter_map(|base| dotted(base, source))
            .collect();
        let fields = children(body)
            .into_iter()
            .filter_map(|statement| field(statement, source))
            .collect();
        self.classes.insert(
            name.clone(),
            Class {
                bases,
                decorators,
                docstring: body_docstring(body, source),
                fields,
            },
        );
        if block.depth < MAX_BLOCKS {
            inner.push(Block {
                node: body,
                class: Some(name),
                depth: block.depth + 1,
            });
        }
    }

    fn import(&mut self, node: Node, source: &str) {
        let module = node
            .child_by_field_name("module_name")
            .map(|module| text(module, source).to_owned());
        for child in children(node)
            .into_iter()
            .skip(usize::from(module.is_some()))
        {
            let (name, alias) = match child.kind() {
                "aliased_import" => (
                    child.child_by_field_name("name"),
                    child.child_by_field_name("alias"),
                ),
                "dotted_name" => (Some(child), None),
                "wildcard_import" => {
                    self.wildcards.extend(module.clone());
                    continue;
                }
                _ => continue,
            };
            let Some(name) = name.map(|name| text(name, source)) else {
                continue;
            };
            let head = name.split('.').next().unwrap_or(name);
            let local = alias.map_or(head, |alias| text(alias, source));
            let origin = match (&module, alias) {
                (Some(module), _) => format!("{module}.{name}"),
                (None, Some(_)) => name.to_owned(),
                (None, None) => head.to_owned(),
            };
            self.imports.insert(local.to_owned(), origin);
        }
    }

    fn flow(&self, function: &Function) -> Option<FlowDecorator> {
        let is_flow = |decorator: &&Decorator| {
            matches!(
                self.resolve(&decorator.name).as_str(),
                "prefect.flow" | "prefect.flows.flow"
            )
        };
        function
            .decorators
            .iter()
            .find(is_flow)
            .map(FlowDecorator::read)
    }
}

fn function(node: Node, decorators: &[Decorator], block: &Block, source: &str) -> Option<Function> {
    let local = text(node.child_by_field_name("name")?, source);
    let body = node.child_by_field_name("body");
    Some(Function {
        name: block
            .class
            .as_ref()
            .map_or_else(|| local.to_owned(), |class| format!("{class}.{local}")),
        line: node.start_position().row + 1,
        is_async: node.child(0).is_some_and(|first| first.kind() == "async"),
        decorators: decorators.to_vec(),
        flow: None,
        docstring: body.and_then(|body| body_docstring(body, source)),
        parameters: node
            .child_by_field_name("parameters")
            .map(|node| parameters(node, source))
            .unwrap_or_default(),
    })
}

fn decorator(node: Node, source: &str) -> Decorator {
    let expression = children(node)
        .first()
        .map_or(Expression::Other, |inner| Expression::read(*inner, source));
    match expression {
        Expression::Name(name) => Decorator {
            name,
            keyword_arguments: Vec::new(),
        },
        Expression::Call(name, _, keywords) => {
            let literals = keywords
                .into_iter()
                .filter_map(|(key, value)| Some((key, value.literal()?.clone())));
            Decorator {
                name,
                keyword_arguments: literals.collect(),
            }
        }
        _ => Decorator {
            name: String::new(),
            keyword_arguments: Vec::new(),
        },
    }
}

fn body_docstring(body: Node, source: &str) -> Option<String> {
    let first = children(body)
        .into_iter()
        .next()
        .filter(|node| node.kind() == "expression_statement")?;
    let [expression] = children(first)[..] else {
        return None;
    };
    let is_bytes = |node: Node| {
        text(node, source)
            .to_lowercase()
            .split(['"', '\''])
            .next()
            .is_some_and(|prefix| prefix.contains('b'))
    };
    let written = match expression.kind() {
        "string" if !is_bytes(expression) => string(expression, source)?,
        "concatenated_string" => Expression::read(expression, source)
            .literal()?
            .as_str()?
            .to_owned(),
        _ => return None,
    };
    Some(docstring::clean(&written))
}

fn field(statement: Node, source: &str) -> Option<Field> {
    let [assignment] = children(statement)[..] else {
        return None;
    };
    if statement.kind() != "expression_statement" || assignment.kind() != "assignment" {
        return None;
    }
    let read = |name| {
        assignment
            .child_by_field_name(name)
            .map(|node| Expression::read(node, source))
    };
    let Some(Expression::Name(name)) = read("left") else {
        return None;
    };
    Some(Field {
        name,
        annotation: read("type"),
        value: read("right"),
    })
}

fn parameters(node: Node, source: &str) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    let mut kind = ParameterKind::PositionalOrKeyword;
    for child in children(node) {
        match child.kind() {
            "positional_separator" => found
                .iter_mut()
                .for_each(|parameter| parameter.kind = ParameterKind::PositionalOnly),
            "keyword_separator" => kind = ParameterKind::KeywordOnly,
            _ => {
                let Some(parameter) = parameter(child, kind, source) else {
                    continue;
                };
                if parameter.kind == ParameterKind::VarPositional {
                    kind = ParameterKind::KeywordOnly;
                }
                found.push(parameter);
            }
        }
    }
    found
}

fn parameter(node: Node, kind: ParameterKind, source: &str) -> Option<Parameter> {
    let name = node
        .child_by_field_name("name")
        .or_else(|| match node.kind() {
            "typed_parameter" => node.named_child(0),
            _ => Some(node),
        })?;
    let kind = match name.kind() {
        "list_splat_pattern" => ParameterKind::VarPositional,
        "dictionary_splat_pattern" => ParameterKind::VarKeyword,
        "identifier" => kind,
        _ => return None,
    };
    let annotation = node.child_by_field_name("type");
    let value = node.child_by_field_name("value");
    let default_expression = value.map(|value| Expression::read(value, source));
    let default =
        value.map(
            |value| match default_expression.as_ref().and_then(Expression::literal) {
                Some(literal) => Default::Literal(literal.clone()),
                None => Default::Computed(text(value, source).to_owned()),
            },
        );
    Some(Parameter {
        name: text(name, source).trim_start_matches('*').trim().to_owned(),
        annotation: annotation.map(|annotation| text(annotation, source).to_owned()),
        default,
        kind,
        type_expression: annotation.map(|annotation| Expression::read(annotation, source)),
        default_expression,
    })
}
