//! Arbitrary rows: what a store gives back is foreign data. `cargo xtask fuzz` runs these for longer.

use bolero::TypeGenerator;

use super::*;
use crate::change::{ChangeKind, RecoveryStrategy};

/// A value as a store may hold it. Words make what is parsed deeper reachable.
#[derive(Debug, Clone, TypeGenerator)]
enum Stored {
    Null,
    Integer(i64),
    Text(String),
    Word(#[generator(0..WORDS.len())] usize),
}

const WORDS: [&str; 9] =
    ["", "apply", "undo", "STARTED", "FAILED", "NON_TX", "none", "a,b,,c", "ALWAYS_RETRY"];

impl From<Stored> for Value {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Null => Self::Null,
            Stored::Integer(number) => number.into(),
            Stored::Text(text) => text.into(),
            Stored::Word(index) => WORDS[index].into(),
        }
    }
}

/// A row that is understood.
fn row() -> Vec<Value> {
    let value = |field: &Field| match (field.name, field.kind) {
        ("format" | "sequence" | "attempt", _) => Value::Integer(1),
        (_, FieldKind::Integer) => Value::Integer(1_700_000_000_000_000),
        ("operation", _) => Operation::Apply.as_str().into(),
        ("state", _) => AuditState::Started.as_str().into(),
        ("tx_strategy", _) => TxStrategy::NonTx.as_str().into(),
        ("evidence", _) => Evidence::None.as_str().into(),
        ("recovery", _) => RecoveryStrategy::ManualIntervention.as_str().into(),
        ("kind", _) => ChangeKind::Code.as_str().into(),
        ("hash", _) => ChainHash::GENESIS.to_string().into(),
        (name, FieldKind::Text) => name.into(),
    };
    let row: Vec<Value> = AuditEntry::FIELDS.iter().map(value).collect();
    AuditEntry::from_record(row.clone()).expect("it is understood");
    row
}

/// The row with some of its values replaced.
fn replaced(replacements: &[(u8, Stored)]) -> Vec<Value> {
    let mut row = row();
    for (index, stored) in replacements {
        let index = usize::from(*index) % row.len();
        row[index] = stored.clone().into();
    }
    row
}

#[test]
fn a_row_is_read_as_it_is_or_refused() {
    bolero::check!().with_type::<Vec<(u8, Stored)>>().for_each(|replacements| {
        let row = replaced(replacements);
        let Ok(entry) = AuditEntry::from_record(row.clone()) else { return };
        let again = entry.to_record();
        for ((field, before), after) in AuditEntry::FIELDS.iter().zip(&row).zip(&again) {
            match (field.name, before, after) {
                // Empty names do not count.
                ("profiles", Value::Text(before), Value::Text(after)) => {
                    let names = |text: &str| -> Vec<String> {
                        text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
                    };
                    assert_eq!(names(before), names(after));
                }
                // An error without one of its parts has an empty one.
                ("error_type" | "error_message" | "error_causes", Value::Null, Value::Text(text)) => {
                    assert!(text.is_empty());
                }
                ("hash", Value::Text(before), Value::Text(after)) => {
                    assert!(before.eq_ignore_ascii_case(after), "{before} {after}");
                }
                _ => assert_eq!(before, after, "{}", field.name),
            }
        }
        assert_eq!(AuditEntry::from_record(again).as_ref(), Ok(&entry));
    });
}

#[test]
fn any_number_of_values_is_refused_or_read() {
    bolero::check!().with_type::<Vec<Stored>>().for_each(|values| {
        let _ = AuditEntry::from_record(values.iter().cloned().map(Value::from).collect());
    });
}

#[test]
fn every_edit_of_an_entry_breaks_the_chain() {
    bolero::check!().with_type::<(Vec<(u8, Stored)>, u8, Stored)>().for_each(|(replacements, at, edit)| {
        let Ok(mut entry) = AuditEntry::from_record(replaced(replacements)) else { return };
        entry.sequence = 1;
        entry.hash = ChainHash::GENESIS.next(&entry);
        verify_chain((0, ChainHash::GENESIS), [&entry]).expect("the chain holds");

        let mut row = entry.to_record();
        let at = usize::from(*at) % row.len();
        row[at] = edit.clone().into();
        let Ok(edited) = AuditEntry::from_record(row) else { return };
        if edited != entry {
            verify_chain((0, ChainHash::GENESIS), [&edited]).expect_err("the edit shows");
        }
    });
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    bolero::check!().with_type::<[u8; 32]>().for_each(|bytes| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("v1:{digits}");
        assert_eq!(text.parse::<ChainHash>().expect("a hash").to_string(), text);
    });
}

#[test]
fn any_text_is_a_hash_or_refused() {
    bolero::check!().with_type::<String>().for_each(|text| {
        for text in [text.clone(), format!("v1:{text}")] {
            if let Ok(hash) = text.parse::<ChainHash>() {
                assert!(hash.to_string().eq_ignore_ascii_case(&text));
            }
        }
        let _ = serde_json::from_str::<Verdict>(text);
    });
}
