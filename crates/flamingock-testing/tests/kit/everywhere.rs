//! A crash at every moment of a transactional change: nothing is applied twice, nothing is lost.

use flamingock_testing::{FlamingockTest, Moment, after, before};

use crate::app::World;
use crate::app::orders::AddCode;

#[tokio::test]
async fn a_crash_at_any_moment_is_settled_by_the_next_start() {
    let moments =
        [Moment::Started, Moment::Marker, Moment::Apply, Moment::Finish, Moment::Commit, Moment::Applied];
    for moment in moments {
        for crash in [before(moment.of::<AddCode>()), after(moment.of::<AddCode>())] {
            let world = World::new();
            FlamingockTest::given(world.orders())
                .crash_at(crash)
                .when_run()
                .await
                .then_crashed()
                .when_run_again()
                .await
                .then_report(|report| assert_eq!(report.changes.total, 2));
            assert_eq!(world.db.get("orders.code").as_deref(), Some("column"), "{moment:?}");
        }
    }
}
