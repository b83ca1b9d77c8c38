use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of a change within its stage.
///
/// Digits are compared as numbers and everything else byte by byte, so `9` comes before `10`, and
/// `0003` and `3` are the same place.
///
/// ```
/// # use flamingock_core::change::Order;
/// assert!(Order::new("9") < Order::new("10"));
/// assert!(Order::new("20250923_2") < Order::new("20250923_10"));
/// assert_eq!(Order::new("0003"), Order::new("3"));
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Order(Cow<'static, str>);

impl Order {
    /// Takes the text as the user wrote it.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// The text as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Order {}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Runs of digits count as numbers of any length; leading zeros do not count.
fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        let step = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (digits(&mut a), digits(&mut b));
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        } else {
            let step = x.cmp(y);
            (a, b) = (&a[1..], &b[1..]);
            step
        };
        if step != Ordering::Equal {
            return step;
        }
    }
    a.len().cmp(&b.len())
}

/// Takes the leading run of digits off `text` and returns it without leading zeros.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    let zeros = run.iter().take_while(|c| **c == b'0').count();
    &run[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut orders: Vec<&'static str>) -> Vec<&'static str> {
        orders.sort_by_key(|text| Order::new(*text));
        orders
    }

    #[test]
    fn nine_comes_before_ten() {
        assert_eq!(sorted(vec!["10", "9", "1"]), ["1", "9", "10"]);
    }

    #[test]
    fn dated_orders_compare_part_by_part() {
        assert_eq!(
            sorted(vec!["20250923_10", "20250923_2", "20250101_7"]),
            ["20250101_7", "20250923_2", "20250923_10"]
        );
    }

    #[test]
    fn leading_zeros_do_not_count() {
        assert_eq!(Order::new("0003"), Order::new("3"));
        assert_eq!(Order::new("v01a"), Order::new("v1a"));
        assert_ne!(Order::new("v1a"), Order::new("v1b"));
        assert_eq!(Order::new("000"), Order::new("0"));
    }

    #[test]
    fn numbers_of_any_length_compare_without_overflow() {
        assert!(Order::new("99999999999999999999999999998") < Order::new("99999999999999999999999999999"));
    }

    #[test]
    fn a_prefix_comes_first() {
        assert!(Order::new("1") < Order::new("1a"));
        assert!(Order::new("") < Order::new("0"));
    }

    #[test]
    fn it_is_a_total_order_of_places() {
        bolero::check!().with_type::<[Vec<u8>; 3]>().for_each(|texts| {
            // Few characters, so that places meet.
            let text = |bytes: &Vec<u8>| -> String {
                bytes.iter().map(|byte| char::from(b"0019a_."[usize::from(byte % 7)])).collect()
            };
            let [a, b, c] = texts.each_ref().map(text).map(Order::new);
            assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                assert!(a <= c, "{a} {b} {c}");
            }
            // Leading zeros, and nothing else, do not count.
            let plain = |order: &Order| {
                let mut text = String::new();
                for c in order.as_str().chars() {
                    let ends_a_number = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
                    if c.is_ascii_digit() && text.ends_with('0') && !ends_a_number(&text[..text.len() - 1]) {
                        text.pop();
                    }
                    text.push(c);
                }
                text
            };
            assert_eq!(a == b, plain(&a) == plain(&b), "{a} {b}");
        });
    }
}
