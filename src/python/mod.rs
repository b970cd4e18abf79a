//! What a Python source file says, read and never imported.
