//! Quantities of Kubernetes: the API server writes `1000` as `1k` and `1024Gi` as `1Ti`.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

/// Whether two values are one amount, however it is written.
pub fn is_same_amount(one: &Value, other: &Value) -> bool {
    matches!((billionths(one), billionths(other)), (Some(one), Some(other)) if one == other)
}

/// The amount in whole units, such as bytes, rounded up; `None` where it is negative or no quantity.
pub fn whole(quantity: &Quantity) -> Option<u64> {
    let billionths = u128::try_from(billionths(&Value::String(quantity.0.clone()))?).ok()?;
    u64::try_from(billionths.div_ceil(1_000_000_000)).ok()
}

/// The amount in billionths, the finest that a quantity holds; `None` for what is no quantity.
fn billionths(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text.rfind(|letter: char| letter.is_ascii_digit() || letter == '.').map_or(0, |at| at + 1);
    let (number, suffix) = text.split_at(end);
    // The exponent's digits are part of the number by the split above.
    let (number, exponent) = number.split_once(['e', 'E']).map_or((number, None), |(number, power)| (number, Some(power)));
    let factor = match (suffix, exponent) {
        ("", Some(power)) => return scaled(number, power.parse::<i32>().ok()?.checked_add(9)?, 1),
        (_, Some(_)) => return None,
        ("n", None) => return scaled(number, 0, 1),
        ("u", None) => return scaled(number, 3, 1),
        ("m", None) => return scaled(number, 6, 1),
        ("", None) => return scaled(number, 9, 1),
        ("Ki", None) => 10,
        ("Mi", None) => 20,
        ("Gi", None) => 30,
        ("Ti", None) => 40,
        ("Pi", None) => 50,
        ("Ei", None) => 60,
        (decimal, None) => {
            let power = ["k", "M", "G", "T", "P", "E"].iter().position(|known| *known == decimal)?;
            return scaled(number, 12 + 3 * i32::try_from(power).ok()?, 1);
        }
    };
    scaled(number, 9, 1_i128 << factor)
}

/// `number` times ten to the power, times the factor; a rest below one is none that a quantity can hold.
fn scaled(number: &str, power: i32, factor: i128) -> Option<i128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{part}").parse::<i128>().ok()?.checked_mul(factor)?;
    let power = power.checked_sub(i32::try_from(part.len()).ok()?)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { digits.checked_mul(ten) } else { (digits % ten == 0).then_some(digits / ten) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_told_in_whole_units() {
        for (text, expected) in [
            ("10Gi", Some(10 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("1T", Some(1_000_000_000_000)),
            ("2e9", Some(2_000_000_000)),
            ("20", Some(20)),
            ("100m", Some(1)),
            ("-1Gi", None),
            ("1Gib", None),
            ("", None),
            ("20Ei", None),
        ] {
            assert_eq!(whole(&Quantity(text.into())), expected, "{text}");
        }
    }

    #[test]
    fn an_amount_is_the_same_however_it_is_written() {
        let cases = [
            ("1000", "1k", true),
            ("1024Gi", "1Ti", true),
            ("0.5", "500m", true),
            ("1.5Gi", "1536Mi", true),
            ("2e3", "2k", true),
            ("100m", "0.1", true),
            ("1000Gi", "1Ti", false),
            ("1000m", "2", false),
            ("1K", "1k", false),
            ("", "0", false),
            ("pods", "pods", false),
            ("1e99", "1e98", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(is_same_amount(&json!(one), &json!(other)), expected, "{one} {other}");
        }
        assert!(is_same_amount(&json!(4), &json!("4")) && !is_same_amount(&json!(true), &json!("1")));
    }
}
