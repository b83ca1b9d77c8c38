//! The code blocks of the README and of the book, compiled and run with the documentation tests.

macro_rules! pages {
    ($($name:ident = $path:literal),* $(,)?) => {
        $(#[doc = include_str!($path)] mod $name {})*
    };
}

pages! {
    readme = "../../README.md",
    quickstart = "../../examples/quickstart/README.md",
    axum_service = "../../examples/axum-service/README.md",
    introduction = "../../docs/src/introduction.md",
    getting_started = "../../docs/src/getting-started.md",
    concepts = "../../docs/src/concepts.md",
    writing_changes = "../../docs/src/writing-changes.md",
    when_it_fails = "../../docs/src/when-it-fails.md",
    testing = "../../docs/src/testing.md",
    operations = "../../docs/src/operations.md",
    stores_mongodb = "../../docs/src/stores-mongodb.md",
    kubernetes = "../../docs/src/kubernetes.md",
    stores_redis = "../../docs/src/stores-redis.md",
    benchmarks = "../../docs/src/benchmarks.md",
}
