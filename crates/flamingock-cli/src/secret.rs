use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

/// Parameters of URLs, in small letters, that hold secrets. MongoDB's properties may hold a session token.
const SECRET_PARAMETERS: [&str; 7] = [
    "pass",
    "password",
    "sslpassword",
    "secret",
    "token",
    "tlscertificatekeyfilepassword",
    "authmechanismproperties",
];

/// Fields of answers that hold names: commands with them are to be typed.
const NAMES: [&str; 8] = ["service", "tenant", "change", "id", "held", "name", "stage", "target_system"];

/// What must never be shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    hidden: BTreeSet<String>,
    shown: BTreeSet<String>,
}

impl Secrets {
    /// Keeps a text from being shown. Very short ones would hide ordinary words.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= 3 {
            self.hidden.insert(secret.to_owned());
        }
    }

    /// Leaves a name as it is where a secret happens to be the same, or a part of it.
    pub(crate) fn show(&mut self, name: &str) {
        self.shown.insert(name.to_owned());
    }

    /// Keeps the password of a URL, and the URL with it, from being shown.
    pub(crate) fn add_url(&mut self, url: &str) {
        let Some((_, rest)) = url.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // The password may hold anything that somebody forgot to encode.
        let userinfo = rest.rfind('@').map_or("", |at| &rest[..at]);
        for user in [authority.rsplit_once('@').map_or("", |(user, _)| user), userinfo] {
            if let Some((_, password)) = user.split_once(':') {
                self.add(password);
                self.add(&decoded(password));
                self.add(url);
            }
        }
        for pair in url.split_once('?').map_or("", |(_, query)| query).split('&') {
            if let Some((name, value)) = pair.split_once('=')
                && SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
            {
                self.add(value);
                self.add(&decoded(value));
                self.add(url);
            }
        }
    }

    /// The text without any of it.
    pub(crate) fn redact(&self, text: &str) -> String {
        let found = |word: &String| -> Vec<Range<usize>> {
            text.match_indices(word.as_str()).map(|(at, word)| at..at + word.len()).collect()
        };
        let mut hidden: Vec<Range<usize>> = self.hidden.iter().flat_map(found).collect();
        if hidden.is_empty() {
            return text.to_owned();
        }
        let touched = |name: &&String| self.hidden.iter().any(|secret| name.contains(secret.as_str()));
        let names: Vec<Range<usize>> = self.shown.iter().filter(touched).flat_map(found).collect();
        hidden
            .retain(|secret| !names.iter().any(|name| name.start <= secret.start && secret.end <= name.end));
        hidden.sort_unstable_by_key(|secret| secret.start);
        let (mut out, mut at) = (String::new(), 0);
        for secret in hidden {
            if at <= secret.start {
                out.push_str(&text[at..secret.start]);
                out.push_str("***");
            }
            at = at.max(secret.end);
        }
        out + &text[at..]
    }

    /// An answer's data, and the text about them, without any of it.
    pub(crate) fn redact_answer(&self, data: &mut Value, text: &str) -> String {
        if self.hidden.is_empty() {
            return text.to_owned();
        }
        let mut all = self.clone();
        all.show_names("", data);
        all.redact_data(data);
        all.redact(text)
    }

    fn show_names(&mut self, field: &str, data: &Value) {
        match data {
            Value::String(name) if NAMES.contains(&field) => self.show(name),
            Value::Array(all) => all.iter().for_each(|data| self.show_names(field, data)),
            Value::Object(all) => all.iter().for_each(|(field, data)| self.show_names(field, data)),
            _ => {}
        }
    }

    fn redact_data(&self, data: &mut Value) {
        match data {
            Value::String(text) => *text = self.redact(text),
            Value::Array(all) => all.iter_mut().for_each(|data| self.redact_data(data)),
            Value::Object(all) => all.values_mut().for_each(|data| self.redact_data(data)),
            _ => {}
        }
    }
}

/// `%40` as `@`.
pub(crate) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = bytes.get(index + 1..index + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[index], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                index += 3;
            }
            (byte, _) => {
                out.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Replaces `${NAME}` by an environment variable and `${file:PATH}` by what a file holds; `$${` is
/// a plain `${`. What was put in is a secret.
pub(crate) fn expand(text: &str, secrets: &mut Secrets) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let (name, after) =
            rest[at + 2..].split_once('}').ok_or_else(|| "a `${` has no `}` after it".to_owned())?;
        let value = match name.strip_prefix("file:") {
            Some(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|error| format!("`${{{name}}}`: {error}"))?,
            None => std::env::var(name)
                .map_err(|_| format!("`${{{name}}}`: the environment variable {name} is not set"))?,
        };
        secrets.add(&value);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_encoded_and_plain_and_with_an_at_in_them() {
        let mut secrets = Secrets::default();
        secrets.add_url("postgres://jane:s3cr%40t@db/orders?sslpassword=hush");
        assert_eq!(secrets.redact("no s3cr@t, no s3cr%40t, no hush"), "no ***, no ***, no ***");
        secrets.add_url("unix:///run/redis.sock?pass=hush-pass&db=1");
        secrets.add_url("redis://:hush-redis@cache:6379/0");
        secrets.add_url("mongodb://db/?tlsCertificateKeyFilePassword=hush-mongo");
        assert_eq!(secrets.redact("hush-pass hush-redis hush-mongo"), "*** *** ***");
        secrets.add_url("postgres://jane:p@ss/word@db/orders");
        assert_eq!(secrets.redact("p@ss/word"), "***");
    }

    #[test]
    fn a_name_is_shown_where_a_secret_is_a_part_of_it() {
        let mut secrets = Secrets::default();
        secrets.add_url("postgres://orders:order@db/orders");
        secrets.add("orders-pw");
        assert_eq!(secrets.redact("orders-pw of create-orders"), "*** of create-***s");
        let mut data = serde_json::json!({
            "changes": [{ "change": "create-orders", "error": "no order: postgres://orders:order@db/orders" }],
            "held": ["drop-order"],
        });
        let text = secrets.redact_answer(&mut data, "fix -c create-orders, release drop-order: my order");
        assert_eq!(text, "fix -c create-orders, release drop-order: my ***");
        assert_eq!(data["changes"][0]["error"], "no ***: ***");
        assert_eq!(
            (&data["changes"][0]["change"], &data["held"][0]),
            (&"create-orders".into(), &"drop-order".into())
        );
        // A secret that reaches beyond the name is hidden.
        secrets.show("orders");
        assert_eq!(secrets.redact("orders: orders-pw"), "orders: ***");
    }

    #[test]
    fn values_come_from_the_environment_and_from_files() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "hush-hush\n").expect("is written");
        let mut secrets = Secrets::default();
        let text = format!("a${{file:{}}}b $${{X}}", file.path().display());
        assert_eq!(expand(&text, &mut secrets).as_deref(), Ok("ahush-hushb ${X}"));
        assert_eq!(secrets.redact("hush-hush"), "***");
        assert!(expand("${FLAMINGOCK_NOT_SET}", &mut secrets).is_err());
        assert!(expand("${file:/nowhere}", &mut secrets).is_err());
        assert!(expand("${open", &mut secrets).is_err());
    }

    #[test]
    fn no_password_of_any_url_is_shown() {
        bolero::check!().with_type::<[String; 4]>().for_each(|[scheme, user, password, rest]| {
            let plain = |text: &str| -> String {
                text.chars().filter(|c| c.is_ascii_alphanumeric() || "-._~%".contains(*c)).collect()
            };
            let (scheme, user, password) = (plain(scheme), plain(user), format!("pw-{}", plain(password)));
            let mut secrets = Secrets::default();
            let url = format!("{scheme}://{user}:{password}@host/{rest}");
            secrets.add_url(&url);
            let shown = secrets.redact(&format!("cannot reach {url}: bad password {password}"));
            assert!(!shown.contains(&password), "{shown}");
            let shown = secrets.redact(&decoded(&password));
            assert!(!shown.contains(&decoded(&password)), "{shown}");
        });
    }

    #[test]
    fn any_text_is_expanded_or_refused() {
        bolero::check!().with_type::<[String; 2]>().for_each(|[before, after]| {
            for text in [before.clone(), format!("{before}${{{after}"), format!("{before}$${{{after}}}")] {
                let _ = expand(&text, &mut Secrets::default());
            }
            let plain = before.replace('{', "");
            assert_eq!(expand(&plain, &mut Secrets::default()), Ok(plain.clone()));
        });
    }
}
