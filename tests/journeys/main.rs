//! What the users of the three tutorials type, in order, under reeve's commands, and what they see: text files beside this one, played
//! with the real binary, a real daemon and real runs in a home of their own. Their form is that of `common/script.rs`, their commands
//! stand in `terminal`, and what differs from time to time (ids, names of runs, instants, paths) is written as in `steady`.
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/script.rs"]
mod script;
mod steady;
mod terminal;

use terminal::Terminals;

#[test]
fn every_tutorial_goes_as_it_is_written() {
    script::check_all("tests/journeys", 3, |text| {
        let mut terminals = Terminals::new();
        script::played(text, |line, input| terminals.typed(line, input))
    });
}
