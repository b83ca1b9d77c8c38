use flamingock_core::History;

/// Names the keys of a store.
///
/// The part in braces is a *hash tag*: a cluster keeps all keys with the same one on the same node, so
/// that one script can change all keys of a history.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What is wrong with the prefix, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let allowed =
            |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '*' | '?' | '[' | ']' | '\\');
        if !self.prefix.is_empty() && self.prefix.len() <= 100 && self.prefix.chars().all(allowed) {
            return None;
        }
        Some(format!(
            "the key prefix `{}` cannot be used: 1 to 100 printable ASCII characters without spaces, braces, \
             brackets, `*`, `?` and `\\` can",
            self.prefix.escape_debug()
        ))
    }

    /// A hash: where the history stands.
    pub(crate) fn head(&self, history: &History) -> String {
        self.of(history, "head")
    }

    /// A stream: the entries, with their sequences as ids.
    pub(crate) fn log(&self, history: &History) -> String {
        self.of(history, "log")
    }

    /// A hash: the sequence of the newest entry of each change.
    pub(crate) fn latest(&self, history: &History) -> String {
        self.of(history, "latest")
    }

    /// A hash: who holds the lock.
    pub(crate) fn lock(&self, history: &History) -> String {
        self.of(history, "lock")
    }

    /// A set: the histories that may have a head.
    pub(crate) fn histories(&self) -> String {
        format!("{}histories", self.prefix)
    }

    fn of(&self, history: &History, what: &str) -> String {
        format!("{}{{{}}}:{what}", self.prefix, encode(history))
    }
}

/// A history as a part of a key: `service/tenant`, with every byte that could be taken for something else
/// written as `%XX`. Different histories never get the same.
pub(crate) fn encode(history: &History) -> String {
    let mut encoded = String::new();
    escape(&history.service, &mut encoded);
    encoded.push('/');
    escape(&history.tenant, &mut encoded);
    encoded
}

fn escape(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The way back. [`None`] for what [`encode`] does not make.
pub(crate) fn decode(encoded: &str) -> Option<History> {
    let (service, tenant) = encoded.split_once('/')?;
    Some(History::new(unescape(service)?).tenant(unescape(tenant)?))
}

fn unescape(encoded: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), encoded.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let (digits, others) = others.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = others;
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_history_share_a_hash_tag_that_nothing_in_it_can_end() {
        let keys = Keys::new("flamingock:");
        let history = History::new("or}d{ers").tenant("a/b:c");
        for key in [keys.head(&history), keys.log(&history), keys.latest(&history), keys.lock(&history)] {
            assert!(key.starts_with("flamingock:{or%7Dd%7Bers/a%2Fb%3Ac}:"), "{key}");
        }
        assert_eq!(keys.head(&History::new("orders")), "flamingock:{orders/}:head");
    }

    #[test]
    fn every_history_has_a_name_of_its_own_and_comes_back_from_it() {
        let long = "漢".repeat(85);
        let names = ["", "a", "A", "a ", "a/b", "a%2Fb", "%", "{}", "ä", "a\u{308}", "\0\n", &long];
        let mut seen = std::collections::HashSet::new();
        for (service, tenant) in names.iter().flat_map(|service| names.map(|tenant| (*service, tenant))) {
            let history = History::new(service).tenant(tenant);
            let encoded = encode(&history);
            assert_eq!(decode(&encoded), Some(history));
            assert!(seen.insert(encoded));
        }
    }

    #[test]
    fn what_is_no_history_is_not_taken_for_one() {
        for text in ["orders", "a%/b", "a%G1/b", "a%2/b", "%FF/"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_that_would_spoil_hash_tags_or_patterns_is_refused() {
        assert_eq!(Keys::new("app-1:changes:").problem(), None);
        for prefix in ["", "{app}", "a*", "a b", "é", &"x".repeat(101)] {
            assert!(Keys::new(prefix).problem().is_some(), "{prefix}");
        }
    }
}
