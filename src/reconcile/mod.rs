//! What must change: diff, plan, explanation.
