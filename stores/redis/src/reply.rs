use redis::Value;

/// What a script answers: a word, and what belongs to it.
pub(crate) fn word(value: Value) -> Result<(String, Vec<Value>), String> {
    let mut values = array(value)?.into_iter();
    let word = values.next().ok_or("an empty answer")?;
    Ok((text(&word)?.to_owned(), values.collect()))
}

pub(crate) fn array(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        other => Err(format!("{} instead of a list", kind(&other))),
    }
}

pub(crate) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::BulkString(bytes) => {
            std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8".to_owned())
        }
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK"),
        other => Err(format!("{} instead of text", kind(other))),
    }
}

pub(crate) fn optional_text(value: &Value) -> Result<Option<&str>, String> {
    if *value == Value::Nil { Ok(None) } else { text(value).map(Some) }
}

pub(crate) fn number<T: std::str::FromStr>(value: &Value) -> Result<T, String> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        other => text(other)?.to_owned(),
    };
    text.parse().map_err(|_| format!("`{}` instead of a number", text.escape_debug()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::Array(_) | Value::Set(_) => "a list",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "text",
        _ => "something else",
    }
}
