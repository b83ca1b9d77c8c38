//! Unusual but valid.

#![expect(unused_parens, unused_qualifications, reason = "unusual spellings are in question")]

use flamingock::prelude::*;

flamingock::change_set!(CHANGES);

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = CHANGES.changes().into_iter().map(|change| change.id).collect();
    ids.sort();
    ids
}

mod paths {
    pub(super) struct ByPath;
    pub(super) mod inner {
        pub(in super::super) struct Generic<T>(pub(super) std::marker::PhantomData<T>);
    }

    #[::flamingock::change(id = "by-path", order = 1, target_system = "t")]
    impl self::ByPath {
        #[flamingock::apply]
        fn apply() -> flamingock::prelude::ChangeResult {
            Ok(())
        }
    }

    #[flamingock::change(id = "of-one-type", order = 2, target_system = "t")]
    impl self::inner::Generic<[u8; 3]> {
        #[flamingock::prelude::apply]
        fn apply() -> flamingock::prelude::ChangeResult {
            Ok(())
        }
    }
}

mod renamed {
    use flamingock as upstream;
    pub(super) use upstream::prelude as everything;

    pub(super) mod facade {
        pub(crate) use flamingock::__private;
    }

    pub(super) struct Renamed;

    #[upstream::change(id = "renamed", order = 1, target_system = "t", crate = crate::renamed::facade)]
    impl Renamed {
        #[upstream::apply]
        fn apply() -> everything::ChangeResult {
            Ok(())
        }
    }
}

#[expect(non_camel_case_types, reason = "raw identifiers are in question")]
struct r#type;

#[change(r#id = "raw", order = 3, target_system = "t")]
impl r#type {
    #[r#apply]
    async fn r#fn(r#mut: &u8, r#ref: Option<&u8>) -> ChangeResult {
        assert!(r#ref.is_none_or(|other| r#mut == other));
        Ok(())
    }
}

#[test]
fn raw_identifiers_are_named_without_the_prefix() {
    let change = CHANGES.changes().into_iter().find(|change| change.id == r#type::ID).unwrap();
    assert_eq!(change.apply.params[0].name, "mut");
    assert_eq!(change.apply.params[1].name, "ref");
}

enum Enumeration {}

#[change(id = "enumeration", order = 4, target_system = "t")]
impl Enumeration {
    const NAME: &'static str = { "a constant with braces" };

    fn helper(count: usize) -> usize {
        count + Self::NAME.len()
    }

    #[apply]
    fn apply(mut count: &usize, _ignored: &u8, parenthesised: &(usize), own: Option<&Self>) -> ChangeResult {
        if own.is_some() {
            count = &7;
        }
        println!("{} {parenthesised}", Self::helper(*count));
        Ok(())
    }
}

struct Conditional;

#[change(id = "conditional", order = 5, target_system = "t")]
#[cfg(not(any()))]
impl Conditional {
    #[apply]
    #[cfg(any())]
    async fn apply(missing: &NoSuchType) -> ChangeResult {
        Ok(())
    }

    #[cfg(not(any()))]
    #[apply]
    async fn apply() -> ChangeResult {
        Ok(())
    }

    #[cfg(any())]
    #[rollback]
    fn rollback(missing: &NoSuchType) -> ChangeResult {
        Ok(())
    }

    #[verify]
    #[cfg(any(unix, not(unix)))]
    #[cfg(not(any()))]
    fn verify() -> Result<TargetState, BoxError> {
        Ok(TargetState::Applied)
    }
}

#[test]
fn a_method_under_a_condition_is_there_when_the_condition_holds() {
    let change = CHANGES.changes().into_iter().find(|change| change.id == Conditional::ID).unwrap();
    assert!(change.rollback.is_none());
    assert!(change.verify.is_some());
}

struct NotThere;

#[cfg(any())]
#[change(id = "not-there", order = 6, target_system = "t")]
impl NotThere {
    #[apply]
    fn apply() -> ChangeResult {
        Ok(())
    }
}

#[cfg(not(any()))]
impl NotThere {
    fn there() -> bool {
        false
    }
}

macro_rules! changes {
    ($($name:ident: $id:literal, $order:expr, $parameter:ty;)*) => {$(
        struct $name;

        #[change(id = $id, order = $order, target_system = "t")]
        impl $name {
            #[apply]
            async fn apply(parameter: $parameter, shared: &$parameter) -> ChangeResult {
                println!("{parameter:?} {shared:?}");
                Ok(())
            }
        }
    )*};
}

changes! {
    FirstOfMacro: "macro-1", 7, &u8;
    SecondOfMacro: "macro-2", "8", Option<&u8>;
}

#[test]
fn changes_of_a_macro_stand_where_it_is_called() {
    let here = CHANGES.changes().into_iter().find(|change| change.id == FirstOfMacro::ID).unwrap().source;
    assert_eq!(here.file, file!());
    assert!(here.line < line!());
}

struct Shadows;

#[expect(non_camel_case_types, reason = "hygiene is in question")]
mod shadowed {
    use super::Shadows;
    use flamingock::{apply, change};

    pub(super) struct Option;
    pub(super) struct Box;
    struct Result;
    struct str;

    #[change(id = "shadows", order = 9, target_system = "t", author = "a", timeout = "1s")]
    impl Shadows {
        #[apply]
        async fn apply(option: &Option, boxed: &mut Box) -> ::std::result::Result<(), ::std::string::String> {
            let _ = (option, boxed, Result, str);
            Ok(())
        }
    }
}

#[test]
fn changes_inside_a_function_are_registered_too() {
    fn inner() -> &'static str {
        struct Local;
        struct Dependency;

        #[change(id = "local", order = 11, target_system = "t")]
        impl Local {
            #[apply]
            async fn apply(_unit: &mut (), dependency: &Dependency) -> ChangeResult {
                let _ = dependency;
                Ok(())
            }
        }
        let _ = Dependency;
        Local::ID
    }
    assert_eq!(inner(), "local");
    assert!(ids().contains(&"local".to_owned()));
}

struct Unusual;

/** A block comment
 * with a frame.
 */
#[change(
    id = "ünüsüal",
    order = 0x0C,
    target_system = "t",
    profiles = [],
)]
impl Unusual {
    #![expect(clippy::unused_unit, reason = "inner attributes belong to the block")]

    #[apply]
    #[inline(never)]
    #[must_use]
    pub(crate) const fn apply() -> std::result::Result<(), std::convert::Infallible> {
        Ok(())
    }

    fn unit() -> () {}
}

#[test]
fn an_order_in_another_notation_is_read_as_its_number() {
    let change = CHANGES.changes().into_iter().find(|change| change.id == Unusual::ID).unwrap();
    assert_eq!(change.order_text(), "12");
    assert_eq!(change.description.as_deref(), Some("A block comment with a frame."));
    Unusual::unit();
    assert!(Unusual::apply().is_ok());
}

#[test]
fn all_of_them_are_registered() {
    let expected = [
        "by-path",
        "conditional",
        "enumeration",
        "local",
        "macro-1",
        "macro-2",
        "of-one-type",
        "raw",
        "renamed",
        "shadows",
        "ünüsüal",
    ];
    assert_eq!(ids(), expected);
    assert!(!NotThere::there());
    assert_eq!(<renamed::Renamed as CodeChange>::ID, "renamed");
    assert_eq!(<paths::inner::Generic<[u8; 3]> as CodeChange>::ID, "of-one-type");
}
