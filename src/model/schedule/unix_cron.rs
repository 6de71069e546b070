//! What an expression of Unix cron is here: there days of the week count from Sunday = 0, and seconds do not exist.

const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// What to write instead of five fields.
pub(super) fn advice(expression: &str) -> String {
    let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
    let &[minutes, hours, day_of_month, month, day_of_week] = fields.as_slice() else {
        return "write the seconds first".to_owned();
    };
    match (day_of_month, day_of_week) {
        (_, "*") => format!("did you mean \"0 {minutes} {hours} {day_of_month} {month} ?\"?"),
        ("*", days) => format!("did you mean \"0 {minutes} {hours} ? {month} {}\"?", named(days)),
        _ => format!(
            "write two schedules, \"0 {minutes} {hours} {day_of_month} {month} ?\" and \"0 {minutes} {hours} ? {month} {}\"",
            named(day_of_week)
        ),
    }
}

/// Days of the week by their names, which mean the same in both.
fn named(days: &str) -> String {
    let item = |item: &str| {
        let (days, step) = item.split_once('/').map_or((item, None), |(days, step)| (days, Some(step)));
        let days: Vec<&str> = days.split('-').map(name).collect();
        [Some(days.join("-")).as_deref(), step].into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    days.split(',').map(item).collect::<Vec<_>>().join(",")
}

fn name(day: &str) -> &str {
    day.parse().ok().and_then(|day: usize| DAYS.get(day).copied()).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::advice;
    use crate::model::schedule::Schedule;

    #[test]
    fn what_is_advised_means_the_same() {
        let table = [
            ("*/5 * * * *", "0 */5 * * * ?"),
            ("30 2 * * 1-5", "0 30 2 ? * MON-FRI"),
            ("0 3 * * 0", "0 0 3 ? * SUN"),
            ("0 3 * * 7,3", "0 0 3 ? * SUN,WED"),
            ("0 3 * * 1-5/2", "0 0 3 ? * MON-FRI/2"),
            ("0 3 1 * *", "0 0 3 1 * ?"),
        ];
        for (unix, quartz) in table {
            assert_eq!(advice(unix), format!("did you mean \"{quartz}\"?"));
            Schedule::parse(quartz).unwrap_or_else(|error| panic!("{quartz}: {error}"));
        }
        assert_eq!(advice("0 3 1 * 1"), "write two schedules, \"0 0 3 1 * ?\" and \"0 0 3 ? * MON\"");
    }
}
