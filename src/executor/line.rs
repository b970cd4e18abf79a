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
        // Far quicker than `utf8_chunks`, and what nearly every run prints.
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.push_text(text, emit);
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.push_text(chunk.valid(), emit);
            let invalid = chunk.invalid();
            let incomplete = |bytes| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && incomplete(invalid) {
                self.partial = invalid.to_vec();
            } else {
                self.push_escaped(invalid, emit);
            }
        }
    }

    fn push_text(&mut self, mut text: &str, emit: &mut impl FnMut(&str, bool)) {
        while !text.is_empty() {
            let plain = text.bytes().position(is_special).unwrap_or(text.len());
            let whole = text.as_bytes().get(plain) == Some(&b'\n') && plain <= LINE_LIMIT;
            if whole && self.text.is_empty() && !self.carriage_return {
                // Nothing to join it with: it need not be copied.
                emit(&text[..plain], false);
                self.begun = false;
                text = &text[plain + 1..];
                continue;
            }
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
        if self.text.len() + text.len() <= LINE_LIMIT {
            return self.text.push_str(text);
        }
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
            let at = usize::from(*byte) * ESCAPE_LENGTH;
            self.push_plain(&ESCAPES[at..at + ESCAPE_LENGTH], emit);
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

const ESCAPE_LENGTH: usize = 4;

/// `\xNN` for each byte, one after the other.
const ESCAPES: &str = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const BYTES: [[u8; ESCAPE_LENGTH]; 256] = {
        let mut escapes = [[b'\\', b'x', 0, 0]; 256];
        let mut byte = 0;
        while byte < escapes.len() {
            escapes[byte][2] = DIGITS[byte >> 4];
            escapes[byte][3] = DIGITS[byte & 15];
            byte += 1;
        }
        escapes
    };
    match std::str::from_utf8(BYTES.as_flattened()) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    }
};

/// Control characters other than tab and escape; line ends are among them.
fn is_special(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t' && byte != 0x1b) || byte == 0x7f
}
