//! Commands as errors and reports propose them: they are accepted as they are typed.

use super::{Resolution, consent, quoted};
use crate::History;
use crate::audit::AuditEntry;

/// A change and whose it is. A store may have more histories than one, and then nobody is asked which.
pub(crate) fn change_of(history: &History, id: &str) -> String {
    let tenant = match history.tenant.as_str() {
        "" => String::new(),
        tenant => format!(" --tenant {}", quoted(tenant)),
    };
    format!("{} --service {}{tenant}", quoted(id), quoted(&history.service))
}

/// A ruling on a change with this newest entry, by an operator who `looked` at the target when it was that.
pub(crate) fn ruling(newest: &AuditEntry, resolution: Resolution, looked: bool) -> String {
    let change = change_of(&newest.history(), &newest.change);
    let (consent, sequence) = (consent(newest, resolution), newest.sequence);
    let seen = if looked { format!(" --seen {sequence}") } else { String::new() };
    format!("`flamingock audit fix -c {change} -r {resolution}{consent}{seen} --reason ..`")
}

/// Lets a held change run again.
pub(crate) fn release(history: &History, id: &str) -> String {
    format!("`flamingock release {}`", change_of(history, id))
}
