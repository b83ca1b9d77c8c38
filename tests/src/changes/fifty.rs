//! Fifty changes, made by hand: every other one is a counter in a file, without a transaction.

use std::sync::Arc;

use flamingock::change::{Body, Change, Method, MethodError, Order, ParamKind, Source};

use super::{Effects, param};
use crate::place::Folder;

/// How many there are.
pub const COUNT: u32 = 50;

/// Id of the change with this number.
pub fn id(number: u32) -> String {
    format!("change-{number}")
}

/// Whether the change with this number is a counter in a file.
pub fn is_counter(number: u32) -> bool {
    number.is_multiple_of(2)
}

/// All of them, for a database with this kind of connection.
pub fn changes<C: Effects>() -> impl Iterator<Item = Change> {
    (0..COUNT).map(|number| {
        let (target, apply) =
            if is_counter(number) { ("folder", counter(id(number))) } else { ("db", row::<C>(id(number))) };
        let order = Order::new(number.to_string());
        Change::new(id(number), order, target, Source::new(file!(), line!()), format!("v1:{number}"), apply)
    })
}

fn counter(id: String) -> Method {
    let body = Body::Blocking(Arc::new(move |invocation| {
        let (_, dependencies) = invocation.split();
        dependencies.shared::<Folder>("folder")?.add_line(&id).map_err(MethodError::new)
    }));
    Method { params: vec![param::<Folder>(ParamKind::Shared)], body }
}

fn row<C: Effects>(id: String) -> Method {
    let body = Body::Async(Arc::new(move |invocation| {
        let id = id.clone();
        Box::pin(async move {
            let (session, _) = invocation.split();
            session.exclusive::<C>("db")?.effect(&id).await.map_err(MethodError::new)
        })
    }));
    Method { params: vec![param::<C>(ParamKind::Exclusive)], body }
}
