/// The ids that are nearest to one that is not known, the nearest first; at most three.
///
/// ```
/// # use flamingock_core::operate::nearest;
/// assert_eq!(nearest("add-traking", ["add-tracking", "drop-orders"]), ["add-tracking"]);
/// ```
pub fn nearest<'a>(id: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let score = |known: &'a str| (strsim::jaro_winkler(id, known), known);
    let mut near: Vec<(f64, &str)> = known.into_iter().map(score).filter(|(score, _)| *score > 0.7).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, id)| id).collect()
}

/// `did you mean ..?`; nothing where none is near.
pub(crate) fn did_you_mean<'a>(id: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near: Vec<String> = nearest(id, known).iter().map(|id| format!("`{}`", id.escape_debug())).collect();
    if near.is_empty() { String::new() } else { format!(": did you mean {}?", near.join(" or ")) }
}
