//! Cargo notices an edited change by itself; this makes it notice a new one, too.

fn main() {
    println!("cargo::rerun-if-changed=changes");
}
