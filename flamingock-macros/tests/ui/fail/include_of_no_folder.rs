flamingock::include_changes!("no such folder");
flamingock::include_changes!("/no/such/folder");
flamingock::include_changes!(changes);
flamingock::include_changes!("a", "b");
flamingock::include_changes!();

fn main() {}
