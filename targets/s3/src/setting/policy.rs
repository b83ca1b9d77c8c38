use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use serde_json::{Value, json};

use super::access::Access;
use crate::error::{At, S3Error, S3ErrorKind};

/// A bucket policy. Its parts are its statements, by their `Sid`.
///
/// ```
/// use flamingock_target_s3::BucketPolicy;
///
/// let policy = BucketPolicy::parse(
///     r#"{
///         "Version": "2012-10-17",
///         "Statement": [{
///             "Sid": "Read", "Effect": "Allow", "Principal": "*",
///             "Action": "s3:GetObject", "Resource": "arn:aws:s3:::receipts/public/*"
///         }]
///     }"#,
/// )?;
/// # Ok::<(), flamingock_target_s3::S3Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BucketPolicy {
    /// What stands beside the statements, such as `Version`.
    head: serde_json::Map<String, Value>,
    statements: Vec<Value>,
}

/// The version of a policy that names none.
const UNNAMED: &str = "2008-10-17";

impl BucketPolicy {
    /// From a policy document.
    ///
    /// # Errors
    /// [`Invalid`](S3ErrorKind::Invalid) when it is no JSON object with statements.
    pub fn parse(json: &str) -> Result<Self, S3Error> {
        Self::read(json).map_err(|problem| {
            let origin = crate::origin::Origin::default();
            let at = At { operation: "parse policy", origin: &origin, bucket: None, key: None };
            at.error(S3ErrorKind::Invalid, problem)
        })
    }

    fn read(json: &str) -> Result<Self, String> {
        let value = serde_json::from_str(json).map_err(|error| format!("it is no JSON: {error}"))?;
        let Value::Object(mut head) = value else { return Err("it is no JSON object".to_owned()) };
        let statements = match head.remove("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err("it has no Statement".to_owned()),
        };
        Ok(Self { head, statements })
    }

    fn version(&self) -> Option<&str> {
        self.head.get("Version")?.as_str()
    }

    fn json(&self) -> String {
        let mut policy = self.head.clone();
        policy.insert("Statement".to_owned(), json!(self.statements));
        Value::Object(policy).to_string()
    }
}

/// Lists sorted, and those of one entry as that entry: servers write both.
fn normal(value: Value) -> Value {
    match value {
        Value::Array(values) => {
            let mut values: Vec<_> = values.into_iter().map(normal).collect();
            values.sort_by_key(Value::to_string);
            if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
        }
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        other => other,
    }
}

impl Access for BucketPolicy {
    const READ: &'static str = "read policy";
    const WRITE: &'static str = "set policy";
    const ERASE: &'static str = "remove policy";
    type Part = Value;

    fn parts(&self) -> Vec<Value> {
        self.statements.clone()
    }

    fn with_parts(&self, statements: Vec<Value>) -> Self {
        Self { statements, ..self.clone() }
    }

    /// In another version, the variables of a statement are mere text.
    fn conflict(&self, found: &Self) -> Option<String> {
        let (wanted, stands) = (self.version()?, found.version().unwrap_or(UNNAMED));
        (wanted != stands).then(|| {
            format!(
                "the policy there has the Version {stands}, not {wanted}; replace it as a whole with `set`"
            )
        })
    }

    fn name(statement: &Value) -> Option<String> {
        statement.get("Sid")?.as_str().map(str::to_owned)
    }

    fn content(statement: &Value) -> Value {
        let mut statement = statement.clone();
        if let Value::Object(fields) = &mut statement {
            fields.remove("Sid");
        }
        normal(statement)
    }

    async fn read(client: &Client, at: At<'_>) -> Result<Option<Self>, S3Error> {
        let request = client.get_bucket_policy().set_bucket(at.bucket.map(str::to_owned));
        match request.send().await {
            Ok(found) => {
                let policy = found.policy.unwrap_or_default();
                let problem = |problem| at.error(S3ErrorKind::Other, format!("what stands there: {problem}"));
                Self::read(&policy).map(Some).map_err(problem)
            }
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) => Err(at.failed(&error)),
        }
    }

    async fn write(&self, client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.put_bucket_policy().set_bucket(at.bucket.map(str::to_owned));
        request.policy(self.json()).send().await.map(drop).map_err(|error| at.failed(&error))
    }

    async fn erase(client: &Client, at: At<'_>) -> Result<(), S3Error> {
        let request = client.delete_bucket_policy().set_bucket(at.bucket.map(str::to_owned));
        request.send().await.map(drop).map_err(|error| at.failed(&error))
    }
}
