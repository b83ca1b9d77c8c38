use flamingock_core::lock::FencingToken;
use flamingock_core::target::{Fence, Marker, MarkerState, MarkerUpdate};
use flamingock_core::{BackendError, History};
use flamingock_sql::{Column, ColumnKind, Connection, Operation, Row, Table, quote_in};
use sqlx::Pool;

use crate::TargetDialect;

/// What is read of a fence.
const FENCE: [&str; 2] = ["token", "execution_id"];

/// The fence and marker rows of a target: where they are, and how they are read and written.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) schema: Option<String>,
    pub(crate) prefix: String,
}

impl Rows {
    pub(crate) fn tables(&self) -> [Table; 2] {
        use ColumnKind::{Integer, Key, Text};
        let fences = Table {
            schema: self.schema.clone(),
            name: format!("{}fences", self.prefix),
            columns: vec![
                Column::new("service", Key),
                Column::new("tenant", Key),
                Column::new("token", Integer),
                Column::new("execution_id", Text),
            ],
            key: &["service", "tenant"],
            index: None,
        };
        let markers = Table {
            schema: self.schema.clone(),
            name: format!("{}markers", self.prefix),
            columns: vec![
                Column::new("service", Key),
                Column::new("tenant", Key),
                Column::new("change_id", Key),
                Column::new("state", Text),
                Column::new("execution_id", Text),
                Column::new("token", Integer),
                Column::new("sequence", Integer),
                Column::nullable("session", Text),
                Column::nullable("progress", Text),
            ],
            key: &["service", "tenant", "change_id"],
            index: None,
        };
        [fences, markers]
    }

    pub(crate) fn fences<D: TargetDialect>(&self) -> String {
        quote_in::<D>(self.schema.as_deref(), &format!("{}fences", self.prefix))
    }

    pub(crate) fn markers<D: TargetDialect>(&self) -> String {
        quote_in::<D>(self.schema.as_deref(), &format!("{}markers", self.prefix))
    }

    /// Locks a history's fence until the transaction ends, and reads it. Who is in the way is looked
    /// for over a connection of `pool`'s kind.
    pub(crate) async fn lock_fence<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        pool: &Pool<D::Database>,
        history: &History,
    ) -> Result<Option<Fence>, BackendError> {
        let locked = self.locked(operation, connection, pool, history, None).await?;
        fence(operation, locked.first(), history)
    }

    /// The same, and in the same round trip the marker of a change, as it is once the fence is locked.
    pub(crate) async fn lock_fence_and_read<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        pool: &Pool<D::Database>,
        history: &History,
        change: &str,
    ) -> Result<(Option<Fence>, Option<Marker>), BackendError> {
        let locked = self.locked(operation, connection, pool, history, Some(change)).await?;
        // Without a fence there may be a marker nevertheless; they differ in their number of columns.
        let (fences, markers): (Vec<Row>, Vec<Row>) =
            locked.into_iter().partition(|row| row.0.len() == FENCE.len());
        let fence = fence(operation, fences.first(), history)?;
        Ok((fence, marker(operation, markers.first(), history, change)?))
    }

    async fn locked<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        pool: &Pool<D::Database>,
        history: &History,
        change: Option<&str>,
    ) -> Result<Vec<Row>, BackendError> {
        let (fences, of) = (self.fences::<D>(), operation.of(history)?);
        let mut sql = D::lock_fence(&fences, &FENCE.map(D::quote_name).join(", "), &of);
        if let Some(change) = change {
            sql = format!("{sql}; {}", self.select_marker(operation, history, change)?);
        }
        match D::rows(connection, sql).await {
            Ok(rows) => Ok(rows),
            Err(sqlx::Error::Database(error)) if D::is_missing_table(&*error) => Ok(Vec::new()),
            Err(error) => {
                let blocker = D::blocker(pool, &error, &fences, &self.markers::<D>(), &of).await;
                let error = operation.error(error);
                Err(match blocker {
                    Some(blocker) => error.context("in the way", blocker),
                    None => error,
                })
            }
        }
    }

    /// Puts a fence that is older than any where there is none. Others may do the same.
    pub(crate) fn first_fence<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
    ) -> Result<String, BackendError> {
        let values = [("token", "0".to_owned()), ("execution_id", operation.text("")?)];
        Ok(write(operation, &self.fences::<D>(), history, None, &values, false)? + D::OR_LEAVE)
    }

    /// Puts a fence where the one of its history stood.
    pub(crate) fn write_fence<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        fence: &Fence,
    ) -> Result<String, BackendError> {
        let values = [
            ("token", operation.number(fence.token.0)?),
            ("execution_id", operation.text(&fence.execution)?),
        ];
        write(operation, &self.fences::<D>(), &fence.history, None, &values, true)
    }

    /// The marker of a change.
    pub(crate) async fn read_marker<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        connection: &mut Connection<D>,
        history: &History,
        change: &str,
    ) -> Result<Option<Marker>, BackendError> {
        let sql = self.select_marker(operation, history, change)?;
        let rows = operation.rows_if_table(connection, sql).await?;
        marker(operation, rows.iter().flatten().next(), history, change)
    }

    fn select_marker<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        history: &History,
        change: &str,
    ) -> Result<String, BackendError> {
        let columns = ["state", "execution_id", "token", "sequence", "session"].map(D::quote_name).join(", ");
        let condition = marker_of(operation, history, change)?;
        Ok(format!("SELECT {columns} FROM {} WHERE {condition}", self.markers::<D>()))
    }

    /// Puts a marker where the one of its change stood, or none.
    pub(crate) fn write_marker<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        fence: &Fence,
        update: &MarkerUpdate,
        session: Option<String>,
        stands: bool,
    ) -> Result<String, BackendError> {
        let session = session.map_or(Ok("NULL".to_owned()), |name| operation.text(&name))?;
        let values = [
            ("state", operation.text(update.state.as_str())?),
            ("execution_id", operation.text(&fence.execution)?),
            ("token", operation.number(fence.token.0)?),
            ("sequence", operation.number(update.sequence)?),
            ("session", session),
        ];
        write(operation, &self.markers::<D>(), &fence.history, Some(&update.change), &values, stands)
    }

    /// Turns the marker that this run wrote, and no other.
    pub(crate) fn finish_marker<D: TargetDialect>(
        &self,
        operation: &Operation<'_, D>,
        fence: &Fence,
        update: &MarkerUpdate,
    ) -> Result<String, BackendError> {
        let [state, execution, sequence] = ["state", "execution_id", "sequence"].map(D::quote_name);
        Ok(format!(
            "UPDATE {} SET {state} = {} WHERE {} AND {execution} = {} AND {state} = {} AND {sequence} = {}{}",
            self.markers::<D>(),
            operation.text(update.state.finished().as_str())?,
            marker_of(operation, &fence.history, &update.change)?,
            operation.text(&fence.execution)?,
            operation.text(update.state.as_str())?,
            operation.number(update.sequence)?,
            D::OF_THIS_TRANSACTION,
        ))
    }
}

fn marker_of<D: TargetDialect>(
    operation: &Operation<'_, D>,
    history: &History,
    change: &str,
) -> Result<String, BackendError> {
    Ok(format!("{} AND {} = {}", operation.of(history)?, D::quote_name("change_id"), operation.text(change)?))
}

fn fence<D: TargetDialect>(
    operation: &Operation<'_, D>,
    row: Option<&Row>,
    history: &History,
) -> Result<Option<Fence>, BackendError> {
    let read = |row: &Row| -> Result<Fence, String> {
        let token = FencingToken(row.unsigned(0)?);
        Ok(Fence { history: history.clone(), token, execution: row.text(1)?.to_owned() })
    };
    let corrupt = |problem| operation.corrupt(format_args!("the fence of {history}"), problem);
    row.map(read).transpose().map_err(corrupt)
}

fn marker<D: TargetDialect>(
    operation: &Operation<'_, D>,
    row: Option<&Row>,
    history: &History,
    change: &str,
) -> Result<Option<Marker>, BackendError> {
    let corrupt = |problem| operation.corrupt(format_args!("the marker of {change} of {history}"), problem);
    row.map(read_marker).transpose().map_err(corrupt)
}

fn read_marker(row: &Row) -> Result<Marker, String> {
    let word = row.text(0)?;
    let state = MarkerState::parse(word).ok_or_else(|| format!("the state `{}`", word.escape_debug()))?;
    Ok(Marker {
        state,
        execution: row.text(1)?.to_owned(),
        token: FencingToken(row.unsigned(2)?),
        sequence: row.unsigned(3)?,
        session: row.optional_text(4)?.map(str::to_owned),
    })
}

/// Inserts a row, or changes the one that stands. The fence is locked, so nobody is faster.
fn write<D: TargetDialect>(
    operation: &Operation<'_, D>,
    table: &str,
    history: &History,
    change: Option<&str>,
    values: &[(&str, String)],
    stands: bool,
) -> Result<String, BackendError> {
    if stands {
        let assignments: Vec<String> =
            values.iter().map(|(name, value)| format!("{} = {value}", D::quote_name(name))).collect();
        let condition = match change {
            Some(change) => marker_of(operation, history, change)?,
            None => operation.of(history)?,
        };
        return Ok(format!("UPDATE {table} SET {} WHERE {condition}", assignments.join(", ")));
    }
    let mut row =
        vec![("service", operation.text(&history.service)?), ("tenant", operation.text(&history.tenant)?)];
    if let Some(change) = change {
        row.push(("change_id", operation.text(change)?));
    }
    row.extend(values.iter().cloned());
    let (names, values): (Vec<String>, Vec<String>) =
        row.into_iter().map(|(name, value)| (D::quote_name(name), value)).unzip();
    Ok(format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", ")))
}

#[cfg(test)]
mod tests {
    use bolero::TypeGenerator;
    use flamingock_core::audit::Value;

    use super::*;

    #[derive(Debug, Clone, TypeGenerator)]
    enum Held {
        Null,
        Integer(i64),
        Text(String),
        Unreadable(String),
    }

    #[test]
    fn any_marker_is_read_or_refused() {
        let text = |text: &str| Ok(Value::Text(text.to_owned()));
        let row = [text("done"), text("run"), Ok(Value::Integer(1)), Ok(Value::Integer(2)), Ok(Value::Null)];
        read_marker(&Row(row.to_vec())).expect("it is understood");
        bolero::check!().with_type::<(Vec<(u8, Held)>, u8)>().for_each(|(replacements, columns)| {
            let mut row = row.to_vec();
            for (index, held) in replacements {
                let index = usize::from(*index) % row.len();
                row[index] = match held.clone() {
                    Held::Null => Ok(Value::Null),
                    Held::Integer(number) => Ok(Value::Integer(number)),
                    Held::Text(text) => Ok(Value::Text(text)),
                    Held::Unreadable(problem) => Err(problem),
                };
            }
            row.truncate(usize::from(*columns));
            let _ = read_marker(&Row(row));
        });
    }
}
