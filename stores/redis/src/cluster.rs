/// The URLs of the nodes that a cluster's URL names: `redis-cluster://user:password@one:6379,two:6379`.
/// [`None`]: it is the URL of a server.
pub(crate) fn nodes(url: &str) -> Option<Vec<String>> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.strip_suffix("-cluster")?;
    // A password may hold commas; what comes after it may not hold an @.
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
    let at = if user.is_empty() { "" } else { "@" };
    let (hosts, query) = rest.find(['/', '?']).map_or((rest, ""), |end| rest.split_at(end));
    Some(hosts.split(',').map(|host| format!("{scheme}://{user}{at}{host}{query}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_gets_what_the_url_says_of_all() {
        let url = "redis-cluster://app:a,b%40c@one:7000,two:7001/?protocol=resp3";
        let nodes = nodes(url).expect("a cluster's");
        assert_eq!(
            nodes,
            ["redis://app:a,b%40c@one:7000/?protocol=resp3", "redis://app:a,b%40c@two:7001/?protocol=resp3",]
        );
        assert_eq!(super::nodes("rediss-cluster://one"), Some(vec!["rediss://one".to_owned()]));
    }

    #[test]
    fn a_servers_url_is_none() {
        for url in ["redis://a:6379", "unix:///run/redis.sock", "redis-cluster", ""] {
            assert_eq!(nodes(url), None, "{url}");
        }
    }
}
