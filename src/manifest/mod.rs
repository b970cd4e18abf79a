//! Text of a project file in, `Desired` or every problem with its place out.
