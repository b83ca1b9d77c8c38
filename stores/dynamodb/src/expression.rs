use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem, Update};

use crate::item::{Attributes, number};

/// What an update sets and removes, and on which conditions. Names and values always go beside the
/// text: many names that are natural here are reserved words there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
}

impl Expression {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        if let Entry::Vacant(vacant) = self.names.entry(placeholder.clone()) {
            vacant.insert(name.to_owned());
        }
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    pub(crate) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        self.sets.push(format!("{name} = {value}"));
        self
    }

    /// Leaves what stands there.
    pub(crate) fn set_if_absent(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        self.sets.push(format!("{name} = if_not_exists({name}, {value})"));
        self
    }

    /// Adds one.
    pub(crate) fn raise(mut self, name: &str) -> Self {
        let (name, one) = (self.name(name), self.value(number(1)));
        self.sets.push(format!("{name} = {name} + {one}"));
        self
    }

    pub(crate) fn remove(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.removes.push(name);
        self
    }

    /// Sets or removes.
    pub(crate) fn put(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(name),
        }
    }

    fn when(mut self, name: &str, comparison: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        self.conditions.push(format!("{name} {comparison} {value}"));
        self
    }

    pub(crate) fn when_equal(self, name: &str, value: AttributeValue) -> Self {
        self.when(name, "=", value)
    }

    pub(crate) fn when_at_least(self, name: &str, value: AttributeValue) -> Self {
        self.when(name, ">=", value)
    }

    pub(crate) fn when_at_most(self, name: &str, value: AttributeValue) -> Self {
        self.when(name, "<=", value)
    }

    pub(crate) fn when_absent(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.conditions.push(format!("attribute_not_exists({name})"));
        self
    }

    pub(crate) fn when_absent_or_below(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} < {value})"));
        self
    }

    fn update(&self) -> String {
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        clause("SET", &self.sets) + &clause("REMOVE", &self.removes)
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    /// As `UpdateItem`.
    pub(crate) fn on(self, request: UpdateItemFluentBuilder, key: Attributes) -> UpdateItemFluentBuilder {
        request
            .set_key(Some(key))
            .update_expression(self.update())
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
    }

    /// As part of a transaction.
    pub(crate) fn update_in(self, table: &str, key: Attributes) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .update_expression(self.update())
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Its conditions alone, as part of a transaction.
    pub(crate) fn check_in(self, table: &str, key: Attributes) -> Result<TransactWriteItem, BuildError> {
        let check = ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_condition_expression(self.condition())
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .build()?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A whole item, on its conditions, as part of a transaction.
    pub(crate) fn put_in(self, table: &str, item: Attributes) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .set_condition_expression(self.condition())
            .set_expression_attribute_names((!self.names.is_empty()).then_some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_and_conditions_are_joined() {
        let expression = Expression::new()
            .set("owner", number(7))
            .raise("token")
            .remove("watched_us")
            .when_equal("version", number(3))
            .when_absent("owner");
        assert_eq!(expression.update(), "SET #owner = :0, #token = #token + :1 REMOVE #watched_us ");
        assert_eq!(expression.condition().as_deref(), Some("#version = :2 AND attribute_not_exists(#owner)"));
        assert_eq!(expression.names.len(), 4);
    }
}
