use std::collections::BTreeSet;

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

/// What must never be shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Keeps a text from being shown. Very short ones would hide ordinary words.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= 3 {
            self.0.insert(secret.to_owned());
        }
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

    /// The text without any of it. The longest first: one may be a part of another.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut secrets: Vec<&String> = self.0.iter().collect();
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
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
