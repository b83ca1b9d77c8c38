/// A text as a shell takes it, for commands that are shown.
///
/// ```
/// # use flamingock_core::operate::quoted;
/// assert_eq!(quoted("add-index"), "add-index");
/// assert_eq!(quoted("it's; rm -rf"), r"'it'\''s; rm -rf'");
/// assert_eq!(quoted(""), "''");
/// ```
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
