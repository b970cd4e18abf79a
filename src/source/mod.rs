//! Where the text of a manifest comes from: a complete set of files or an error.
