//! Who runs next: `(snapshot, now) -> decisions`.
