//! Texts of a transcript, as far as they hold still.

use std::fmt::Write as _;

use serde_json::Value;

/// The text without the lines, and the numbers of the second axis, that move with the load.
pub(super) fn without_forecasts(text: &str) -> String {
    let steady = |line: &str| {
        let at = line.find("safe").unwrap_or(line.len());
        let moving = line[at..].chars().filter(|c| !c.is_ascii_digit());
        line[..at].chars().chain(moving).collect::<String>()
    };
    text.lines().filter(|line| !line.starts_with("      instances")).map(steady).collect()
}

/// `PutScalingPolicy endpoint/e/variant/v NAME: TargetValue=600 ... (ThrottlingException)`.
pub(super) fn write_line(write: &Value) -> String {
    let input = &write["input"];
    let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
    let mut line = format!("{} {}", write["operation"].as_str().unwrap_or("?"), text("ResourceId"));
    let tracking = &input["TargetTrackingScalingPolicyConfiguration"];
    if tracking.is_object() {
        let _ = write!(line, " {}: {}", text("PolicyName"), brief(tracking));
    } else if let Some(name) = input["ScheduledActionName"].as_str() {
        let _ = write!(line, " {name}: {}", scheduled(input));
    } else {
        let keys = ["MinCapacity", "MaxCapacity", "SuspendedState"];
        for key in keys.iter().filter(|key| !input[**key].is_null()) {
            let _ = write!(line, " {key}={}", input[*key]);
        }
    }
    if let Some(error) = write["error"].as_str() {
        let _ = write!(line, " ({error})");
    }
    line
}

/// What a scheduled action does, when, and until when.
pub(super) fn scheduled(action: &Value) -> String {
    let text = |key: &str| action[key].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    let end = action["EndTime"].as_f64().map(|end| {
        let end = chrono::DateTime::from_timestamp(end as i64, 0).unwrap_or_default();
        format!(" until {}", end.format("%d %H:%M"))
    });
    let (schedule, zone) = (text("Schedule"), text("Timezone"));
    let sets = brief(&action["ScalableTargetAction"]);
    format!("{sets}{schedule}{zone}{}", end.unwrap_or_default())
}

/// A JSON object as `Key=value` pairs.
pub(super) fn brief(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    let pairs = members.filter(|(_, value)| !value.is_null()).map(|(key, value)| {
        let value =
            value["PredefinedMetricType"].as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key}={value}")
    });
    pairs.collect::<Vec<_>>().join(" ")
}
