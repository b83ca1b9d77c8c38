use super::*;

/// What the macro makes of a folder with these files.
fn expand_folder(files: &[&str]) -> String {
    let package = tempfile::tempdir().unwrap();
    let folder = package.path().join("changes");
    fs::create_dir(&folder).unwrap();
    for file in files {
        fs::write(folder.join(file), "").unwrap();
    }
    let tokens = expand_in(Some(package.path()), quote!("changes"));
    tokens.to_string().replace(&package.path().display().to_string(), "$PACKAGE")
}

#[track_caller]
fn assert_mistakes(tokens: &str, expected: &[&str]) {
    assert_eq!(tokens.matches("compile_error").count(), expected.len(), "{tokens}");
    for sentence in expected {
        assert!(tokens.contains(sentence), "{sentence}\n{tokens}");
    }
}

#[test]
fn every_change_becomes_a_module_in_the_order_of_the_names() {
    let tokens = expand_folder(&["_0002__b.rs", "_0001__a.rs", "notes.md", "data.csv", ".gitkeep"]);
    assert_eq!(
        tokens,
        "# [path = \"$PACKAGE/changes/_0001__a.rs\"] mod _0001__a ; \
         # [path = \"$PACKAGE/changes/_0002__b.rs\"] mod _0002__b ;"
    );
}

#[test]
fn characters_that_are_usual_in_file_names_become_underscores() {
    let tokens = expand_folder(&["_2025-09-23_1__add-code v1.2.rs"]);
    assert!(tokens.ends_with("mod _2025_09_23_1__add_code_v1_2 ;"), "{tokens}");
}

#[test]
fn a_folder_without_changes_is_refused() {
    assert_mistakes(&expand_folder(&["notes.md"]), &["the folder `changes` has no changes"]);
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let package = tempfile::tempdir().unwrap();
    let tokens = expand_in(Some(package.path()), quote!("changes")).to_string();
    assert_mistakes(&tokens, &["cannot read the folder `changes`"]);
}

#[test]
fn every_file_with_a_wrong_name_is_named_and_the_others_are_declared() {
    let names = ["create_orders.rs", "mod.rs", "0001__a.rs", "_0001_a.rs", "_0001__.rs", "___a.rs"];
    let mut files = names.to_vec();
    files.push("_0001__a.rs");
    let tokens = expand_folder(&files);
    assert_mistakes(
        &tokens,
        &names.map(|name| format!("`{name}` is not named like a change")).each_ref().map(String::as_str),
    );
    assert!(tokens.contains("mod _0001__a ;"), "{tokens}");
}

#[test]
fn characters_that_no_module_can_have_are_refused() {
    assert_mistakes(&expand_folder(&["_0001__a+b.rs"]), &["`_0001__a+b.rs` cannot be the name of a module"]);
}

#[test]
fn two_files_that_would_be_one_module_are_refused() {
    assert_mistakes(
        &expand_folder(&["_1__a-b.rs", "_1__a_b.rs"]),
        &["`_1__a-b.rs` and `_1__a_b.rs` would both be the module `_1__a_b`"],
    );
}

#[test]
fn yaml_is_refused_until_there_are_templates() {
    assert_mistakes(
        &expand_folder(&["_0001__a.yaml", "_0002__b.yml"]),
        &[
            "`_0001__a.yaml`: changes written in YAML are not supported yet",
            "`_0002__b.yml`: changes written",
        ],
    );
}

#[test]
fn a_build_without_cargo_is_told_what_is_missing() {
    let tokens = expand_in(None, quote!("changes")).to_string();
    assert_mistakes(&tokens, &["CARGO_MANIFEST_DIR is not set"]);
}

#[test]
fn modules_are_as_visible_as_asked() {
    let package = tempfile::tempdir().unwrap();
    fs::write(package.path().join("_1__a.rs"), "").unwrap();
    let tokens = expand_in(Some(package.path()), quote!(pub(crate) "."));
    assert!(tokens.to_string().ends_with("pub (crate) mod _1__a ;"), "{tokens}");
}
