#[flamingock::test]
fn not_async() {}

#[flamingock::test]
struct NotAFunction;

#[flamingock::test(database = "orders")]
async fn unknown_key() {}

#[flamingock::test(changes = )]
async fn no_value() {}

#[flamingock::test(env = DATABASE_URL)]
async fn not_a_string() {}

#[flamingock::test(url = "postgres://localhost", env = "DATABASE_URL")]
async fn both() {}

#[flamingock::test(service = "orders")]
async fn a_service_without_changes() {}

#[flamingock::test(harness = "false", harness = true)]
async fn twice() {}

#[flamingock::test]
async fn generic<T>() {}

#[flamingock::test]
async fn by_reference(number: &u32) {}

#[flamingock::test]
#[test]
async fn a_test_already() {}

fn main() {}
