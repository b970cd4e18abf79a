//! How a Python function's parameters become what its annotations ask for: a table in Python, checked by the interpreter that is here.
use std::process::Command;

#[test]
fn annotations_make_of_values_what_the_table_says() {
    let output = Command::new("python3")
        .args(["tests/data/python/values.py", "src/executor/values.py"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
