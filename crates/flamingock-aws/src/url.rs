/// The values of these parameters in a URL `scheme://?name=value&..`, in their order.
///
/// ```
/// let [table, region] = flamingock_aws::parameters("dynamodb://?region=eu-west-1", "dynamodb", ["table", "region"])?;
/// assert_eq!((table, region.as_deref()), (None, Some("eu-west-1")));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// In words, without what may be a secret, when the URL is not understood.
pub fn parameters<const N: usize>(
    url: &str,
    scheme: &str,
    names: [&str; N],
) -> Result<[Option<String>; N], String> {
    let rest = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    let rest = rest.ok_or_else(|| format!("it does not begin with {scheme}://"))?;
    // What stands before the question mark is not repeated in the message: it may be a secret.
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !matches!(before, "" | "/") {
        return Err("between // and ? there is something; credentials come from the environment".to_owned());
    }
    let mut values = [const { None }; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a parameter has no value")?;
        let Some(slot) =
            names.iter().zip(&mut values).find_map(|(known, slot)| (*known == name).then_some(slot))
        else {
            return Err(format!("`{}` is no parameter of it", name.escape_debug()));
        };
        if slot.replace(decode(value)?).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
    }
    Ok(values)
}

/// Whether this is the address of a server.
///
/// # Errors
/// In words, without the endpoint, when it is not, or has credentials in it.
pub fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let rest = rest.ok_or("the endpoint begins neither with https:// nor with http://")?;
    if rest.contains('@') {
        return Err("the endpoint has an @: credentials come from the environment".to_owned());
    }
    Ok(())
}

/// What would end a parameter, as [`parameters`] reads it.
pub fn encode(text: &str) -> String {
    text.replace('%', "%25").replace('&', "%26")
}

/// `%3A` and its like.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("a percent sign is not followed by two hexadecimal digits".to_owned());
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| "a parameter is no UTF-8".to_owned())
}
