//! Cuts a stream of bytes into the lines of a log: valid UTF-8, escaped, of bounded length, however the stream is cut into reads.
use super::log::LINE_LIMIT;

/// The line that is being gathered, escaped already. At most [`LINE_LIMIT`] bytes and a character.
#[derive(Default)]
pub struct Line {
    text: String,
    /// The first bytes of a character whose rest has not arrived.
    partial: Vec<u8>,
    /// A carriage return that is dropped if a line feed follows.
    carriage_return: bool,
    /// Something of this line has been emitted, or gathered.
    begun: bool,
}

impl Line {
    /// Takes a piece of the stream; `emit` gets every record that it completes, and whether the line goes on in the next.
    pub fn push(&mut self, bytes: &[u8], emit: &mut impl FnMut(&str, bool)) {
        let joined;
        let bytes = if self.partial.is_empty() {
            bytes
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            joined = whole;
            &joined
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.push_text(chunk.valid(), emit);
            let invalid = chunk.invalid();
            let incomplete =
                std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if incomplete && chunks.peek().is_none() {
                self.partial = invalid.to_vec();
            } else {
                self.push_escaped(invalid, emit);
            }
        }
    }

    fn push_text(&mut self, mut text: &str, emit: &mut impl FnMut(&str, bool)) {
        while !text.is_empty() {
            let plain = text.bytes().position(is_special).unwrap_or(text.len());
            if plain > 0 {
                self.push_plain(&text[..plain], emit);
                text = &text[plain..];
                continue;
            }
            match text.as_bytes()[0] {
                b'\n' => {
                    self.carriage_return = false;
                    emit(&self.text, false);
                    self.text.clear();
                    self.begun = false;
                }
                b'\r' => {
                    self.settle_carriage_return(emit);
                    self.carriage_return = true;
                    self.begun = true;
                }
                other => self.push_escaped(&[other], emit),
            }
            text = &text[1..];
        }
    }

    fn push_plain(&mut self, mut text: &str, emit: &mut impl FnMut(&str, bool)) {
        self.settle_carriage_return(emit);
        self.begun = true;
        while !text.is_empty() {
            let room = LINE_LIMIT.saturating_sub(self.text.len());
            let cut = (0..=room.min(text.len()))
                .rev()
                .find(|index| text.is_char_boundary(*index))
                .unwrap_or(0);
            self.text.push_str(&text[..cut]);
            text = &text[cut..];
            if !text.is_empty() {
                self.cut(emit);
            }
        }
    }

    fn push_escaped(&mut self, bytes: &[u8], emit: &mut impl FnMut(&str, bool)) {
        for byte in bytes {
            self.push_plain(&format!("\\x{byte:02x}"), emit);
        }
    }

    fn settle_carriage_return(&mut self, emit: &mut impl FnMut(&str, bool)) {
        if std::mem::take(&mut self.carriage_return) {
            self.push_escaped(b"\r", emit);
        }
    }

    fn cut(&mut self, emit: &mut impl FnMut(&str, bool)) {
        emit(&self.text, true);
        self.text.clear();
    }

    /// The stream has ended: the last line may lack a line end.
    pub fn finish(&mut self, emit: &mut impl FnMut(&str, bool)) {
        let partial = std::mem::take(&mut self.partial);
        self.push_escaped(&partial, emit);
        self.carriage_return = false;
        if std::mem::take(&mut self.begun) {
            emit(&self.text, false);
            self.text.clear();
        }
    }
}

/// Control characters other than tab and escape; line ends are among them.
fn is_special(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t' && byte != 0x1b) || byte == 0x7f
}
