use std::path::{Path, PathBuf};

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
    let (order, width) = next_order(&args.folder)?;
    let path = args.folder.join(format!("_{order:0width$}__{}.rs", words.join("_").to_lowercase()));
    let text = source(&args, &words);
    std::fs::create_dir_all(&args.folder).map_err(|error| unwritable(&args.folder, &error))?;
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).open(&path).map_err(|error| unwritable(&path, &error))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| unwritable(&path, &error))?;
    let shown = path.display().to_string();
    Done::new(json!({ "path": shown, "id": args.id, "order": format!("{order:0width$}") }), shown)
}

/// The order after the greatest, in as many digits as the others have.
fn next_order(folder: &Path) -> Result<(u64, usize)> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((1, 4)),
        Err(error) => return Err(unwritable(folder, &error)),
    };
    let mut greatest = (0, 4);
    for file in files {
        let name = file?.file_name().to_string_lossy().into_owned();
        let order = name.strip_prefix('_').and_then(|rest| rest.split_once("__")).map(|(order, _)| order);
        if let Some((number, digits)) = order.and_then(|text| Some((text.parse::<u64>().ok()?, text.len()))) {
            greatest = greatest.max((number, digits));
        }
    }
    Ok((greatest.0.saturating_add(1), greatest.1))
}

fn source(args: &Args, words: &[&str]) -> String {
    let capital = |word: &&str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    let name: String = words.iter().map(capital).collect();
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
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(next_order(folder.path()).expect("is readable"), (1, 4));
        for name in ["_007__a.rs", "_012__b.yaml", "mod.rs", "_x__c.rs"] {
            std::fs::write(folder.path().join(name), "").expect("is written");
        }
        assert_eq!(next_order(folder.path()).expect("is readable"), (13, 3));
        assert_eq!(next_order(&folder.path().join("none")).expect("is fine"), (1, 4));
    }
}
