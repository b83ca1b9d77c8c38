//! Sessions that are dropped, renamed, ended, in the way, kept and lost.

use std::time::{Duration, Instant};

use flamingock_core::BackendErrorKind;
use flamingock_core::target::{Begun, FenceRaised, MarkerState, MarkerUpdate, Markers, Mode, TargetSystem};
use flamingock_target_sql::PostgresTarget;
use flamingock_testing::conformance::Suite;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::place::{INSERT, Place, assert_fails, connection, fence, orders, process, update};
use crate::server::add_cases;
use crate::server::postgres::{Schema, Way};

/// Adds the cases of this file.
pub(crate) fn add(direct: &mut Suite, pooled: &mut Suite) {
    add_cases!(
        direct,
        a_statement_dropped_half_way_is_stopped_before_abort_returns,
        a_change_that_renamed_its_session_is_ended_all_the_same,
        a_session_that_the_server_ended_leaves_nothing,
        a_transaction_that_stands_still_is_ended_by_the_server,
        who_is_in_the_way_is_named,
        what_a_change_does_to_its_connection_is_gone_with_it,
        a_connection_that_a_change_left_as_it_was_serves_the_next,
        a_session_has_the_name_of_its_own_process_whatever_became_of_the_one_before,
        a_session_has_the_name_of_its_own_process_also_where_the_pool_lends_none_twice,
        a_connection_that_was_lost_between_two_changes_is_replaced,
        a_connection_that_died_without_a_word_between_two_changes_is_replaced_after_seconds,
        a_commit_whose_answer_is_lost_is_an_error_and_the_marker_tells,
        a_change_waits_for_the_rows_of_others_no_longer_than_the_lock_timeout,
    );
    add_cases!(
        pooled,
        behind_a_pooler_a_statement_dropped_half_way_is_stopped_before_abort_returns,
        behind_a_pooler_nobody_elses_session_is_ended,
        behind_a_pooler_the_prepared_statements_of_changes_do_not_collide,
    );
}

async fn dropped_half_way(way: Way) {
    let place = Place::new(way).await;
    for mode in [Mode::Transactional, Mode::Plain] {
        let mut session = match mode {
            Mode::Transactional => place.begun().await,
            Mode::Plain => place.target.open(mode).await.unwrap(),
        };
        let long = "INSERT INTO $.users SELECT pg_sleep(20)::text || 'dropped half-way'";
        let half_way = place.run(&mut session, long);
        tokio::time::timeout(Duration::from_millis(300), half_way).await.unwrap_err();
        assert_eq!(place.running("dropped half-way").await, 1, "it is at work");
        let started = Instant::now();
        session.abort().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(place.running("dropped half-way").await, 0, "it was not ended");
        assert_eq!((place.users().await, place.marker().await), (0, None));
        assert_eq!(place.target.raise_fence(&place.fence).await.unwrap(), FenceRaised::Raised);
    }
    place.remove().await;
}

async fn a_statement_dropped_half_way_is_stopped_before_abort_returns() {
    dropped_half_way(Way::Direct).await;
}

async fn behind_a_pooler_a_statement_dropped_half_way_is_stopped_before_abort_returns() {
    dropped_half_way(Way::Pooled).await;
}

async fn a_change_that_renamed_its_session_is_ended_all_the_same() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.target.open(Mode::Plain).await.unwrap();
    place.run(&mut session, "SET application_name = 'somebody else'").await.unwrap();
    let long = "INSERT INTO $.users SELECT pg_sleep(20)::text || 'renamed itself'";
    let half_way = place.run(&mut session, long);
    tokio::time::timeout(Duration::from_millis(300), half_way).await.unwrap_err();
    session.abort().await.unwrap();
    assert_eq!(place.running("renamed itself").await, 0);
    assert_eq!(place.users().await, 0);
    place.remove().await;
}

async fn behind_a_pooler_nobody_elses_session_is_ended() {
    let place = Place::new(Way::Pooled).await;
    // The pooler lends the connection of a session that is over to others.
    let mut session = place.begun().await;
    session.finish_marker(&update()).await.unwrap();
    session.commit().await.unwrap();
    // What gives the connection back is done with it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let name = place.text("SELECT session FROM $.flamingock_markers").await;
    let mut others = Vec::new();
    for _ in 0..8 {
        let pool = place.pool.clone();
        others.push(tokio::spawn(async move { pool.execute(sqlx::raw_sql("SELECT pg_sleep(1)")).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    place.target.end_session(&name).await.unwrap();
    for other in others {
        other.await.unwrap().expect("it was none of theirs");
    }
    place.remove().await;
}

async fn behind_a_pooler_the_prepared_statements_of_changes_do_not_collide() {
    let place = Place::new(Way::Pooled).await;
    for round in 0..10 {
        let mut session = place.target.open(Mode::Transactional).await.unwrap();
        let update = MarkerUpdate { change: format!("change-{round}"), ..update() };
        assert_eq!(session.begin_marker(&place.fence, &update).await.unwrap(), Begun::Written);
        for name in ["ann", "bob"] {
            // Each round another statement, of the same name.
            let insert = format!("INSERT INTO {}.users SELECT $1::text || '{round}'", place.schema.quoted());
            sqlx::query(AssertSqlSafe(insert)).bind(name).execute(connection(&mut session)).await.unwrap();
        }
        session.finish_marker(&update).await.unwrap();
        session.commit().await.unwrap();
    }
    assert_eq!(place.users().await, 20);
    place.remove().await;
}

async fn a_session_that_the_server_ended_leaves_nothing() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    let pid = process(&mut session).await;
    place.schema.run(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
    let finished = session.finish_marker(&update()).await;
    assert_fails(finished, BackendErrorKind::Unavailable, &[]);
    session.commit().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));

    // A rollback that cannot be sent says so; the marker decides.
    let mut session = place.begun().await;
    let pid = process(&mut session).await;
    place.schema.run(&format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
    session.rollback().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn a_transaction_that_stands_still_is_ended_by_the_server() {
    let place = Place::new(Way::Direct).await;
    let frozen = PostgresTarget::new("orders-db", place.pool.clone())
        .schema(&place.schema.name)
        .idle_timeout(Duration::from_millis(300));
    let mut session = frozen.open(Mode::Transactional).await.unwrap();
    assert_eq!(session.begin_marker(&place.fence, &update()).await.unwrap(), Begun::Written);
    place.run(&mut session, INSERT).await.unwrap();
    // Its successor waits no longer than that.
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    assert_fails(session.finish_marker(&update()).await, BackendErrorKind::Unavailable, &[]);
    session.commit().await.unwrap_err();
    assert_eq!((place.users().await, place.marker().await), (0, None));
    place.remove().await;
}

async fn who_is_in_the_way_is_named() {
    let place = Place::new(Way::Direct).await;
    let holder = PostgresTarget::new(
        "orders-db",
        Schema::pool_of(place.schema.options().application_name("orders of replica 7")),
    )
    .schema(&place.schema.name);
    let mut session = holder.open(Mode::Transactional).await.unwrap();
    assert_eq!(session.begin_marker(&place.fence, &update()).await.unwrap(), Begun::Written);
    let pid = process(&mut session).await;
    let pid = format!("session {pid}/");
    let words =
        ["lock timeout", "in the way", &pid, "orders of replica 7", "idle in transaction", "open since"];

    let unavailable = BackendErrorKind::Unavailable;
    let started = Instant::now();
    assert_fails(place.target.marker(&orders(), "add-users").await, unavailable, &words);
    assert!(started.elapsed() > Duration::from_millis(700) && started.elapsed() < Duration::from_secs(3));
    assert_fails(place.target.raise_fence(&fence(3)).await, unavailable, &words);
    let mut second = place.target.open(Mode::Transactional).await.unwrap();
    assert_fails(second.begin_marker(&place.fence, &update()).await, unavailable, &words);
    second.rollback().await.unwrap();
    session.rollback().await.unwrap();
    assert_eq!(place.target.raise_fence(&fence(3)).await.unwrap(), FenceRaised::Raised);
    place.remove().await;
}

async fn what_a_change_does_to_its_connection_is_gone_with_it() {
    let place = Place::new(Way::Direct).await;
    for mode in [Mode::Plain, Mode::Transactional] {
        let mut session = match mode {
            Mode::Transactional => place.begun().await,
            Mode::Plain => place.target.open(mode).await.unwrap(),
        };
        place.run(&mut session, "SET search_path = $; CREATE TEMP TABLE t (a INT)").await.unwrap();
        place.run(&mut session, "SELECT pg_advisory_lock(7)").await.unwrap();
        session.commit().await.unwrap();
        let mut next = place.target.open(Mode::Plain).await.unwrap();
        let (path,): (String,) =
            sqlx::query_as("SHOW search_path").fetch_one(connection(&mut next)).await.unwrap();
        assert!(!path.contains(&place.schema.name), "{path}");
        place.run(&mut next, "SELECT * FROM t").await.unwrap_err();
        next.commit().await.unwrap();
    }
    place.remove().await;
}

async fn a_connection_that_a_change_left_as_it_was_serves_the_next() {
    let place = Place::new(Way::Direct).await;
    let hooked = PgPoolOptions::new()
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(sqlx::raw_sql("SET statement_timeout = 12345")).await.map(drop)
            })
        })
        .connect_lazy_with(place.schema.options());
    // What a hook of the pool sets cannot be told from what a change sets.
    let hooked = PostgresTarget::new("orders-db", hooked).schema(&place.schema.name);
    for (target, serves_again) in [(&place.target, true), (&hooked, false)] {
        let mut pids = Vec::new();
        for mode in [Mode::Transactional, Mode::Plain, Mode::Transactional] {
            let mut session = target.open(mode).await.unwrap();
            pids.push(process(&mut session).await);
            session.commit().await.unwrap();
        }
        pids.dedup();
        assert_eq!(pids.len() == 1, serves_again, "{pids:?}");
    }

    place.remove().await;
}

async fn a_session_has_the_name_of_its_own_process_whatever_became_of_the_one_before() {
    let place = Place::new(Way::Direct).await;
    for left_behind in ["SELECT 1", "SET search_path = $", "SELECT 1"] {
        let mut session = place.begun().await;
        let process = process(&mut session).await;
        place.run(&mut session, left_behind).await.unwrap();
        session.commit().await.unwrap();
        let name = place.text("SELECT session FROM $.flamingock_markers").await;
        assert!(name.starts_with(&format!("{process}/")), "{name} is not {process}");
    }
    place.remove().await;
}

async fn a_session_has_the_name_of_its_own_process_also_where_the_pool_lends_none_twice() {
    let place = Place::new(Way::Direct).await;
    // As users do who want no connection that is older than so and so.
    let strict = PgPoolOptions::new()
        .before_acquire(|_, _| Box::pin(async { Ok(false) }))
        .connect_lazy_with(place.schema.options());
    let target = PostgresTarget::new("orders-db", strict).schema(&place.schema.name);
    for _ in 0..2 {
        let mut session = target.open(Mode::Transactional).await.unwrap();
        assert_eq!(session.begin_marker(&place.fence, &update()).await.unwrap(), Begun::Written);
        let process = process(&mut session).await;
        session.commit().await.unwrap();
        let name = place.text("SELECT session FROM $.flamingock_markers").await;
        assert!(name.starts_with(&format!("{process}/")), "{name} is not {process}");
    }
    place.remove().await;
}

async fn a_connection_that_was_lost_between_two_changes_is_replaced() {
    let place = Place::new(Way::Direct).await;
    for next in [Mode::Transactional, Mode::Plain] {
        let mut session = place.target.open(Mode::Transactional).await.unwrap();
        let lost = process(&mut session).await;
        session.commit().await.unwrap();
        // Given back, which is not waited for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.schema.run(&format!("SELECT pg_terminate_backend({lost}, 5000)")).await.unwrap();
        let mut session = place.target.open(next).await.unwrap();
        place.run(&mut session, "SELECT 1").await.unwrap();
        session.rollback().await.unwrap();
    }
    place.remove().await;
}

async fn a_connection_that_died_without_a_word_between_two_changes_is_replaced_after_seconds() {
    let place = Place::new(Way::Direct).await;
    for next in [Mode::Transactional, Mode::Plain] {
        place.target.open(Mode::Transactional).await.unwrap().commit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.schema.proxy().forget();
        let opened = tokio::time::timeout(Duration::from_secs(8), place.target.open(next)).await;
        let mut session = opened.expect("is opened soon").unwrap();
        place.run(&mut session, "SELECT 1").await.unwrap();
        session.rollback().await.unwrap();
    }
    place.remove().await;
}

async fn a_commit_whose_answer_is_lost_is_an_error_and_the_marker_tells() {
    let place = Place::new(Way::Direct).await;
    let mut session = place.begun().await;
    place.run(&mut session, INSERT).await.unwrap();
    session.finish_marker(&update()).await.unwrap();
    place.schema.proxy().swallow_answers(true);
    let lost = tokio::time::timeout(Duration::from_secs(1), session.commit()).await;
    assert!(!matches!(lost, Ok(Ok(()))), "it was acknowledged by nobody");
    // Over connections that work.
    let pool = Schema::pool_of(place.schema.options());
    let other = PostgresTarget::new("orders-db", pool).schema(&place.schema.name);
    let marker = other.marker(&orders(), "add-users").await.unwrap().map(|marker| marker.state);
    assert_eq!((place.users().await, marker), (1, Some(MarkerState::Done)));
    place.remove().await;
}

async fn a_change_waits_for_the_rows_of_others_no_longer_than_the_lock_timeout() {
    let place = Place::new(Way::Direct).await;
    let mut other = place.schema.options().connect().await.unwrap();
    let hold = "BEGIN; LOCK TABLE $.users IN ACCESS EXCLUSIVE MODE";
    other.execute(sqlx::raw_sql(place.sql(hold))).await.unwrap();
    let mut session = place.begun().await;
    let started = Instant::now();
    let error = place.run(&mut session, INSERT).await.unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    session.rollback().await.unwrap();
    other.close().await.unwrap();
    place.remove().await;
}
