use std::path::{Path, PathBuf};

use flamingock_core::change::Order;
use serde_json::json;

use crate::error::{Problem, Result};
use crate::output::Done;
use crate::session::Session;

/// Write the file of a new change, with the next order.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  flamingock new add-tracking-code --target orders-db --folder changes")]
pub(crate) struct Args {
    /// Id of the change
    #[arg(value_name = "ID")]
    id: String,
    /// Id of its target system
    #[arg(long, value_name = "ID")]
    target: String,
    /// Who writes it
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Its order; the one after the greatest of the folder unless told
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    /// The folder of `include_changes!`
    #[arg(long, value_name = "FOLDER", default_value = "changes")]
    folder: PathBuf,
}

pub(crate) async fn run(_: &Session, args: Args) -> Result<Done> {
    let words: Vec<&str> =
        args.id.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    if !words.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())) {
        let id = args.id.escape_debug();
        return Err(Problem::usage(format!(
            "no name can be made of `{id}`: begin it with a letter, such as add-index"
        )));
    }
    let order = match &args.order {
        Some(order) if !is_order(order) => {
            let order = order.escape_debug();
            return Err(Problem::usage(format!("`{order}` is no order for a file: write it such as 0001")));
        }
        Some(order) => order.clone(),
        None => next_order(&args.folder)?,
    };
    let path = args.folder.join(format!("_{order}__{}.rs", words.join("_").to_lowercase()));
    let text = source(&args, &name_of(&words)?);
    std::fs::create_dir_all(&args.folder).map_err(|error| unwritable(&args.folder, &error))?;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).open(&path).map_err(|error| unwritable(&path, &error))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| unwritable(&path, &error))?;
    let shown = path.display().to_string();
    Done::new(json!({ "path": shown, "id": args.id, "order": order }), shown)
}

/// Whether it is read back from a file's name as it is, and the name can become a module's.
fn is_order(order: &str) -> bool {
    order.split('_').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    })
}

/// The order after the greatest: its last number counted on, in as many digits.
fn next_order(folder: &Path) -> Result<String> {
    let first = || Ok("0001".to_owned());
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return first(),
        Err(error) => return Err(unwritable(folder, &error)),
    };
    let mut greatest: Option<Order> = None;
    for file in files {
        let name = file?.file_name().to_string_lossy().into_owned();
        let order = name.strip_prefix('_').and_then(|rest| rest.split_once("__")).map(|(order, _)| order);
        greatest = greatest.max(order.map(|order| Order::new(order.to_owned())));
    }
    let Some(greatest) = greatest else { return first() };
    let next = after(greatest.as_str()).filter(|next| Order::new(next.clone()) > greatest);
    next.ok_or_else(|| {
        let greatest = greatest.as_str().escape_debug();
        Problem::usage(format!("the greatest order, `{greatest}`, does not end in a number: say --order"))
    })
}

fn after(order: &str) -> Option<String> {
    let (rest, number) = order.split_at(order.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let (next, width) = (number.parse::<u64>().ok()?.checked_add(1)?, number.len());
    Some(format!("{rest}{next:0width$}"))
}

/// The name of its type.
fn name_of(words: &[&str]) -> Result<String> {
    let capital = |word: &&str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    match words.iter().map(capital).collect::<String>() {
        name if name == "Self" => {
            Err(Problem::usage("no name can be made of `self`: Rust keeps it for itself. Add a word"))
        }
        name => Ok(name),
    }
}

fn source(args: &Args, name: &str) -> String {
    let author = args.author.as_ref().map(|author| format!(", author = {author:?}")).unwrap_or_default();
    format!(
        r#"use flamingock::prelude::*;

pub struct {name};

/// What it is for, and why now.
#[change(id = {id:?}, target_system = {target:?}{author})]
impl {name} {{
    #[apply]
    async fn apply() -> ChangeResult {{
        todo!("take the target's session: `db: &mut PgConnection`, `db: &mut SqliteConnection`, ..")
    }}

    #[rollback]
    async fn rollback() -> ChangeResult {{
        todo!("the way back; leave it out where there is none")
    }}
}}
"#,
        id = args.id,
        target = args.target,
    )
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new("IO", format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_order_follows_the_greatest_in_as_many_digits() {
        let next = |names: &[&str]| {
            let folder = tempfile::tempdir().expect("a folder");
            for name in names {
                std::fs::write(folder.path().join(name), "").expect("is written");
            }
            next_order(folder.path()).map_err(|problem| problem.message)
        };
        let is = |order: &str| Ok(order.to_owned());
        assert_eq!(next(&["mod.rs"]), is("0001"));
        assert_eq!(next(&["_007__a.rs", "_012__b.yaml", "mod.rs"]), is("013"));
        assert_eq!(next(&["_9__a.rs", "_10__b.rs"]), is("11"));
        // Dates, with a number of the day after them.
        assert_eq!(next(&["_2025-09-23_1__x.rs", "_2025-09-23_9__y.rs"]), is("2025-09-23_10"));
        assert_eq!(next(&["_20250923_01__x.rs", "_0001__y.rs"]), is("20250923_02"));
        assert!(next(&["_0001__a.rs", "_later__b.rs"]).expect_err("has no number").contains("--order"));
        assert_eq!(next_order(Path::new("/nowhere/at/all")).ok(), Some("0001".to_owned()));
    }

    #[test]
    fn a_name_that_rust_keeps_for_itself_is_no_name() {
        assert!(name_of(&["self"]).is_err());
        assert_eq!(name_of(&["add", "self"]).ok().as_deref(), Some("AddSelf"));
    }
}
