//! What a Python source file says, read and never imported: functions, their `@flow` decorator, signature and docstring.
//!
//! Reading stops at the first doubt: what is not a literal is reported as text, never computed. Nothing of the file is run,
//! and hostile input (deep nesting, sheer size, endless ambiguity) ends in an error or in less information.
mod docstring;
mod expression;
mod flow;
mod schema;
mod source;

use expression::Expression;
use std::collections::BTreeMap;

pub use flow::{FlowDecorator, flow_name};
pub use schema::{parameter_schema, plain_parameter_schema};
pub use source::{MAX_BYTES, parse};

/// Why a source was not read at all. A syntax error is not such a reason: see [`Module::syntax_error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Larger than [`MAX_BYTES`].
    #[error(
        "read the Python source: it has {bytes} bytes, more than the {MAX_BYTES} that are read; is it a generated file?"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The parser's budget of steps ran out.
    #[error(
        "read the Python source: it is too ambiguous to parse within bounds; is it really Python?"
    )]
    TooComplex,
    /// The grammar and the parser library do not fit each other: a fault of the build.
    #[error("read the Python source: this build's Python grammar does not fit its parser")]
    Grammar,
}

/// One Python source file, as far as it could be read.
#[derive(Debug, Clone, Default)]
pub struct Module {
    functions: Vec<Function>,
    classes: BTreeMap<String, Class>,
    /// Local name to the dotted name that it was imported from.
    imports: BTreeMap<String, String>,
    wildcards: Vec<String>,
    syntax_error: Option<(usize, usize)>,
}

impl Module {
    /// The function or method (`Class.method`) of that name; the last definition, as in Python.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.functions
            .iter()
            .rev()
            .find(|function| function.name == name)
            .cloned()
    }

    /// Names of all functions and methods of the module's top level, in the order of the source, each once.
    pub fn function_names(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        self.functions
            .iter()
            .map(|f| f.name.clone())
            .filter(|name| seen.insert(name.clone()))
            .collect()
    }

    /// Line and column (from 1, in characters) of the first place that is not Python.
    pub fn syntax_error(&self) -> Option<(usize, usize)> {
        self.syntax_error
    }

    /// The full dotted name behind a name as written, following the file's imports.
    fn resolve(&self, name: &str) -> String {
        let (head, rest) = name
            .split_once('.')
            .map_or((name, None), |(head, rest)| (head, Some(rest)));
        match (self.imports.get(head), rest) {
            (Some(origin), Some(rest)) => format!("{origin}.{rest}"),
            (Some(origin), None) => origin.clone(),
            (None, _)
                if head == "flow" && self.wildcards.iter().any(|module| module == "prefect") =>
            {
                format!("prefect.{name}")
            }
            (None, _) => name.to_owned(),
        }
    }
}

/// One function or method.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name; `Class.method` for a method.
    pub name: String,
    /// Line of its `def`, from 1.
    pub line: usize,
    /// Whether it is `async def`.
    pub is_async: bool,
    /// Its decorators, outermost first.
    pub decorators: Vec<Decorator>,
    /// Prefect's `@flow`, under whatever name it was imported.
    pub flow: Option<FlowDecorator>,
    /// Its docstring, cleaned as `inspect.cleandoc` does.
    pub docstring: Option<String>,
    /// Its parameters in order, `self` included.
    pub parameters: Vec<Parameter>,
}

impl Function {
    /// A method that needs an instance to be called on: nothing would give it its `self`.
    pub fn needs_instance(&self) -> bool {
        let first = self.parameters.first();
        self.name.contains('.') && self.decorators.is_empty() && first.is_some_and(|first| first.name == "self" && first.default.is_none())
    }
}

/// One decorator.
#[derive(Debug, Clone, PartialEq)]
pub struct Decorator {
    /// Dotted, as written; empty where it is not a name.
    pub name: String,
    /// Keyword arguments that are literals; others are left out.
    pub keyword_arguments: Vec<(String, serde_json::Value)>,
}

/// One parameter of a signature.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Without `*` or `**`.
    pub name: String,
    /// The annotation as written.
    pub annotation: Option<String>,
    /// The default, where there is one.
    pub default: Option<Default>,
    /// How it is passed.
    pub kind: ParameterKind,
    type_expression: Option<Expression>,
    default_expression: Option<Expression>,
}

/// A parameter's default.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// A literal (tuples and sets as arrays, bytes as text).
    Literal(serde_json::Value),
    /// Anything else, as written: known only when the program runs.
    Computed(String),
}

/// How a parameter is passed, as `inspect.Parameter.kind` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Before a `/`.
    PositionalOnly,
    /// The usual.
    PositionalOrKeyword,
    /// `*args`.
    VarPositional,
    /// After a `*`.
    KeywordOnly,
    /// `**kwargs`.
    VarKeyword,
}

/// A class of the file, kept for the schema of parameters that name it.
#[derive(Debug, Clone)]
struct Class {
    bases: Vec<String>,
    decorators: Vec<Decorator>,
    docstring: Option<String>,
    fields: Vec<Field>,
}

/// `name: annotation = value` or `name = value` in a class body.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    annotation: Option<Expression>,
    value: Option<Expression>,
}

#[cfg(test)]
mod tests;
