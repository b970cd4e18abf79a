//! From a JSON pointer to line and column, by walking the text's syntax tree (yaml-edit).
//!
//! Built only when somebody is to read a position. Follows aliases and merge keys to where the value is written.
use super::report::At;
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use yaml_edit::anchor_resolution::AnchorRegistry;
use yaml_edit::{Document, Mapping, YamlNode};

/// Aliases and merges that are followed for one step, so that a cycle ends.
const MAXIMUM_HOPS: usize = 32;

/// A place in the text. Line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub line: u32,
    pub column: u32,
    /// The whole line.
    pub text: String,
    /// Characters to underline.
    pub length: u32,
}

/// Line and column, from 1, of the key (or list item) that a JSON pointer names.
pub fn locate(text: &str, json_pointer: &str) -> Option<(u32, u32)> {
    let found = Locator::new(text.strip_prefix('\u{feff}').unwrap_or(text)).find(json_pointer, At::Key)?;
    Some((found.line, found.column))
}

/// The syntax tree of one file.
pub struct Locator {
    text: String,
    tree: Option<(YamlNode, AnchorRegistry)>,
}

/// A value with its key; one of both is there.
struct Entry {
    key: Option<YamlNode>,
    value: Option<YamlNode>,
}

impl Locator {
    pub fn new(text: &str) -> Self {
        Locator { text: text.to_owned(), tree: tree(text) }
    }

    /// Where the object at `pointer` stands; `None` when there is none.
    pub fn find(&self, pointer: &str, at: At) -> Option<Found> {
        let entry = self.entry(pointer)?;
        let value = || entry.value.as_ref().map(|value| self.range(value)).filter(|range| !range.is_empty());
        let key = || entry.key.as_ref().map(|key| self.range(key));
        let omitted = || entry.value.as_ref().map(|value| self.dash_before(value));
        match at {
            At::Key => Some(self.found(key().or_else(value).or_else(omitted)?)),
            At::Value => Some(self.found(value().or_else(key).or_else(omitted)?)),
            At::Part { start, length } => {
                let range = value().or_else(key).or_else(omitted)?;
                Some(self.part(range, start, length))
            }
        }
    }

    /// Whether an anchor (`&name`) stands in the value at `pointer`, or on it.
    pub fn is_anchored(&self, pointer: &str) -> bool {
        let Some(Entry { key: Some(key), value }) = self.entry(pointer) else { return false };
        let start = self.range(&key).end;
        let end = value.map_or(start, |value| self.range(&value).end).max(start);
        let text = self.text.get(start..end).unwrap_or("");
        text.split_whitespace().any(|word| word.trim_start_matches(['[', '{']).strip_prefix('&').is_some_and(|name| !name.is_empty() && !name.starts_with('&')))
    }

    /// The second and later of equal keys in one mapping, each with the line of the first.
    pub fn duplicate_keys(&self) -> Vec<(String, Found, u32)> {
        let mut duplicates = Vec::new();
        self.each_mapping(|mapping| {
            let mut seen: BTreeMap<String, u32> = BTreeMap::new();
            for entry in mapping.entries() {
                let Some(key) = entry.key_node() else { continue };
                let Some(text) = scalar_text(&key).filter(|text| text != "<<") else { continue };
                let found = self.found(self.range(&key));
                match seen.get(&text) {
                    Some(&first) => duplicates.push((text, found, first)),
                    None => {
                        seen.insert(text, found.line);
                    }
                }
            }
        });
        duplicates
    }

    /// Keys that are mappings or lists themselves.
    pub fn compound_keys(&self) -> Vec<Found> {
        let mut places = Vec::new();
        self.each_mapping(|mapping| {
            for key in mapping.entries().filter_map(|entry| entry.key_node()) {
                if key.is_mapping() || key.is_sequence() {
                    // `{{ x }}` is a mapping whose key is a mapping: show both braces.
                    let range = self.range(&key);
                    let start = if self.text[..range.start].ends_with('{') { range.start - 1 } else { range.start };
                    let end = if self.text[range.end..].starts_with('}') { range.end + 1 } else { range.end };
                    places.push(self.found(start..end));
                }
            }
        });
        places
    }

    /// Merge keys whose value is neither a mapping nor a list of mappings.
    pub fn bad_merges(&self) -> Vec<Found> {
        let Some((_, registry)) = &self.tree else { return Vec::new() };
        let is_mapping = |node: YamlNode| resolved(node, registry).is_some_and(|node| inner_mapping(&node).is_some());
        let mut places = Vec::new();
        self.each_mapping(|mapping| {
            for entry in mapping.entries() {
                let Some(key) = entry.key_node().filter(|key| scalar_text(key).as_deref() == Some("<<")) else { continue };
                let good = entry.value_node().and_then(|value| resolved(value, registry)).is_some_and(|value| match value.as_sequence() {
                    Some(list) => list.values().all(is_mapping),
                    None => inner_mapping(&value).is_some(),
                });
                if !good {
                    places.push(self.found(self.range(&key)));
                }
            }
        });
        places
    }

    /// `.inf` and `.nan`.
    pub fn not_finite(&self) -> Vec<Found> {
        let mut places = Vec::new();
        self.each(|node| {
            let text = node.as_scalar().filter(|scalar| !scalar.is_quoted()).map(|scalar| scalar.as_string().to_lowercase());
            if text.is_some_and(|text| matches!(text.trim_start_matches(['+', '-']), ".inf" | ".nan")) {
                places.push(self.found(self.range(node)));
            }
        });
        places
    }

    /// Values with a tag of their own.
    pub fn tags(&self) -> Vec<(String, Found)> {
        let mut tags = Vec::new();
        self.each(|node| {
            if let Some(tag) = node.as_tagged().and_then(|tagged| tagged.tag())
                && !tag.starts_with("!!")
            {
                let range = self.range(node);
                let end = (range.start + tag.len()).min(range.end);
                tags.push((tag, self.found(range.start..end)));
            }
        });
        tags
    }

    fn each_mapping(&self, mut visit: impl FnMut(&Mapping)) {
        self.each(|node| {
            if let Some(mapping) = inner_mapping(node) {
                visit(&mapping);
            }
        });
    }

    /// Visits every node, without following aliases. Depth is bounded by the parser's limit.
    fn each(&self, mut visit: impl FnMut(&YamlNode)) {
        let mut open: Vec<YamlNode> = self.tree.iter().map(|(root, _)| root.clone()).collect();
        while let Some(node) = open.pop() {
            visit(&node);
            if let Some(mapping) = inner_mapping(&node) {
                for entry in mapping.entries() {
                    open.extend(entry.value_node());
                }
            } else if let Some(sequence) = node.as_sequence() {
                open.extend(sequence.values());
            }
        }
    }

    fn entry(&self, pointer: &str) -> Option<Entry> {
        let (root, registry) = self.tree.as_ref()?;
        let mut entry = Entry { key: None, value: Some(root.clone()) };
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let parent = resolved(entry.value?, registry)?;
            entry = child(&parent, &step, registry, MAXIMUM_HOPS)?;
        }
        Some(entry)
    }

    /// The bytes of a node without white space, comments and line breaks after it.
    fn range(&self, node: &YamlNode) -> Range<usize> {
        let range = node.byte_range();
        let (start, end) = (range.start as usize, (range.end as usize).min(self.text.len()));
        let text = self.text.get(start..end).unwrap_or("");
        let leading = text.len() - text.trim_start().len();
        start + leading..start + leading + text.trim().len()
    }

    /// The `- ` of an item of a list that is not written out.
    fn dash_before(&self, item: &YamlNode) -> Range<usize> {
        let start = (item.byte_range().start as usize).min(self.text.len());
        let dash = self.text.get(..start).and_then(|text| text.rfind('-')).unwrap_or(0);
        dash..dash + 1
    }

    fn found(&self, range: Range<usize>) -> Found {
        let line_start = self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[range.start..].find('\n').map_or(self.text.len(), |at| range.start + at);
        let end = range.end.clamp(range.start, line_end);
        Found {
            line: self.text[..line_start].bytes().filter(|&byte| byte == b'\n').count() as u32 + 1,
            column: self.text[line_start..range.start].chars().count() as u32 + 1,
            text: self.text[line_start..line_end].trim_end_matches('\r').to_owned(),
            length: (self.text[range.start..end].trim_end().chars().count() as u32).max(1),
        }
    }

    /// A part of a scalar that is written plainly on one line; else the whole scalar.
    fn part(&self, range: Range<usize>, start: u32, length: u32) -> Found {
        let written = &self.text[range.clone()];
        let mut found = self.found(range);
        let simple = !written.contains(['\n', '\\']) && !written.starts_with(['|', '>']);
        let quote = u32::from(written.starts_with(['"', '\'']));
        if simple && start + quote < found.length {
            found.column += start + quote;
            found.length = length.clamp(1, found.length - start - quote);
        }
        found
    }
}

fn tree(text: &str) -> Option<(YamlNode, AnchorRegistry)> {
    let document = Document::from_str(text).ok()?;
    let registry = AnchorRegistry::from_document(&document);
    let root = (document.as_mapping().map(YamlNode::Mapping))
        .or_else(|| document.as_sequence().map(YamlNode::Sequence))
        .or_else(|| document.as_tagged().map(YamlNode::TaggedNode))
        .or_else(|| document.as_scalar().map(YamlNode::Scalar))?;
    Some((root, registry))
}

/// Follows aliases to the value they stand for.
fn resolved(mut node: YamlNode, registry: &AnchorRegistry) -> Option<YamlNode> {
    for _ in 0..MAXIMUM_HOPS {
        let Some(alias) = node.as_alias() else { return Some(node) };
        node = YamlNode::from_syntax(registry.resolve(&alias.name())?.clone())?;
    }
    None
}

fn inner_mapping(node: &YamlNode) -> Option<Mapping> {
    node.as_mapping().cloned().or_else(|| node.as_tagged().and_then(|tagged| tagged.as_mapping()))
}

fn child(parent: &YamlNode, step: &str, registry: &AnchorRegistry, hops: usize) -> Option<Entry> {
    if let Some(mapping) = inner_mapping(parent) {
        return in_mapping(&mapping, step, registry, hops);
    }
    let sequence = parent.as_sequence().cloned().or_else(|| parent.as_tagged().and_then(|tagged| tagged.as_sequence()))?;
    let value = sequence.values().nth(step.parse().ok()?)?;
    Some(Entry { key: None, value: Some(value) })
}

/// The last of equal keys counts, and a mapping's own key before merged ones.
fn in_mapping(mapping: &Mapping, step: &str, registry: &AnchorRegistry, hops: usize) -> Option<Entry> {
    let own = mapping.entries().filter(|entry| entry.key_node().is_some_and(|key| scalar_text(&key).as_deref() == Some(step)));
    if let Some(entry) = own.last() {
        return Some(Entry { key: entry.key_node(), value: entry.value_node() });
    }
    if hops == 0 {
        return None;
    }
    let merges = mapping.entries().filter(|entry| entry.key_node().is_some_and(|key| scalar_text(&key).as_deref() == Some("<<")));
    for source in merges.filter_map(|entry| resolved(entry.value_node()?, registry)) {
        let sources = source.as_sequence().map_or_else(|| vec![source.clone()], |list| list.values().collect());
        for source in sources.into_iter().filter_map(|source| resolved(source, registry)) {
            if let Some(entry) = inner_mapping(&source).and_then(|merged| in_mapping(&merged, step, registry, hops - 1)) {
                return Some(entry);
            }
        }
    }
    None
}

fn scalar_text(node: &YamlNode) -> Option<String> {
    node.as_scalar().map(|scalar| scalar.as_string())
}
