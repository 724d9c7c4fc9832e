//! The language of scenarios: a command a line, `#` begins a comment line, indented lines are the
//! body of the command above them.

use chrono::TimeDelta;

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Where it stands, for messages: `NAME:12`.
    pub(super) place: String,
    /// As it was written, body included.
    pub(super) text: String,
    /// What to do.
    pub(super) command: Command,
}

/// What a scenario can do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// `world NAME` (of `worlds/`), or a world as the body.
    World { name: String, body: String },
    /// `config NAME` (of `configs/`), a body as a second file over it, or both. Later ones reload.
    Config { name: String, body: String },
    /// `advance 5m`: time passes, nobody looks.
    Advance(TimeDelta),
    /// `pass [telemetry]`.
    Pass { telemetry: bool },
    /// `plan`: a pass that reads everything and writes nothing.
    Plan,
    /// `ask`: the plan that `apply` shows before its question.
    Ask,
    /// `yes`: `apply` after a yes to the last `ask`.
    Yes,
    /// `apply`: `ask`, which is not told, and `yes` at once, as `apply --yes`.
    Apply,
    /// `run 2h [quietly]`: a pass every minute, telemetry every 15; told where something changes.
    Run { span: TimeDelta },
    /// `change YAML`: people, pipelines and bad luck, as in a world's events.
    Change(String),
    /// `call OPERATION JSON`: an AWS call of somebody else.
    Call { operation: String, input: String },
    /// `fault YAML`.
    Fault(String),
    /// `status ENDPOINT WORD`: SageMaker says this status from now on; `truth` ends it.
    Status { endpoint: String, word: String },
    /// `meanwhile YAML`: a change between the reading and the write of the next pass that looks.
    Meanwhile(String),
    /// `pause VARIANT 1h REASON`.
    Pause { variant: String, span: TimeDelta, reason: String },
    /// `resume VARIANT`.
    Resume { variant: String },
    /// `confirm`: a person approves the mass change of the last pass.
    Confirm,
    /// `memory tags`: what must be remembered is kept in tags of the scalable targets.
    MemoryInTags,
    /// `restart [forget]`: another process; with `forget` without the memory of this one.
    Restart { forget: bool },
    /// `beside`: a second process with the same configuration and memory makes a pass, without a
    /// common Lease.
    Beside,
    /// `leader yes|no`.
    Leader(bool),
    /// `show`: the truth of the world.
    Show,
}

impl Command {
    /// Whether the world may be another one after it.
    pub(super) const fn changes_the_world(&self) -> bool {
        matches!(
            self,
            Self::Advance(_) | Self::Run { .. } | Self::Change(_) | Self::Call { .. } | Self::Apply
        )
    }
}

/// Reads a scenario.
pub(super) fn parse(name: &str, text: &str) -> Vec<Line> {
    let mut blocks: Vec<(usize, String, Vec<&str>)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with(' ') {
            let block = blocks.last_mut();
            block
                .unwrap_or_else(|| panic!("{name}:{}: a body without a command", at + 1))
                .2
                .push(line);
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            blocks.push((at + 1, line.trim_end().to_owned(), Vec::new()));
        }
    }
    let mut lines = Vec::new();
    for (at, first, body) in blocks {
        let place = format!("{name}:{at}");
        let body = body.join("\n");
        let command =
            command(&first, &body).unwrap_or_else(|why| panic!("{place}: {why}: {first}"));
        let text = if body.is_empty() { first } else { format!("{first}\n{body}") };
        lines.push(Line { place, text, command });
    }
    lines
}

fn command(line: &str, body: &str) -> Result<Command, String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let body = body.to_owned();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let whole = || if body.is_empty() { rest.to_owned() } else { format!("{rest}\n{body}") };
    Ok(match (verb, words.as_slice()) {
        ("world", _) => Command::World { name: rest.to_owned(), body },
        ("config", _) => Command::Config { name: rest.to_owned(), body },
        ("advance", [span]) => Command::Advance(duration(span)?),
        ("pass", []) => Command::Pass { telemetry: false },
        ("pass", ["telemetry"]) => Command::Pass { telemetry: true },
        ("plan", []) => Command::Plan,
        ("ask", []) => Command::Ask,
        ("yes", []) => Command::Yes,
        ("apply", []) => Command::Apply,
        ("run", [span]) => Command::Run { span: duration(span)? },
        ("change", [_, ..]) => Command::Change(whole()),
        ("meanwhile", [_, ..]) => Command::Meanwhile(whole()),
        ("fault", [_, ..]) => Command::Fault(whole()),
        ("call", [operation, ..]) => {
            let input = whole();
            let input = input.strip_prefix(operation).unwrap_or_default().to_owned();
            Command::Call { operation: (*operation).to_owned(), input }
        }
        ("status", [endpoint, word]) => {
            Command::Status { endpoint: (*endpoint).to_owned(), word: (*word).to_owned() }
        }
        ("pause", [variant, span, reason @ ..]) => Command::Pause {
            variant: (*variant).to_owned(),
            span: duration(span)?,
            reason: reason.join(" "),
        },
        ("resume", [variant]) => Command::Resume { variant: (*variant).to_owned() },
        ("confirm", []) => Command::Confirm,
        ("memory", ["tags"]) => Command::MemoryInTags,
        ("restart", []) => Command::Restart { forget: false },
        ("restart", ["forget"]) => Command::Restart { forget: true },
        ("beside", []) => Command::Beside,
        ("leader", ["yes"]) => Command::Leader(true),
        ("leader", ["no"]) => Command::Leader(false),
        ("show", []) => Command::Show,
        _ => return Err("no command of scenarios, or not its arguments".to_owned()),
    })
}

/// `90s`, `5m`, `2h`, `3d`.
fn duration(text: &str) -> Result<TimeDelta, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: i64 = number.parse().map_err(|_| format!("{text} is no duration"))?;
    match unit {
        "s" => Ok(TimeDelta::seconds(number)),
        "m" => Ok(TimeDelta::minutes(number)),
        "h" => Ok(TimeDelta::hours(number)),
        "d" => Ok(TimeDelta::days(number)),
        _ => Err(format!("{text} is no duration (s, m, h, d)")),
    }
}

#[test]
fn scenarios_are_read() {
    let lines = parse("x", "# what it shows\n\nworld\n  a: 1\n  b: 2\nadvance 5m\nrun 2h\n");
    assert_eq!(
        lines[0].command,
        Command::World { name: String::new(), body: "  a: 1\n  b: 2".into() }
    );
    assert_eq!(lines[1].command, Command::Advance(TimeDelta::minutes(5)));
    assert_eq!(lines[1].place, "x:6");
    assert!(command("advance soon", "").is_err());
    assert!(command("dance", "").is_err());
}
