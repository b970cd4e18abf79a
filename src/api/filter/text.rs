//! Prefect's text search: `error -debug +required "a phrase"`. Plain terms: at least one; `-` or `!`: none; `+`: all. Case does not count.

/// A parsed search; the terms are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TextQuery {
    include: Vec<String>,
    exclude: Vec<String>,
    required: Vec<String>,
}

impl TextQuery {
    /// Reads any text; there is no wrong query. A sign before a space means nothing; a phrase may hold `\"` and `\\`.
    pub fn parse(text: &str) -> Self {
        let mut query = TextQuery::default();
        let mut rest = text.chars().peekable();
        while let Some(first) = rest.next() {
            if first.is_whitespace() {
                continue;
            }
            let sign = Some(first).filter(|sign| matches!(sign, '-' | '!' | '+'));
            let start = match sign {
                None => Some(first),
                Some(_) => rest.next_if(|next| !next.is_whitespace()),
            };
            let term = match start {
                None => continue,
                Some('"') => phrase(&mut rest),
                Some(start) => word(start, &mut rest),
            };
            if term.trim().is_empty() {
                continue;
            }
            let list = match sign {
                None => &mut query.include,
                Some('+') => &mut query.required,
                Some(_) => &mut query.exclude,
            };
            list.push(term.to_lowercase());
        }
        query
    }

    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let found = |term: &String| text.contains(term.as_str());
        (self.include.is_empty() || self.include.iter().any(found))
            && !self.exclude.iter().any(found)
            && self.required.iter().all(found)
    }
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn phrase(rest: &mut Characters) -> String {
    let mut phrase = String::new();
    while let Some(next) = rest.next() {
        match next {
            '"' => break,
            '\\' => match rest.next() {
                Some(escaped @ ('"' | '\\')) => phrase.push(escaped),
                Some(other) => phrase.extend(['\\', other]),
                None => phrase.push('\\'),
            },
            other => phrase.push(other),
        }
    }
    phrase
}

fn word(start: char, rest: &mut Characters) -> String {
    let mut word = String::from(start);
    while let Some(next) = rest.next_if(|next| !next.is_whitespace() && *next != '"') {
        word.push(next);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_signs_and_phrases() {
        for (query, text, expected) in [
            ("", "anything", true),
            ("error warning", "a Warning", true),
            ("error", "all fine", false),
            ("error -debug", "debug error", false),
            ("!debug", "info", true),
            ("+timeout +disk", "disk timeout", true),
            ("+timeout +disk", "disk", false),
            ("\"connection timeout\"", "Connection Timeout after 3 s", true),
            ("\"connection timeout\"", "timeout of connection", false),
            ("-\"connection timeout\"", "connection timeout", false),
            ("a - b", "only b", true),
            ("\"say \\\"hi\\\"", "they say \"hi\"", true),
            ("\"unclosed", "unclosed phrase", true),
        ] {
            assert_eq!(TextQuery::parse(query).matches(text), expected, "{query:?} on {text:?}");
        }
    }
}
