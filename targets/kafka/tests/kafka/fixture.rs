//! How the conformance suite of target systems gets at Kafka: an effect is a topic.

use std::sync::Arc;

use async_trait::async_trait;
use flamingock_core::change::TargetState;
use flamingock_core::target::{Mode, Session, TargetSystem};
use flamingock_target_kafka::{KafkaChanges, Topic};
use flamingock_testing::conformance::{BoxError, Proxy, TargetCapabilities, TargetFixture, TargetPlace};

use crate::proxy;
use crate::server::{self, Broker};

#[derive(Debug)]
pub(crate) struct Kafka;

#[derive(Debug)]
struct Place {
    prefix: String,
    proxy: Proxy,
    /// Around the proxy, for the fixture itself.
    own: KafkaChanges,
}

impl Place {
    fn topic(&self, name: &str) -> Topic {
        Topic::new(format!("{}-{name}", self.prefix))
    }
}

#[async_trait]
impl TargetFixture for Kafka {
    fn name(&self) -> String {
        "kafka".to_owned()
    }

    fn available(&self) -> Result<(), String> {
        Broker::find()?.other("sasl").map(drop)
    }

    fn capabilities(&self) -> TargetCapabilities {
        TargetCapabilities::new([Mode::Plain]).unplugs().secret(server::PASSWORD)
    }

    async fn fresh(&self) -> Result<Arc<dyn TargetPlace>, BoxError> {
        let broker = Broker::find()?;
        let proxy = proxy::to(broker.other("sasl")?).await?;
        Ok(Arc::new(Place { prefix: server::name("conformance"), proxy, own: server::kafka() }))
    }
}

#[async_trait]
impl TargetPlace for Place {
    async fn open(&self) -> Result<Arc<dyn TargetSystem>, BoxError> {
        let mut config = Broker::find()?.sasl("flamingock", server::PASSWORD);
        config.set("bootstrap.servers", self.proxy.address());
        Ok(Arc::new(server::target(config)))
    }

    async fn put(
        &self,
        target: &dyn TargetSystem,
        _session: &mut dyn Session,
        mode: Mode,
        name: &str,
    ) -> Result<(), BoxError> {
        let kafka = target.resources(mode).get::<KafkaChanges>().ok_or("it offers no KafkaChanges")?;
        Ok(kafka.create_topic(&self.topic(name)).await?)
    }

    async fn has(&self, name: &str) -> Result<bool, BoxError> {
        Ok(self.own.topic_state(&self.topic(name)).await? == TargetState::Applied)
    }

    async fn unplug(&self) -> Result<(), BoxError> {
        self.proxy.unplug();
        Ok(())
    }

    async fn remove(&self) -> Result<(), BoxError> {
        for name in ["a", "b"] {
            self.own.delete_topic(self.topic(name).name()).await?;
        }
        Ok(())
    }
}
