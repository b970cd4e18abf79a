//! What is remembered: four verbs on bytes, and the ledger above them.
