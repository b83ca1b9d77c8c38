use std::io;

use flamingock::prelude::*;

use crate::demo::Demo;
use crate::folder::Folder;

const PAGE: &str = "index.html";

pub(crate) struct PublishIndex;

/// The page that links to the files of all countries.
#[change(id = "publish-index", order = "0006", target_system = "site", author = "quickstart")]
impl PublishIndex {
    // Not async: it runs on a thread of its own and may block.
    #[apply]
    fn apply(site: &Folder, demo: &Demo) -> io::Result<()> {
        let mut page = String::from("<!doctype html><title>Airports</title><h1>Airports by country</h1>\n");
        for file in site.list("countries")? {
            page.push_str(&format!("<li><a href=\"countries/{file}\">{file}</a>\n"));
        }
        site.write(PAGE, &page)?;
        demo.pause_blocking();
        Ok(())
    }

    #[rollback]
    fn rollback(site: &Folder) -> io::Result<()> {
        site.remove_file(PAGE)
    }

    // If the process dies meanwhile, the next start asks here how it ended. Otherwise it would have to
    // ask you.
    #[verify]
    fn verify(site: &Folder) -> io::Result<TargetState> {
        Ok(if site.has(PAGE)? { TargetState::Applied } else { TargetState::NotApplied })
    }
}
