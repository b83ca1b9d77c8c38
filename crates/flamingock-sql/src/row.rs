use flamingock_core::audit::Value;

/// A row as it came: a value per column, or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Result<Value, String>>);

impl Row {
    /// All values.
    ///
    /// # Errors
    /// Says which column holds something else.
    pub fn values(self) -> Result<Vec<Value>, String> {
        let read = |(index, value): (usize, Result<Value, String>)| {
            value.map_err(|problem| format!("column {}: {problem}", index + 1))
        };
        self.0.into_iter().enumerate().map(read).collect()
    }

    /// The number in a column.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn integer(&self, index: usize) -> Result<i64, String> {
        match self.0.get(index) {
            Some(Ok(Value::Integer(number))) => Ok(*number),
            other => Err(unexpected(index, "a number", other)),
        }
    }

    /// The number in a column, which is never negative.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn unsigned(&self, index: usize) -> Result<u64, String> {
        let number = self.integer(index)?;
        u64::try_from(number).map_err(|_| format!("column {} holds the negative number {number}", index + 1))
    }

    /// The text in a column.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn text(&self, index: usize) -> Result<&str, String> {
        match self.0.get(index) {
            Some(Ok(Value::Text(text))) => Ok(text),
            other => Err(unexpected(index, "text", other)),
        }
    }

    /// The text in a column, if there is any.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn optional_text(&self, index: usize) -> Result<Option<&str>, String> {
        match self.0.get(index) {
            Some(Ok(Value::Null)) => Ok(None),
            _ => self.text(index).map(Some),
        }
    }
}

fn unexpected(index: usize, wanted: &str, found: Option<&Result<Value, String>>) -> String {
    let found = match found {
        None => "nothing".to_owned(),
        Some(Ok(Value::Null)) => "NULL".to_owned(),
        Some(Ok(Value::Integer(_))) => "a number".to_owned(),
        Some(Ok(Value::Text(_))) => "text".to_owned(),
        Some(Err(problem)) => problem.clone(),
    };
    format!("column {} should hold {wanted}, not {found}", index + 1)
}
