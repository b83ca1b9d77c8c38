use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use flamingock::sqlx::{self, PgPool};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An order as the API shows it.
#[derive(Debug, Serialize)]
struct Order {
    id: i64,
    customer: String,
    item: String,
    quantity: i32,
    tracking_code: String,
}

type Row = (i64, String, String, i32, String);

impl From<Row> for Order {
    fn from((id, customer, item, quantity, tracking_code): Row) -> Self {
        Self { id, customer, item, quantity, tracking_code }
    }
}

#[derive(Debug, Deserialize)]
struct NewOrder {
    customer: String,
    item: String,
    quantity: i32,
}

#[derive(Debug, Deserialize)]
struct Filter {
    customer: Option<String>,
}

pub(crate) fn routes(pool: PgPool) -> Router {
    Router::new().route("/orders", get(list).post(create)).route("/orders/{id}", get(find)).with_state(pool)
}

async fn create(State(pool): State<PgPool>, Json(new): Json<NewOrder>) -> Result<Response, Error> {
    if new.quantity <= 0 {
        return Err(Error::Invalid("quantity must be positive"));
    }
    let order: Row = sqlx::query_as(
        "INSERT INTO orders (customer, item, quantity) VALUES ($1, $2, $3)
         RETURNING id, customer, item, quantity, tracking_code",
    )
    .bind(new.customer)
    .bind(new.item)
    .bind(new.quantity)
    .fetch_one(&pool)
    .await?;
    let location = [(header::LOCATION, format!("/orders/{}", order.0))];
    Ok((StatusCode::CREATED, location, Json(Order::from(order))).into_response())
}

async fn find(State(pool): State<PgPool>, Path(id): Path<i64>) -> Result<Json<Order>, Error> {
    let order: Option<Row> =
        sqlx::query_as("SELECT id, customer, item, quantity, tracking_code FROM orders WHERE id = $1")
            .bind(id)
            .fetch_optional(&pool)
            .await?;
    order.map(|order| Json(order.into())).ok_or(Error::Missing)
}

async fn list(State(pool): State<PgPool>, Query(filter): Query<Filter>) -> Result<Json<Vec<Order>>, Error> {
    let orders: Vec<Row> = sqlx::query_as(
        "SELECT id, customer, item, quantity, tracking_code FROM orders
         WHERE $1 IS NULL OR customer = $1 ORDER BY id LIMIT 100",
    )
    .bind(filter.customer)
    .fetch_all(&pool)
    .await?;
    Ok(Json(orders.into_iter().map(Order::from).collect()))
}

/// What can go wrong with a request.
#[derive(Debug)]
enum Error {
    Missing,
    Invalid(&'static str),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Missing => (StatusCode::NOT_FOUND, "no such order"),
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            Self::Database(error) => {
                tracing::error!("{error}");
                (StatusCode::INTERNAL_SERVER_ERROR, "the database failed")
            }
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}
