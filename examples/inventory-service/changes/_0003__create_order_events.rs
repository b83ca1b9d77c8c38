use flamingock::kafka::Topic;
use flamingock::prelude::*;

use crate::settings::Settings;

pub(crate) struct CreateOrderEvents;

/// Whoever is interested hears of orders.
#[change(id = "create-order-events", target_system = "events", author = "inventory")]
impl CreateOrderEvents {
    #[apply]
    async fn apply(kafka: &KafkaChanges, settings: &Settings) -> ChangeResult {
        Ok(kafka.create_topic(&topic(settings)).await?)
    }

    #[rollback]
    async fn rollback(kafka: &KafkaChanges, settings: &Settings) -> ChangeResult {
        Ok(kafka.remove_topic(&topic(settings)).await?)
    }

    #[verify]
    async fn verify(kafka: &KafkaChanges, settings: &Settings) -> Result<TargetState, BoxError> {
        Ok(kafka.topic_state(&topic(settings)).await?)
    }
}

fn topic(settings: &Settings) -> Topic {
    Topic::new(&settings.topic).partitions(3).replication(settings.replicas)
}
