//! Secrets become `***` before anything reaches the disk, also where a value spans two reads of a pipe.
//!
//! At one place the longest secret wins. A secret of several lines is masked line by line, since logs are cut into lines;
//! of those, lines shorter than [`SHORTEST_LINE`] stay (they would blank out braces and the like).
use std::rc::Rc;

const MASK: &[u8] = b"***";
const SHORTEST_LINE: usize = 8;

/// The values to hide.
pub struct Secrets {
    /// Longest first.
    values: Vec<Vec<u8>>,
    first_bytes: [bool; 256],
}

impl Secrets {
    pub fn new(values: &[String]) -> Rc<Secrets> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for value in values {
            let several = value.trim_end().contains('\n');
            let kept = value.lines().filter(|line| {
                if several {
                    line.len() >= SHORTEST_LINE
                } else {
                    !line.is_empty()
                }
            });
            let kept: Vec<&str> = kept.collect();
            // What writes a value as JSON or as a literal of Python puts all its lines into one.
            let whole = several.then(|| value.trim_end_matches(['\r', '\n']));
            for written in kept.iter().copied().chain(whole) {
                lines.extend(escaped(written).into_iter().filter(|escaped| escaped != written).map(String::into_bytes));
            }
            lines.extend(kept.iter().map(|line| line.as_bytes().to_vec()));
        }
        lines.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        lines.dedup();
        let mut first_bytes = [false; 256];
        for line in &lines {
            first_bytes[usize::from(line[0])] = true;
        }
        Rc::new(Secrets {
            values: lines,
            first_bytes,
        })
    }

    /// Masks a whole text.
    pub fn mask(self: &Rc<Self>, text: &str) -> String {
        let mut masker = Masker::new(self.clone());
        let mut output = Vec::with_capacity(text.len());
        masker.push(text.as_bytes(), &mut output);
        masker.finish(&mut output);
        String::from_utf8_lossy(&output).into_owned()
    }

    /// The text may become a secret when more of it arrives.
    fn may_begin(&self, text: &[u8]) -> bool {
        self.values
            .iter()
            .any(|value| value.len() > text.len() && value.starts_with(text))
    }

    fn at(&self, text: &[u8]) -> Option<usize> {
        self.values
            .iter()
            .find(|value| text.starts_with(value))
            .map(Vec::len)
    }
}

/// The value as JSON writes it, with and without letters beyond ASCII (Python's `json.dumps` writes `\u00e9`), and as Python's `repr`
/// does; without the quotes around it.
fn escaped(value: &str) -> [String; 3] {
    let json = serde_json::Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut ascii = String::new();
    for letter in json.chars() {
        match letter.is_ascii() {
            true => ascii.push(letter),
            false => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    // It takes the other quote where one stands in the text, and escapes only where both do.
    let both = value.contains('\'') && value.contains('"');
    let mut python = String::new();
    for letter in value.chars() {
        match letter {
            '\\' => python.push_str("\\\\"),
            '\'' if both => python.push_str("\\'"),
            '\n' => python.push_str("\\n"),
            '\r' => python.push_str("\\r"),
            '\t' => python.push_str("\\t"),
            control if control.is_ascii_control() => python.push_str(&format!("\\x{:02x}", u32::from(control))),
            other => python.push(other),
        }
    }
    [json, ascii, python]
}

/// The text with `***` for each of the values, also as JSON and Python write them.
pub fn masked(text: &str, secrets: &[String]) -> String {
    match secrets.is_empty() {
        true => text.to_owned(),
        false => Secrets::new(secrets).mask(text),
    }
}

/// Masks one stream that arrives in pieces. Holds back less than the longest secret.
pub struct Masker {
    secrets: Rc<Secrets>,
    held: Vec<u8>,
}

impl Masker {
    pub fn new(secrets: Rc<Secrets>) -> Masker {
        Masker {
            secrets,
            held: Vec::new(),
        }
    }

    /// Appends to `output` what can be told already.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) {
        if self.secrets.values.is_empty() {
            output.extend_from_slice(input);
        } else if self.held.is_empty() {
            let done = self.scan(input, true, output);
            self.held.extend_from_slice(&input[done..]);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(input);
            let done = self.scan(&text, true, output);
            text.drain(..done);
            self.held = text;
        }
    }

    /// The stream has ended: appends what was held back.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.held);
        self.scan(&text, false, output);
    }

    /// Returns how much of `text` is dealt with.
    fn scan(&self, text: &[u8], more_follows: bool, output: &mut Vec<u8>) -> usize {
        let mut done = 0;
        while let Some(skip) = text[done..]
            .iter()
            .position(|byte| self.secrets.first_bytes[usize::from(*byte)])
        {
            output.extend_from_slice(&text[done..done + skip]);
            done += skip;
            let rest = &text[done..];
            if more_follows && self.secrets.may_begin(rest) {
                return done;
            }
            match self.secrets.at(rest) {
                Some(length) => {
                    output.extend_from_slice(MASK);
                    done += length;
                }
                None => {
                    output.push(rest[0]);
                    done += 1;
                }
            }
        }
        output.extend_from_slice(&text[done..]);
        text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_pieces(secrets: &[String], pieces: &[&[u8]]) -> String {
        let mut masker = Masker::new(Secrets::new(secrets));
        let mut output = Vec::new();
        for piece in pieces {
            masker.push(piece, &mut output);
        }
        masker.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn across_borders_and_the_longest_first() {
        let secrets = ["hunter2hunter2".to_owned(), "hunter2".to_owned()];
        assert_eq!(in_pieces(&secrets, &[b"a hunt", b"er2 b"]), "a *** b");
        assert_eq!(in_pieces(&secrets, &[b"hunter2hunt", b"er2!"]), "***!");
        assert_eq!(
            in_pieces(&secrets, &[b"hunter2hunt", b"er3!"]),
            "***hunter3!"
        );
        assert_eq!(in_pieces(&secrets, &[b"hunte"]), "hunte");
        assert_eq!(in_pieces(&["".to_owned()], &[b"x"]), "x");
    }

    #[test]
    fn several_lines_are_masked_each() {
        let key = "-----BEGIN KEY-----\nabcdefghij\n}\n-----END KEY-----\n".to_owned();
        assert_eq!(in_pieces(&[key], &[b"1 abcdefghij\n2 }\n"]), "1 ***\n2 }\n");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[abc]{0,60}", secrets in proptest::collection::vec("[abc]{1,5}", 0..4), cut in 1usize..7) {
            let whole = in_pieces(&secrets, &[text.as_bytes()]);
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            prop_assert_eq!(in_pieces(&secrets, &pieces), whole);
        }

        #[test]
        fn one_secret_is_a_replacement(text in "[ab]{0,60}", secret in "[ab]{2,4}") {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(3).collect();
            prop_assert_eq!(in_pieces(std::slice::from_ref(&secret), &pieces), text.replace(&secret, "***"));
        }
    }

    #[test]
    fn a_secret_is_known_as_json_and_python_write_it() {
        for (secret, written) in [
            ("pass\"word\\1", r#"{"a": "pass\"word\\1"}"#),
            ("pässword-🔑", r#"{"a": "p\u00e4ssword-\ud83d\udd11"}"#),
            ("pässword-🔑", r#"{"a": "pässword-🔑"}"#),
            ("pass\"word\\1", r#"{"a": "pass"word\\1"}"#),
            ("it's \"both\"\t", r#"{"a": "it\'s "both"\t"}"#),
            ("first line\nsecond line\n", r#"{"a": "first line\nsecond line"}"#),
        ] {
            assert_eq!(Secrets::new(&[secret.to_owned()]).mask(written), r#"{"a": "***"}"#, "{secret:?}");
        }
    }
}
