use std::collections::HashMap;

use flamingock_core::{BackendError, BackendErrorKind};
use redis::{RedisError, Value};

use crate::errors::{Operation, diagnose};
use crate::link::Link;

/// What a server says about itself. [`None`] where it would not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Facts {
    version: Option<String>,
    /// `appendonly`.
    appends: Option<bool>,
    /// `appendfsync`.
    fsync: Option<String>,
    /// Whether `save` names any moment.
    snapshots: Option<bool>,
    /// The policy by which it forgets keys that have no time to live.
    evicts: Option<String>,
    is_cluster: bool,
}

/// What follows from that.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judgement {
    refused: Option<String>,
    warnings: Vec<String>,
}

/// Asks what the server does with what it is given, and refuses it where an acknowledged append would
/// not outlive a restart.
pub(crate) async fn check(
    operation: &Operation<'_>,
    link: &Link,
    allow_volatile: bool,
) -> Result<(), BackendError> {
    for facts in facts(link).await.map_err(|error| operation.error(error))? {
        if let Some(problem) = unsuitable(&facts, link.is_cluster()) {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        let Judgement { refused, warnings } = judge(&facts);
        if allow_volatile {
            let lacks: Vec<_> = refused.into_iter().chain(warnings).collect();
            tracing::debug!(server = operation.address, ?lacks, "the audit may be lost, as was allowed");
            continue;
        }
        if let Some(problem) = refused {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
        for warning in warnings {
            tracing::warn!(server = operation.address, "{warning}");
        }
    }
    Ok(())
}

/// For a lock: only that the server can run it, since the office fences where a lock was lost.
pub(crate) async fn check_lock(operation: &Operation<'_>, link: &Link) -> Result<(), BackendError> {
    for facts in facts(link).await.map_err(|error| operation.error(error))? {
        if let Some(problem) = unsuitable(&facts, link.is_cluster()) {
            return Err(operation.fail(BackendErrorKind::Misconfigured, problem));
        }
    }
    Ok(())
}

fn unsuitable(facts: &Facts, as_cluster: bool) -> Option<String> {
    let major = facts.version.as_ref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    if let (Some(version), Some(0..5)) = (&facts.version, major) {
        return Some(format!("Redis {version} is too old: 5 or newer is needed"));
    }
    (facts.is_cluster && !as_cluster)
        .then(|| "this is a node of a cluster: use `connect_cluster`, or a URL `redis-cluster://..`, with some of its nodes".to_owned())
}

fn judge(facts: &Facts) -> Judgement {
    const REMEDY: &str = "Set `appendonly yes` and `appendfsync always`, keep the audit elsewhere (a Redis lock goes with any \
                          audit store), or accept the loss with `.allow_volatile(true)`";
    let mut judgement = Judgement::default();
    if let Some(policy) = &facts.evicts {
        judgement.refused = Some(format!(
            "with `maxmemory-policy {policy}` the server may forget the audit when its memory is full. \
             Set `noeviction` or a `volatile-` policy, or accept the loss with `.allow_volatile(true)`"
        ));
        return judgement;
    }
    match (facts.appends, facts.snapshots) {
        (Some(true), _) => judgement.warnings.extend(weak_fsync(facts.fsync.as_deref())),
        (Some(false), Some(false)) => {
            judgement.refused = Some(format!("the server keeps nothing on disk: a restart forgets the audit. {REMEDY}"));
        }
        (Some(false), Some(true)) => {
            judgement.refused = Some(format!(
                "the server only saves snapshots: a crash forgets what was recorded since the last one. {REMEDY}"
            ));
        }
        // A service that manages servers may have other means, and hides the settings.
        (Some(false) | None, None) | (None, Some(_)) => judgement.warnings.push(
            "the server does not say how it keeps data (`CONFIG GET` is not allowed): the audit needs one that \
             has written an append to disk before it answers"
                .to_owned(),
        ),
    }
    judgement
}

fn weak_fsync(fsync: Option<&str>) -> Option<String> {
    let lost = match fsync {
        Some("always") => return None,
        Some("everysec") => "with `appendfsync everysec`, the entries of the last second",
        Some("no") => "with `appendfsync no`, the entries of the last half minute or so",
        _ => "unless the server has `appendfsync always`, which it does not say, the newest entries",
    };
    Some(format!("{lost} can be lost in a power cut: a change on a plain target may then be applied again"))
}

async fn facts(link: &Link) -> Result<Vec<Facts>, RedisError> {
    let info = unless_denied(link.ask_all(&redis::cmd("INFO")).await)?.unwrap_or_default();
    // Servers before 7 take one pattern at a time; `*` would fetch passwords.
    let mut settings: Vec<HashMap<String, String>> = Vec::new();
    for pattern in ["append*", "save", "maxmemory*"] {
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg(pattern);
        let answers = unless_denied(link.ask_all(&config).await)?.unwrap_or_default();
        settings.resize_with(settings.len().max(answers.len()), HashMap::new);
        for (settings, answer) in settings.iter_mut().zip(&answers) {
            settings
                .extend(redis::from_redis_value_ref::<HashMap<String, String>>(answer).unwrap_or_default());
        }
    }
    let none = HashMap::new();
    let of = |index: usize| {
        let info = info.get(index).map(information).unwrap_or_default();
        read(&info, settings.get(index).unwrap_or(&none))
    };
    Ok((0..info.len().max(settings.len()).max(1)).map(of).collect())
}

/// What managed servers do not allow, or have renamed, is not known.
fn unless_denied<T>(answer: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match diagnose(&error).kind {
            BackendErrorKind::Denied | BackendErrorKind::Misconfigured | BackendErrorKind::Other
                if error.code().is_some_and(|code| matches!(code, "NOPERM" | "ERR")) =>
            {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// The lines `name:value` of `INFO`.
fn information(value: &Value) -> HashMap<String, String> {
    let text = redis::from_redis_value_ref::<String>(value).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn read(info: &HashMap<String, String>, config: &HashMap<String, String>) -> Facts {
    let configured = |name: &str| config.get(name).map(String::as_str);
    let informed = |name: &str| info.get(name).map(String::as_str);
    let policy = configured("maxmemory-policy").or_else(|| informed("maxmemory_policy"));
    let limit = configured("maxmemory").or_else(|| informed("maxmemory"));
    let limited = limit.is_none_or(|limit| limit != "0");
    Facts {
        version: informed("redis_version").map(str::to_owned),
        appends: configured("appendonly")
            .map(|appends| appends == "yes")
            .or_else(|| informed("aof_enabled").map(|enabled| enabled == "1")),
        fsync: configured("appendfsync").map(str::to_owned),
        snapshots: configured("save").map(|save| !save.is_empty()),
        // Nothing of ours has a time to live, so `volatile-` policies leave it alone.
        evicts: policy.filter(|policy| limited && policy.starts_with("allkeys-")).map(str::to_owned),
        is_cluster: informed("cluster_enabled") == Some("1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(settings: &[(&str, &str)]) -> Facts {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        read(&HashMap::new(), &settings.iter().map(own).collect())
    }

    #[track_caller]
    fn refused(facts: &Facts) -> String {
        judge(facts).refused.expect("it should be refused")
    }

    #[test]
    fn a_server_that_keeps_nothing_or_only_snapshots_is_refused() {
        let nothing = refused(&facts(&[("appendonly", "no"), ("save", "")]));
        assert!(nothing.contains("nothing on disk") && nothing.contains("allow_volatile"), "{nothing}");
        let snapshots = refused(&facts(&[("appendonly", "no"), ("save", "3600 1 300 100")]));
        assert!(snapshots.contains("snapshots"), "{snapshots}");
    }

    #[test]
    fn a_server_that_writes_each_append_to_disk_is_taken_without_a_word() {
        let always = facts(&[("appendonly", "yes"), ("appendfsync", "always"), ("save", "")]);
        assert_eq!(judge(&always), Judgement::default());
    }

    #[test]
    fn a_server_that_writes_appends_to_disk_later_is_warned_about() {
        for (fsync, words) in [("everysec", "last second"), ("no", "half minute")] {
            let judgement = judge(&facts(&[("appendonly", "yes"), ("appendfsync", fsync)]));
            assert_eq!(judgement.refused, None);
            assert!(judgement.warnings[0].contains(words), "{judgement:?}");
        }
    }

    #[test]
    fn a_server_that_hides_its_settings_is_warned_about() {
        for hidden in ["", "aof_enabled:0\r\n"] {
            let judgement =
                judge(&read(&information(&Value::SimpleString(hidden.to_owned())), &HashMap::new()));
            assert_eq!(judgement.refused, None);
            assert!(judgement.warnings[0].contains("does not say"), "{judgement:?}");
        }
    }

    #[test]
    fn a_policy_that_evicts_is_refused_where_memory_is_limited() {
        let kept = [("appendonly", "yes"), ("appendfsync", "always")];
        let with = |policy, limit| {
            facts(&[&kept[..], &[("maxmemory-policy", policy), ("maxmemory", limit)]].concat())
        };
        assert!(refused(&with("allkeys-lru", "100")).contains("allkeys-lru"));
        for (policy, limit) in [("allkeys-lru", "0"), ("volatile-lru", "100"), ("noeviction", "100")] {
            assert_eq!(judge(&with(policy, limit)), Judgement::default(), "{policy}");
        }
        let info =
            information(&Value::SimpleString("maxmemory:100\r\nmaxmemory_policy:allkeys-lfu\r\n".to_owned()));
        refused(&read(&info, &HashMap::new()));
    }

    #[test]
    fn an_old_server_and_a_node_of_a_cluster_are_unsuitable() {
        let version = |version: &str| Facts { version: Some(version.to_owned()), ..Facts::default() };
        assert!(unsuitable(&version("4.0.9"), false).is_some());
        assert_eq!(unsuitable(&version("7.2.4"), false), None);
        let node = Facts { is_cluster: true, ..version("7.0.0") };
        assert!(unsuitable(&node, false).unwrap().contains("connect_cluster"));
        assert_eq!(unsuitable(&node, true), None);
    }
}
