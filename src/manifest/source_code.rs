//! What the Python sources say that entrypoints name: the flow's name, its docstring and its signature.
//!
//! Each file is read once and parsed once, each function looked at once. Nothing is imported or run.
use super::node::Node;
use super::parameters::Signature;
use super::project::hash;
use super::report::{At, Exact, Place, Problem, Report, shown};
use super::{FileContent, Files, Input, OnMissing, words};
use crate::model::deployment::Entrypoint;
use crate::python::{self, Function, Module};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is known of a function.
pub struct Flow {
    /// The name that its decorator gives as a literal.
    pub name: Option<String>,
    /// The decorator's description, else the docstring.
    pub description: Option<String>,
    pub signature: Option<Signature>,
    /// A method that cannot be called without an instance of its class.
    needs_instance: bool,
}

enum Source {
    Read { module: Module, text: String, hash: String },
    Missing,
    Unreadable(String),
}

/// The Python sources of a project, on demand.
pub struct SourceCode<'a> {
    files: &'a dyn Files,
    missing: OnMissing,
    report: &'a Report<'a>,
    sources: RefCell<BTreeMap<String, Rc<Source>>>,
    /// By path, then by function.
    flows: RefCell<BTreeMap<String, BTreeMap<String, Rc<Flow>>>>,
}

impl<'a> SourceCode<'a> {
    pub fn new(input: &Input<'a>, report: &'a Report<'a>) -> Self {
        SourceCode { files: input.files, missing: input.missing_sources, report, sources: RefCell::default(), flows: RefCell::default() }
    }

    /// The files that were read, with their SHA-256 in hex.
    pub fn files(&self) -> Vec<(String, String)> {
        let sources = self.sources.borrow();
        let read = sources.iter().filter_map(|(path, source)| match source.as_ref() {
            Source::Read { hash, .. } => Some((path.clone(), hash.clone())),
            Source::Missing | Source::Unreadable(_) => None,
        });
        read.collect()
    }

    /// The function that an entrypoint names, if it can be read; what is wrong is reported at `field`. `elsewhere`:
    /// the code that runs is fetched from somewhere else, so that the file here proves nothing.
    pub fn flow(&self, field: &Node<'_>, entrypoint: &Entrypoint, elsewhere: bool) -> Option<Rc<Flow>> {
        match entrypoint {
            Entrypoint::Python { path, function } => {
                let source = self.source(path);
                match source.as_ref() {
                    Source::Read { module, text, .. } => self.function(field, path, module, text, function, elsewhere),
                    Source::Missing => {
                        self.missing_file(field, path, elsewhere);
                        None
                    }
                    Source::Unreadable(why) => {
                        let message = format!("the file {} cannot be read: {why}", shown(path));
                        self.report.push(field.warning("unreadable-source", message).help("the flow's name and parameters are not checked"));
                        None
                    }
                }
            }
            Entrypoint::Module { module: name, function } => {
                let path = name.replace('.', "/");
                let places = [format!("{path}.py"), format!("{path}/__init__.py"), format!("src/{path}.py"), format!("src/{path}/__init__.py")];
                for path in &places {
                    if let Source::Read { module, text, .. } = self.source(path).as_ref() {
                        return self.function(field, path, module, text, function, elsewhere);
                    }
                }
                let message = format!("the module {} is not in this project", shown(name));
                self.report.push(field.warning("source-elsewhere", message).help("the flow's name and parameters are not checked"));
                None
            }
            Entrypoint::Shell { .. } | Entrypoint::Program { .. } => None,
        }
    }

    fn source(&self, path: &str) -> Rc<Source> {
        if let Some(source) = self.sources.borrow().get(path) {
            return Rc::clone(source);
        }
        let source = Rc::new(match self.files.read(path) {
            FileContent::Missing => Source::Missing,
            FileContent::Unreadable(why) => Source::Unreadable(why),
            FileContent::Found(content) => self.parse(path, content),
        });
        self.sources.borrow_mut().insert(path.to_owned(), Rc::clone(&source));
        source
    }

    fn parse(&self, path: &str, content: Vec<u8>) -> Source {
        let hash = hash(&content);
        let Ok(text) = String::from_utf8(content) else { return Source::Unreadable("it is not UTF-8 text".to_owned()) };
        let module = match python::parse(&text) {
            Ok(module) => module,
            Err(error) => return Source::Unreadable(error.to_string()),
        };
        if let Some((line, column)) = module.syntax_error() {
            let source = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
            let place = Place::Exact(Exact::new(path, line as u32, column as u32, source, 1));
            let problem = Problem::warning("python-syntax", "this is not Python", place);
            self.report.push(problem.help("what stands after it may not have been understood"));
        }
        Source::Read { module, text, hash }
    }

    fn missing_file(&self, field: &Node<'_>, path: &str, elsewhere: bool) {
        let place = part(field, path);
        let message = format!("there is no file {}", shown(path));
        if elsewhere {
            let problem = Problem::warning("source-elsewhere", message, place);
            self.report.push(problem.help("the code is fetched from elsewhere: the flow's name and parameters are not checked"));
            return;
        }
        let problem = match self.missing {
            OnMissing::Warning => Problem::warning("missing-file", message, place),
            OnMissing::Error => Problem::error("missing-file", message, place),
        };
        let near = self.files.near(path);
        let near = words::closest(path, near.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| "paths start at the directory of the project".to_owned());
        self.report.push(problem.help(help));
    }

    fn function(&self, field: &Node<'_>, path: &str, module: &Module, text: &str, name: &str, elsewhere: bool) -> Option<Rc<Flow>> {
        if let Some(flow) = self.flows.borrow().get(path).and_then(|flows| flows.get(name)) {
            let flow = Rc::clone(flow);
            self.check_callable(field, name, &flow, elsewhere);
            return Some(flow);
        }
        let Some(function) = module.function(name) else {
            self.missing_function(field, path, module, text, name, elsewhere);
            return None;
        };
        let line = text.lines().nth(function.line.saturating_sub(1)).unwrap_or("");
        let (column, length) = (line.len() - line.trim_start().len() + 1, line.trim().chars().count());
        let place = Place::Exact(Exact::new(path, function.line as u32, column as u32, line, length as u32));
        let flow = Rc::new(flow(&function, module, place));
        self.check_callable(field, name, &flow, elsewhere);
        self.flows.borrow_mut().entry(path.to_owned()).or_default().insert(name.to_owned(), Rc::clone(&flow));
        Some(flow)
    }

    fn check_callable(&self, field: &Node<'_>, name: &str, flow: &Flow, elsewhere: bool) {
        if !flow.needs_instance {
            return;
        }
        let (class, method) = name.rsplit_once('.').unwrap_or(("", name));
        let message = format!("{} is a method of instances of {}: a run has none to give it as `self`", shown(name), shown(class));
        let place = part(field, name);
        let problem = if elsewhere { Problem::warning("instance-method", message, place) } else { Problem::error("instance-method", message, place) };
        self.report.push(problem.help(format!("name a function of the file that calls `{class}(...).{method}(...)`, or make it a `@staticmethod`")));
    }

    /// A name that the file mentions, or that a wildcard import may bring, can be there without a `def`.
    fn missing_function(&self, field: &Node<'_>, path: &str, module: &Module, text: &str, name: &str, elsewhere: bool) {
        let place = part(field, name);
        let last = name.rsplit('.').next().unwrap_or(name);
        let mentioned = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == last);
        let imports_all = text.lines().any(|line| line.trim_start().starts_with("from ") && line.contains("import *"));
        if mentioned || imports_all || module.syntax_error().is_some() {
            let message = format!("{} does not define {} with `def`", shown(path), shown(name));
            let problem = Problem::warning("indirect-function", message, place);
            self.report.push(problem.help("the flow's name and parameters are not checked"));
            return;
        }
        let names = module.function_names();
        let message = format!("{} has no function {}", shown(path), shown(name));
        let help = match words::closest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "the file has no functions".to_owned(),
            None => {
                let some: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
                format!("it has {}{}", some.join(", "), if names.len() > 8 { " and others" } else { "" })
            }
        };
        let problem = if elsewhere { Problem::warning("missing-function", message, place) } else { Problem::error("missing-function", message, place) };
        self.report.push(problem.help(help));
    }
}

fn flow(function: &Function, module: &Module, place: Place) -> Flow {
    let decorator = function.flow.as_ref();
    let text = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let schema = match decorator {
        Some(_) => python::parameter_schema(function, module),
        None => python::plain_parameter_schema(function, module),
    };
    Flow {
        name: text(decorator.and_then(|decorator| decorator.name.as_ref())),
        description: text(decorator.and_then(|decorator| decorator.description.as_ref())).or_else(|| text(function.docstring.as_ref())),
        signature: Some(Signature::new(schema).at(place)),
        needs_instance: decorator.is_none() && function.needs_instance(),
    }
}

/// The place of a word in the entrypoint's text.
fn part(field: &Node<'_>, word: &str) -> Place {
    let text = field.value.as_str().unwrap_or("");
    match text.rfind(word) {
        Some(at) => field.place(At::Part { start: text[..at].chars().count() as u32, length: word.chars().count() as u32 }),
        None => field.place(At::Value),
    }
}
