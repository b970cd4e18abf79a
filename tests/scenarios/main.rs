//! Scenarios as text files (`tests/data/scenarios`): what people do to a project, and what they see, in virtual time.
//!
//! Their form is that of `common/script.rs`, their commands stand in `host`.
//!
//! Under test: text -> `manifest` -> `reconcile` and its explanation -> the ledger, the scheduler and the dispatcher's decisions. The
//! clock, the disk and the processes are those of the simulation.
#[path = "../simulation/daemon.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod daemon;
mod host;
#[path = "../common/script.rs"]
mod script;
#[path = "../simulation/world.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod world;

use host::Host;

#[test]
fn every_scenario_goes_as_it_is_written() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    script::check_all("tests/data/scenarios", 6, |text| {
        let mut host = runtime.block_on(Host::new());
        script::played(text, |line, input| runtime.block_on(host.command(line, input)))
    });
}
