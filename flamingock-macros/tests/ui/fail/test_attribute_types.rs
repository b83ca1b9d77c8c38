// Where the harness is left out, the function is there without `--test`, too.

#[flamingock::test(harness = false)]
async fn no_database(_number: u32) {}

#[flamingock::test(harness = false)]
async fn returns_a_number() -> u32 {
    1
}

#[flamingock::test(harness = false, changes = 1)]
async fn no_changes() {}

fn main() {
    no_database();
    returns_a_number();
    no_changes();
}
