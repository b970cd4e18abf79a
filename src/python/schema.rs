//! A signature as the JSON schema that Prefect stores with a deployment (`parameter_openapi_schema`), found by reading.
//!
//! The form is Pydantic's, since Prefect lets Pydantic make it; a test compares with recorded answers of Prefect 3.8.8.
//! A type that is not known statically accepts anything: a schema must never refuse what the program would take.
//! One deliberate difference: `*args` and `**kwargs` are not required, as Python does not require them.
use super::expression::Expression;
use super::source::parse_expression;
use super::{Class, Decorator, Field, Function, Module, ParameterKind, docstring};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Levels of types within types; deeper ones accept anything.
const MAX_DEPTH: usize = 24;

/// Members of one union, and fields of one class with all that it inherits; more than these accept anything, since the
/// work grows with their square.
const MAX_MEMBERS: usize = 1_000;

/// The JSON schema of a flow's parameters as Prefect has it. `required` is absent where it would be empty, as in what Prefect sends.
pub fn parameter_schema(function: &Function, module: &Module) -> Value {
    schema_of(function, module, false)
}

/// The same of a plain function. reeve itself makes its values (`executor/values.py`) and takes less than Pydantic: a dataclass has no
/// further keys, a text for a `Decimal` is a number; `*args` is a list, and further names have the type of `**kwargs`.
pub fn plain_parameter_schema(function: &Function, module: &Module) -> Value {
    schema_of(function, module, true)
}

fn schema_of(function: &Function, module: &Module, is_plain: bool) -> Value {
    let mut types = Types {
        module,
        is_plain,
        definitions: Map::new(),
        opaque: BTreeSet::new(),
    };
    let descriptions: BTreeMap<_, _> = function
        .docstring
        .as_deref()
        .map(docstring::parameters)
        .unwrap_or_default()
        .into_iter()
        .collect();
    let (mut properties, mut required, mut additional) = (Map::new(), Vec::new(), None);
    for (position, parameter) in function.parameters.iter().enumerate() {
        if matches!(parameter.name.as_str(), "self" | "cls") {
            continue;
        }
        let mut property = Map::from_iter([
            ("title".to_owned(), json!(parameter.name)),
            ("position".to_owned(), json!(position)),
        ]);
        if let Some(text) = descriptions.get(&parameter.name) {
            property.insert("description".to_owned(), json!(text));
        }
        let kind = parameter.type_expression.as_ref().map(|expression| types.of(expression, 0)).unwrap_or_default();
        match parameter.kind {
            ParameterKind::VarKeyword if is_plain => additional = Some(kind),
            ParameterKind::VarKeyword => {
                additional = Some(Schema::new());
                property.extend(kind);
            }
            ParameterKind::VarPositional if is_plain => property.extend(schema(json!({"type": "array", "items": kind}))),
            _ => property.extend(kind),
        }
        if let Some(value) = parameter
            .default_expression
            .as_ref()
            .and_then(|expression| types.value(expression))
        {
            property.insert("default".to_owned(), value);
        }
        let variadic = matches!(
            parameter.kind,
            ParameterKind::VarPositional | ParameterKind::VarKeyword
        );
        if parameter.default.is_none() && !variadic {
            required.push(json!(parameter.name));
        }
        properties.insert(parameter.name.clone(), Value::Object(property));
    }
    let mut schema = json!({"title": "Parameters", "type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    if let Some(kind) = additional {
        schema["additionalProperties"] = if kind.is_empty() { Value::Bool(true) } else { Value::Object(kind) };
    }
    schema["definitions"] = Value::Object(types.definitions);
    schema
}

type Schema = Map<String, Value>;

fn schema(value: Value) -> Schema {
    match value {
        Value::Object(fields) => fields,
        _ => Schema::new(),
    }
}

struct Types<'m> {
    module: &'m Module,
    is_plain: bool,
    definitions: Schema,
    /// Classes of the file that turned out to accept anything.
    opaque: BTreeSet<String>,
}

impl Types<'_> {
    fn of(&mut self, expression: &Expression, depth: usize) -> Schema {
        if depth > MAX_DEPTH {
            return Schema::new();
        }
        match expression {
            Expression::Literal(Value::Null) => schema(json!({"type": "null"})),
            Expression::Literal(Value::String(quoted)) => {
                self.of(&parse_expression(quoted), depth + 1)
            }
            Expression::Name(name) => self.named(name, depth),
            Expression::Union(members) => self.union(members, depth),
            Expression::Subscript(name, arguments) => self.generic(name, arguments, depth),
            _ => Schema::new(),
        }
    }

    fn named(&mut self, name: &str, depth: usize) -> Schema {
        if let Some(class) = self.module.classes.get(name) {
            return self.class(name, class, depth);
        }
        let name = self.module.resolve(name);
        let text = |format: &str| json!({"type": "string", "format": format});
        schema(match name.as_str() {
            "int" => json!({"type": "integer"}),
            "float" => json!({"type": "number"}),
            "str" | "complex" | "typing.Text" => json!({"type": "string"}),
            "bool" => json!({"type": "boolean"}),
            "bytes" => text("binary"),
            "datetime.datetime" => text("date-time"),
            "datetime.date" => text("date"),
            "datetime.time" => text("time"),
            "datetime.timedelta" => text("duration"),
            "uuid.UUID" => text("uuid"),
            "pathlib.Path" | "pathlib.PurePath" => text("path"),
            "decimal.Decimal" if self.is_plain => json!({"anyOf": [{"type": "number"}, text("decimal")]}),
            "decimal.Decimal" => json!({"anyOf": [{"type": "number"}, {"type": "string"}]}),
            _ => return self.generic(&name, &[], depth),
        })
    }

    fn generic(&mut self, name: &str, arguments: &[Expression], depth: usize) -> Schema {
        let name = self.module.resolve(name);
        let bare = name
            .strip_prefix("typing.")
            .or_else(|| name.strip_prefix("typing_extensions."));
        let bare = bare
            .or_else(|| name.strip_prefix("collections.abc."))
            .unwrap_or(&name);
        let first = arguments.first();
        match bare {
            "List" | "list" | "Sequence" | "Iterable" | "MutableSequence" => {
                self.array(first, depth)
            }
            "Set" | "set" | "FrozenSet" | "frozenset" | "AbstractSet" | "MutableSet" => {
                let mut array = self.array(first, depth);
                array.insert("uniqueItems".to_owned(), Value::Bool(true));
                array
            }
            "Dict" | "dict" | "Mapping" | "MutableMapping" => {
                let values = arguments
                    .get(1)
                    .map(|value| self.of(value, depth + 1))
                    .unwrap_or_default();
                let values = if values.is_empty() {
                    Value::Bool(true)
                } else {
                    Value::Object(values)
                };
                schema(json!({"type": "object", "additionalProperties": values}))
            }
            "Tuple" | "tuple" => self.tuple(arguments, depth),
            "Optional" => first
                .map(|inner| self.union(&[inner.clone(), Expression::Literal(Value::Null)], depth))
                .unwrap_or_default(),
            "Union" => self.union(arguments, depth),
            "Annotated" | "Final" | "Required" => first
                .map(|inner| self.of(inner, depth + 1))
                .unwrap_or_default(),
            "Literal" => choice(
                arguments
                    .iter()
                    .map(|argument| argument.literal().cloned())
                    .collect(),
            ),
            _ => Schema::new(),
        }
    }

    fn array(&mut self, item: Option<&Expression>, depth: usize) -> Schema {
        let items = item
            .map(|item| self.of(item, depth + 1))
            .unwrap_or_default();
        schema(json!({"type": "array", "items": items}))
    }

    fn tuple(&mut self, arguments: &[Expression], depth: usize) -> Schema {
        match arguments {
            [] => self.array(None, depth),
            [item, Expression::Ellipsis] => self.array(Some(item), depth),
            _ => {
                let items: Vec<Schema> = arguments
                    .iter()
                    .map(|item| self.of(item, depth + 1))
                    .collect();
                schema(
                    json!({"type": "array", "minItems": items.len(), "maxItems": items.len(), "prefixItems": items}),
                )
            }
        }
    }

    /// Nested unions are flat and each member stands once; a single one stands alone.
    fn union(&mut self, members: &[Expression], depth: usize) -> Schema {
        let mut flat: Vec<Value> = Vec::new();
        if members.len() > MAX_MEMBERS {
            return Schema::new();
        }
        for member in members {
            let mut member = self.of(member, depth + 1);
            let inner = match member.remove("anyOf") {
                Some(Value::Array(inner)) if member.is_empty() => inner,
                _ => vec![Value::Object(member)],
            };
            for schema in inner {
                if !flat.contains(&schema) {
                    flat.push(schema);
                }
            }
        }
        match flat.len() {
            1 => schema(flat.remove(0)),
            _ => schema(json!({"anyOf": flat})),
        }
    }

    fn class(&mut self, name: &str, class: &Class, depth: usize) -> Schema {
        let short = name.rsplit('.').next().unwrap_or(name);
        if self.opaque.contains(name) {
            return Schema::new();
        }
        if !self.definitions.contains_key(short) {
            // A model may name itself: the entry stands before its fields are read.
            self.definitions.insert(short.to_owned(), Value::Null);
            let definition = match self.members(class) {
                Some(members) => Some(choice_or_enumeration(members)),
                None => self
                    .fields(class, &mut BTreeSet::new())
                    .map(|fields| self.model(&fields, depth))
                    .map(|model| self.closed(model, name, class)),
            };
            let Some(mut definition) = definition else {
                self.definitions.remove(short);
                self.opaque.insert(name.to_owned());
                return Schema::new();
            };
            definition.insert("title".to_owned(), json!(short));
            if let Some(text) = &class.docstring {
                definition.insert("description".to_owned(), json!(text));
            }
            self.definitions
                .insert(short.to_owned(), Value::Object(definition));
        }
        schema(json!({"$ref": format!("#/definitions/{short}")}))
    }

    fn is_enumeration(&self, class: &Class) -> bool {
        class.bases.iter().any(|base| {
            matches!(
                self.module.resolve(base).as_str(),
                "enum.Enum" | "enum.IntEnum" | "enum.StrEnum"
            )
        })
    }

    /// The values of an enumeration; `None` where it is none, or one of its values is not a literal.
    fn members(&self, class: &Class) -> Option<Vec<Value>> {
        if !self.is_enumeration(class) || class.fields.len() > MAX_MEMBERS {
            return None;
        }
        let members = class
            .fields
            .iter()
            .filter(|field| field.annotation.is_none() && !field.name.starts_with('_'));
        let members: Vec<&Field> = members.collect();
        let values: Option<Vec<Value>> = match members.iter().all(|field| self.is_auto(field)) {
            true => self.counted(class, &members),
            false => members.iter().map(|field| field.value.as_ref()?.literal().cloned()).collect(),
        };
        values.filter(|values| !values.is_empty())
    }

    fn is_auto(&self, field: &Field) -> bool {
        matches!(&field.value, Some(Expression::Call(name, positional, keywords))
            if positional.is_empty() && keywords.is_empty() && self.module.resolve(name) == "enum.auto")
    }

    /// The values of members that are all `auto()`: 1, 2, …, of a `StrEnum` the names in lower case. `None` where the class counts itself.
    fn counted(&self, class: &Class, members: &[&Field]) -> Option<Vec<Value>> {
        let counts = |function: &Function| function.name.ends_with("._generate_next_value_");
        let [base] = &class.bases[..] else { return None };
        if self.module.functions.iter().any(counts) {
            return None;
        }
        match self.module.resolve(base).as_str() {
            "enum.StrEnum" => Some(members.iter().map(|field| json!(field.name.to_lowercase())).collect()),
            _ => Some((1..=members.len()).map(|number| json!(number)).collect()),
        }
    }

    /// The fields of a dataclass or Pydantic model, inherited ones first; `None` for any other class.
    /// Each class is visited once, or bases that share bases would take exponential time.
    fn fields<'c>(
        &'c self,
        class: &'c Class,
        visited: &mut BTreeSet<&'c str>,
    ) -> Option<Vec<Field>> {
        let is_dataclass = class.decorators.iter().any(|decorator| {
            matches!(
                self.module.resolve(&decorator.name).as_str(),
                "dataclasses.dataclass" | "pydantic.dataclasses.dataclass"
            )
        });
        let mut known = is_dataclass;
        let mut fields: Vec<Field> = Vec::new();
        for base in &class.bases {
            known |= self.module.resolve(base) == "pydantic.BaseModel";
            let first = visited.len() < MAX_DEPTH && visited.insert(base);
            let inherited = self.module.classes.get(base).filter(|_| first);
            if let Some(inherited) = inherited.and_then(|base| self.fields(base, visited)) {
                known = true;
                fields.extend(inherited);
            }
        }
        if fields.len() + class.fields.len() > MAX_MEMBERS {
            return None;
        }
        for field in &class.fields {
            if field.annotation.is_some() && !field.name.starts_with('_') {
                match fields.iter_mut().find(|known| known.name == field.name) {
                    Some(overridden) => *overridden = field.clone(),
                    None => fields.push(field.clone()),
                }
            }
        }
        known.then_some(fields)
    }

    fn model(&mut self, fields: &[Field], depth: usize) -> Schema {
        let (mut properties, mut required) = (Schema::new(), Vec::new());
        for field in fields {
            let Some(annotation) = &field.annotation else {
                continue;
            };
            if matches!(annotation, Expression::Subscript(name, _) if self.module.resolve(name) == "typing.ClassVar")
            {
                continue;
            }
            let mut property = self.of(annotation, depth + 1);
            if !property.contains_key("$ref") {
                property.insert("title".to_owned(), json!(title(&field.name)));
            }
            match self.field_default(field) {
                FieldDefault::Required => required.push(json!(field.name)),
                FieldDefault::Value(value) => drop(property.insert("default".to_owned(), value)),
                FieldDefault::Computed => {}
            }
            properties.insert(field.name.clone(), Value::Object(property));
        }
        let mut model = schema(json!({"type": "object", "properties": properties}));
        if !required.is_empty() {
            model.insert("required".to_owned(), Value::Array(required));
        }
        model
    }

    /// Without further keys, where the class is a dataclass of which the file shows all.
    fn closed(&self, mut model: Schema, name: &str, class: &Class) -> Schema {
        if self.is_plain && self.shows_all_fields(name, class, 0) {
            model.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        model
    }

    fn shows_all_fields(&self, name: &str, class: &Class, depth: usize) -> bool {
        let is_dataclass = |decorator: &Decorator| self.module.resolve(&decorator.name) == "dataclasses.dataclass";
        depth < MAX_DEPTH
            && matches!(&class.decorators[..], [only] if is_dataclass(only))
            && class.fields.iter().all(|field| !field.name.starts_with('_'))
            && self.module.function(&format!("{name}.__init__")).is_none()
            && class.bases.iter().all(|base| self.module.classes.get(base).is_some_and(|class| self.shows_all_fields(base, class, depth + 1)))
    }

    fn field_default(&self, field: &Field) -> FieldDefault {
        let value = match &field.value {
            None => return FieldDefault::Required,
            Some(Expression::Call(name, positional, keywords))
                if is_field(&self.module.resolve(name)) =>
            {
                let keyword = |name: &str| {
                    keywords
                        .iter()
                        .find(|(key, _)| key == name)
                        .map(|(_, value)| value)
                };
                match keyword("default").or(positional.first()) {
                    None if keyword("default_factory").is_some() => return FieldDefault::Computed,
                    None | Some(Expression::Ellipsis) => return FieldDefault::Required,
                    Some(value) => value,
                }
            }
            Some(Expression::Ellipsis) => return FieldDefault::Required,
            Some(value) => value,
        };
        self.value(value)
            .map_or(FieldDefault::Computed, FieldDefault::Value)
    }

    /// A default known without running: a literal, a member of an enumeration of the file, a path or the like of one text.
    fn value(&self, expression: &Expression) -> Option<Value> {
        match expression {
            Expression::Literal(value) => Some(value.clone()),
            Expression::Name(name) => {
                let (class, member) = name.rsplit_once('.')?;
                let class = self.module.classes.get(class)?;
                if !self.is_enumeration(class) || class.fields.len() > MAX_MEMBERS {
                    return None;
                }
                class
                    .fields
                    .iter()
                    .find(|field| field.name == member)?
                    .value
                    .as_ref()?
                    .literal()
                    .cloned()
            }
            Expression::Call(name, positional, keywords) if keywords.is_empty() => {
                let origin = self.module.resolve(name);
                let [Expression::Literal(Value::String(text))] = &positional[..] else {
                    return None;
                };
                matches!(
                    origin.as_str(),
                    "pathlib.Path" | "uuid.UUID" | "decimal.Decimal"
                )
                .then(|| json!(text))
            }
            _ => None,
        }
    }
}

enum FieldDefault {
    Required,
    Value(Value),
    /// There is one, known only when the program runs.
    Computed,
}

fn is_field(name: &str) -> bool {
    matches!(name, "pydantic.Field" | "dataclasses.field")
}

/// Pydantic's title of a model's field: `unit_code` is `Unit Code`.
fn title(name: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars
            .next()
            .map(|first| first.to_uppercase().chain(chars).collect::<String>())
            .unwrap_or_default()
    };
    name.split('_').map(capital).collect::<Vec<_>>().join(" ")
}

/// `Literal[…]`: a single value is `const`. A value that is not a literal accepts anything.
fn choice(values: Option<Vec<Value>>) -> Schema {
    match values.as_deref() {
        None | Some([]) => Schema::new(),
        Some([single]) => {
            let mut schema = schema(json!({"const": single}));
            schema.extend(common_type(values.as_deref().unwrap_or_default()));
            schema
        }
        Some(_) => choice_or_enumeration(values.unwrap_or_default()),
    }
}

fn choice_or_enumeration(values: Vec<Value>) -> Schema {
    let kind = common_type(&values);
    let mut schema = schema(json!({"enum": values}));
    schema.extend(kind);
    schema
}

/// The JSON type of all values, where they share one.
fn common_type(values: &[Value]) -> Option<(String, Value)> {
    let kind = |value: &Value| match value {
        Value::String(_) => Some("string"),
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) => Some(if number.is_f64() { "number" } else { "integer" }),
        Value::Array(_) => Some("array"),
        Value::Null | Value::Object(_) => None,
    };
    let first = kind(values.first()?)?;
    values
        .iter()
        .all(|value| kind(value) == Some(first))
        .then(|| ("type".to_owned(), json!(first)))
}
