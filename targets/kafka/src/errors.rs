use flamingock_core::BackendErrorKind;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The code in an error of the driver, also where the driver's own getter overlooks it.
pub(crate) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// What the driver says, without the values of settings, which may be passwords.
pub(crate) fn text(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, key, _) if is_secret(key) => {
            format!("the value of `{key}` is not valid")
        }
        KafkaError::ClientConfig(_, description, key, _) => {
            format!("setting `{key}`: {description}{}", without_openssl(description))
        }
        KafkaError::ClientCreation(description) => format!("{description}{}", without_openssl(description)),
        // Not only the admin client's.
        KafkaError::AdminOp(code) => code.to_string(),
        error => error.to_string(),
    }
}

/// What to do when librdkafka says that it was built without OpenSSL.
fn without_openssl(description: &str) -> &'static str {
    if cfg!(not(feature = "tls")) && description.to_ascii_lowercase().contains("openssl") {
        "; enable the feature `kafka-tls` of flamingock (`tls` of flamingock-target-kafka)"
    } else {
        ""
    }
}

/// Whether a setting's value is to be kept from view.
pub(crate) fn is_secret(setting: &str) -> bool {
    ["password", "secret", "pem", "oauthbearer.config"].iter().any(|part| setting.contains(part))
}

pub(crate) fn kind(error: &KafkaError) -> BackendErrorKind {
    match (error, code(error)) {
        (_, Some(code)) => kind_of(code),
        (KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_), _) => BackendErrorKind::Misconfigured,
        (KafkaError::AdminOpCreation(_) | KafkaError::Nul(_), _) => BackendErrorKind::InvalidData,
        _ => BackendErrorKind::Other,
    }
}

/// The one place where the driver's errors become ours.
pub(crate) fn kind_of(code: RDKafkaErrorCode) -> BackendErrorKind {
    use BackendErrorKind::{Denied, InvalidData, LeaseLost, Misconfigured, Other, Unavailable};
    use RDKafkaErrorCode as Code;
    match code {
        Code::AllBrokersDown
        | Code::BrokerDestroy
        | Code::BrokerNotAvailable
        | Code::BrokerTransportFailure
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::KafkaStorageError
        | Code::LeaderNotAvailable
        | Code::MessageTimedOut
        | Code::NetworkException
        | Code::NotController
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::NotLeaderForPartition
        | Code::OperationTimedOut
        | Code::QueueFull
        | Code::RequestTimedOut
        | Code::Resolve
        | Code::TimedOutQueue
        | Code::UnstableOffsetCommit
        | Code::WaitingForCoordinator => Unavailable,
        Code::Authentication
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::TopicAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Denied,
        Code::Fenced | Code::InvalidProducerEpoch | Code::ProducerFenced => LeaseLost,
        Code::IllegalSASLState | Code::SSL | Code::UnsupportedSASLMechanism => Misconfigured,
        Code::InvalidConfig
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::InvalidPartitions
        | Code::InvalidReplicaAssignment
        | Code::InvalidReplicationFactor
        | Code::InvalidRequest
        | Code::InvalidTopic
        | Code::MessageBatchTooLarge
        | Code::MessageSizeTooLarge
        | Code::PolicyViolation
        | Code::TopicAlreadyExists
        | Code::UnknownPartition
        | Code::UnknownTopic
        | Code::UnknownTopicOrPartition => InvalidData,
        _ => Other,
    }
}

/// What to do about it.
pub(crate) fn remedy(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    let remedy = match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check user, password and mechanism in the target's configuration"
        }
        Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TopicAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => "grant the user this permission",
        Code::SSL => {
            "check `ssl.ca.location`, the broker's certificate, and whether it listens with TLS there"
        }
        Code::Fenced | Code::InvalidProducerEpoch | Code::ProducerFenced => {
            "another run of this service has taken over; let it finish"
        }
        Code::PolicyViolation => "the broker has a policy against it: ask who runs it",
        Code::InvalidReplicationFactor => "ask for no more replicas than there are brokers",
        Code::UnknownMemberId | Code::RebalanceInProgress => "stop the group's consumers first",
        Code::UnknownTopic | Code::UnknownTopicOrPartition => "create the topic first",
        Code::MessageSizeTooLarge => {
            "raise `max.message.bytes` of the topic and `message.max.bytes` of the client, or send less"
        }
        code if kind_of(code) == BackendErrorKind::Unavailable => {
            "check that the brokers run and are reached from here; it may have taken effect"
        }
        _ => return None,
    };
    Some(remedy)
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

    use super::*;

    #[test]
    fn errors_of_the_driver_become_ours() {
        use BackendErrorKind::{Denied, InvalidData, LeaseLost, Misconfigured, Other, Unavailable};
        for (error, expected) in [
            (KafkaError::MetadataFetch(Code::BrokerTransportFailure), Unavailable),
            (KafkaError::MetadataFetch(Code::AllBrokersDown), Unavailable),
            (KafkaError::Global(Code::Resolve), Unavailable),
            (KafkaError::MessageProduction(Code::MessageTimedOut), Unavailable),
            (KafkaError::AdminOp(Code::OperationTimedOut), Unavailable),
            (KafkaError::ConsumerCommit(Code::NotCoordinator), Unavailable),
            (KafkaError::Global(Code::Authentication), Denied),
            (KafkaError::AdminOp(Code::TopicAuthorizationFailed), Denied),
            (KafkaError::Global(Code::SSL), Misconfigured),
            (KafkaError::MessageProduction(Code::Fenced), LeaseLost),
            (KafkaError::MessageProduction(Code::ProducerFenced), LeaseLost),
            (KafkaError::AdminOp(Code::TopicAlreadyExists), InvalidData),
            (KafkaError::AdminOp(Code::UnknownTopicOrPartition), InvalidData),
            (KafkaError::MessageProduction(Code::MessageSizeTooLarge), InvalidData),
            (KafkaError::AdminOpCreation("no name".to_owned()), InvalidData),
            (KafkaError::ClientCreation("no broker".to_owned()), Misconfigured),
            (KafkaError::ConsumerCommit(Code::UnknownMemberId), Other),
            (KafkaError::Canceled, Other),
        ] {
            assert_eq!(kind(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_in_the_text_of_a_refused_setting() {
        let refused = |name: &str, value: &str| -> KafkaResult<_> {
            let mut config = rdkafka::ClientConfig::new();
            config.set(name, value).create_native_config().map(drop)
        };
        // With TLS it is only looked at when a client is created.
        let key = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "`hunter2` is no key".to_owned(),
            "ssl.key.pem".to_owned(),
            "hunter2".to_owned(),
        );
        let told = text(&key);
        assert_eq!(told, "the value of `ssl.key.pem` is not valid");
        let told = text(&refused("acks", "hunter2").expect_err("no number"));
        assert!(told.starts_with("setting `acks`: "), "{told}");
    }
}
