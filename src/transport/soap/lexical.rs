//! The simple types of XML Schema as text and as JSON values.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::SecondsFormat;
use serde_json::{Number, Value};

use crate::contract::Scalar;
use crate::model::date_time::XsdDateTime;

const LOCAL_TIME_MILLIS: &str = "%Y-%m-%dT%H:%M:%S%.3f";

/// Reads the text of an element. The error is the rule that the text breaks: "must …".
pub fn read(scalar: Scalar, text: &str) -> Result<Value, &'static str> {
    match scalar {
        Scalar::String => Ok(Value::String(text.to_owned())),
        Scalar::Int => integer::<i32>(text).ok_or("must be a whole number between -2147483648 and 2147483647"),
        Scalar::Long => integer::<i64>(text).ok_or("must be a whole number of 64 bits"),
        Scalar::Float | Scalar::Double => decimal(text).ok_or("must be a finite number"),
        Scalar::Boolean => boolean(text).ok_or("must be true, false, 1 or 0"),
        Scalar::DateTime => date_time(text).map(Value::String),
        Scalar::Base64 => base64(text).ok_or("must be Base64"),
    }
}

/// Writes a value as the text of an element; `None` if the value is not of the type.
pub fn write(scalar: Scalar, value: &Value) -> Option<String> {
    match scalar {
        Scalar::String | Scalar::Base64 => value.as_str().map(str::to_owned),
        Scalar::Int => value.as_i64().filter(|&number| i32::try_from(number).is_ok()).map(|number| number.to_string()),
        Scalar::Long => value.as_i64().map(|number| number.to_string()),
        // `Debug` keeps the point of 72.0, which is how the API has always written it.
        Scalar::Float | Scalar::Double => value.as_f64().map(|number| format!("{number:?}")),
        Scalar::Boolean => value.as_bool().map(|flag| flag.to_string()),
        Scalar::DateTime => date_time(value.as_str()?).ok(),
    }
}

/// What stands for a required value that a service did not give.
pub fn zero(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::String | Scalar::Base64 => "",
        Scalar::Int | Scalar::Long => "0",
        Scalar::Float | Scalar::Double => "0.0",
        Scalar::Boolean => "false",
        Scalar::DateTime => "1970-01-01T00:00:00.000Z",
    }
}

fn integer<T: std::str::FromStr + Into<i64>>(text: &str) -> Option<Value> {
    let number: T = text.trim().parse().ok()?;
    Some(Value::Number(Number::from(number.into())))
}

fn decimal(text: &str) -> Option<Value> {
    let number: f64 = text.trim().parse().ok()?;
    // Infinities and NaN are numbers to XML Schema, but not to JSON nor to any option of a job.
    Number::from_f64(number).map(Value::Number)
}

fn boolean(text: &str) -> Option<Value> {
    match text.trim() {
        "true" | "1" => Some(Value::Bool(true)),
        "false" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// One form for each kind of time: RFC 3339 in milliseconds, with the zone that was given or with none.
fn date_time(text: &str) -> Result<String, &'static str> {
    Ok(match XsdDateTime::parse(text)? {
        XsdDateTime::Zoned(instant) => instant.to_rfc3339_opts(SecondsFormat::Millis, true),
        XsdDateTime::Local(wall) => wall.format(LOCAL_TIME_MILLIS).to_string(),
    })
}

fn base64(text: &str) -> Option<Value> {
    let compact: String = text.split_whitespace().collect();
    BASE64.decode(&compact).ok()?;
    Some(Value::String(compact))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_reads_its_own_forms() {
        for (scalar, text, value) in [
            (Scalar::String, " a b ", json!(" a b ")),
            (Scalar::Int, " +42\n", json!(42)),
            (Scalar::Int, "-2147483648", json!(-2147483648_i64)),
            (Scalar::Long, "9223372036854775807", json!(i64::MAX)),
            (Scalar::Double, "72", json!(72.0)),
            (Scalar::Double, "1.5E2", json!(150.0)),
            (Scalar::Boolean, " 1 ", json!(true)),
            (Scalar::Boolean, "false", json!(false)),
            (Scalar::DateTime, "2011-03-30T14:32:08.858-05:00", json!("2011-03-30T14:32:08.858-05:00")),
            (Scalar::DateTime, " 2008-07-31T18:00:00Z ", json!("2008-07-31T18:00:00.000Z")),
            (Scalar::DateTime, "2008-07-31T18:00:00.1234567+00:00", json!("2008-07-31T18:00:00.123Z")),
            (Scalar::DateTime, "2008-07-31T18:00:00", json!("2008-07-31T18:00:00.000")),
            (Scalar::DateTime, "2008-07-31T18:00:00.5", json!("2008-07-31T18:00:00.500")),
            (Scalar::DateTime, "2008-07-31T24:00:00Z", json!("2008-08-01T00:00:00.000Z")),
            (Scalar::Base64, "aGVs\n bG8=", json!("aGVsbG8=")),
        ] {
            assert_eq!(read(scalar, text), Ok(value), "{scalar:?} {text:?}");
        }
    }

    #[test]
    fn other_forms_break_a_rule() {
        for (scalar, text) in [
            (Scalar::Int, "2147483648"),
            (Scalar::Int, "72.0"),
            (Scalar::Int, "0x1"),
            (Scalar::Long, "9223372036854775808"),
            (Scalar::Double, "INF"),
            (Scalar::Double, "NaN"),
            (Scalar::Double, "1,5"),
            (Scalar::Boolean, "True"),
            (Scalar::Boolean, "yes"),
            (Scalar::DateTime, "2008-07-31"),
            (Scalar::DateTime, "2008-02-30T00:00:00Z"),
            (Scalar::DateTime, "2008-7-1T1:2:3"),
            (Scalar::DateTime, "2008-07-31 18:00:00Z"),
            (Scalar::DateTime, "2008-07-31T18:00:60Z"),
            (Scalar::DateTime, "soon"),
            (Scalar::Base64, "***"),
        ] {
            let rule = read(scalar, text).unwrap_err();
            assert!(rule.starts_with("must "), "{scalar:?} {text:?}: {rule}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_api_writes_them() {
        assert_eq!(write(Scalar::Double, &json!(72)).unwrap(), "72.0");
        assert_eq!(write(Scalar::Double, &json!(0.25)).unwrap(), "0.25");
        assert_eq!(write(Scalar::Int, &json!(72)).unwrap(), "72");
        assert_eq!(write(Scalar::Int, &json!(1_u64 << 40)), None);
        assert_eq!(write(Scalar::Int, &json!("72")), None);
        assert_eq!(
            write(Scalar::DateTime, &json!("2008-07-31T18:00:00+02:00")).unwrap(),
            "2008-07-31T18:00:00.000+02:00"
        );
        assert_eq!(write(Scalar::DateTime, &json!("soon")), None);
    }

    #[test]
    fn a_zero_is_of_its_type() {
        for scalar in [Scalar::Int, Scalar::Long, Scalar::Float, Scalar::Double, Scalar::Boolean, Scalar::DateTime] {
            assert!(read(scalar, zero(scalar)).is_ok(), "{scalar:?}");
        }
    }
}
