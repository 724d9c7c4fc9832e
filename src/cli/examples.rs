//! Help by example: what people type, for each command, in front of what its help says at its end. A
//! test parses every example.

use clap::Command;

/// The examples of each command, by its name below `setpoint`. What follows `#` says what it is for.
#[rustfmt::skip]
const EXAMPLES: &[(&str, &[&str])] = &[
    ("run", &[
        "setpoint run --config setpoint.yaml",
        "setpoint run --config setpoint.yaml --mode observe     # whatever the targets say, write nothing",
    ]),
    ("plan", &[
        "setpoint plan --config setpoint.yaml",
        "setpoint plan --config setpoint.yaml --detailed-exitcode     # in a pipeline",
        "setpoint plan --config setpoint.yaml -o json | jq .summary",
    ]),
    ("apply", &[
        "setpoint apply --config setpoint.yaml           # shows the plan and asks",
        "setpoint apply --config setpoint.yaml --yes",
    ]),
    ("get", &[
        "setpoint get",
        "setpoint get fraud-scorer -o wide",
        "setpoint get fraud-scorer/AllTraffic -o yaml     # with all that was read, remembered and decided",
    ]),
    ("explain", &[
        "setpoint explain fraud-scorer",
        "setpoint explain fraud-scorer/AllTraffic -o json | jq -r '.steps[].sentences[]'",
    ]),
    ("history", &[
        "setpoint history fraud-scorer/AllTraffic --since 36h",
        "setpoint history fraud-scorer/AllTraffic --hours -o csv > hours.csv",
        "setpoint history fraud-scorer/AllTraffic --cloudtrail --config setpoint.yaml     # with names",
        "setpoint history fraud-scorer/AllTraffic --file /var/lib/setpoint/history.redb",
    ]),
    ("check", &[
        "setpoint check fraud-scorer/AllTraffic",
        "setpoint check all -o json | jq '.variants[] | select(.proof.verified | not)'",
    ]),
    ("pause", &[
        "setpoint pause fraud-scorer/AllTraffic --until 2h --reason \"on call\"",
        "setpoint pause all --until 2026-12-01T08:00:00Z --reason \"sale\"",
    ]),
    ("resume", &["setpoint resume fraud-scorer/AllTraffic", "setpoint resume all"]),
    ("confirm", &["setpoint confirm c0ede8d4c44ca45a"]),
    ("reload", &["setpoint reload", "setpoint reload --url http://127.0.0.1:9090 --token-file token"]),
    ("calculate", &[
        "setpoint calculate --max-rps 20 --safety-factor 0.5",
        "setpoint calculate --max-rps 20 --safety-factor 0.5 --check 600     # is the value in use right?",
    ]),
    ("calibrate", &[
        "setpoint calibrate k6-results.json --slo p99=250ms",
        "setpoint calibrate step-*.json --slo p95=100ms --instances 2 -o yaml",
    ]),
    ("recommend", &[
        "setpoint recommend all --config setpoint.yaml",
        "setpoint recommend fraud-scorer/AllTraffic --daemon --format terraform",
        "terraform show -json | setpoint recommend all --daemon --check -",
    ]),
    ("whatif", &[
        "setpoint whatif telemetry.csv --slo p99=250ms --safety-factor 0.5,0.6,0.7",
        "setpoint whatif fraud-scorer/AllTraffic --traffic x2 --price-per-hour 0.23",
    ]),
    ("report", &[
        "setpoint report --config setpoint.yaml --prices prices.yaml",
        "setpoint report --daemon -o html > report.html",
    ]),
    ("export", &[
        "setpoint export fraud-scorer/AllTraffic --since 14d --out telemetry.csv",
    ]),
    ("replay", &[
        "setpoint replay telemetry.csv --max-rps 20 --slo p99=250ms",
        "setpoint replay telemetry.csv --slo p99=250ms --report replay.html",
    ]),
    ("audit", &[
        "setpoint audit --region us-east-1",
        "setpoint audit -o json | jq '.findings[] | select(.severity == \"high\")'",
        "setpoint audit --detailed-exitcode     # in a pipeline",
        "setpoint audit --telemetry             # also what capacity says; states its price and asks",
    ]),
    ("import", &[
        "setpoint import --region us-east-1 --out setpoint.yaml",
        "setpoint import --telemetry --out setpoint.yaml     # with guessed objectives; asks first",
        "setpoint import --tag team=ranking --out setpoint.yaml     # only endpoints with this tag",
        "setpoint import --endpoint fraud-scorer",
        "setpoint import --config accounts.yaml --out targets.yaml   # what accounts.yaml does not list yet",
    ]),
    ("init", &[
        "setpoint init",
        "setpoint init fleet.yaml --region eu-west-1 --account 123456789012",
        "setpoint init -                       # to standard output",
    ]),
    ("config", &["setpoint config check --config setpoint.yaml"]),
    ("config check", &[
        "setpoint config check --config setpoint.yaml",
        "setpoint config check --config conf.d --strict     # each warning is an error",
    ]),
    ("config show", &[
        "setpoint config show --config setpoint.yaml --origin     # which file each line comes from",
        "setpoint config show --config setpoint.yaml --variants variants.txt",
    ]),
    ("config schema", &["setpoint config schema > schema.json"]),
    ("doctor", &[
        "setpoint doctor --config setpoint.yaml",
        "setpoint doctor --config setpoint.yaml -o json | jq '.checks[] | select(.health != \"ok\")'",
        "kubectl exec deploy/setpoint -- setpoint doctor      # as the daemon itself",
    ]),
    ("completions", &[
        "source <(setpoint completions bash)",
        "setpoint completions zsh > \"${fpath[1]}/_setpoint\"",
        "setpoint completions fish > ~/.config/fish/completions/setpoint.fish",
    ]),
    ("man", &[
        "setpoint man | man -l -",
        "setpoint man --out /usr/local/share/man/man1",
    ]),
    ("demo", &[
        "setpoint demo",
        "setpoint demo --serve     # stays up, with the status page and /metrics",
    ]),
    ("simulate", &["setpoint simulate serve", "setpoint simulate grade --seeds 2"]),
    ("simulate serve", &[
        "setpoint simulate serve --listen 127.0.0.1:4566",
        "setpoint simulate serve --scenario fleet.yaml --step     # time moves by POST /_sim/advance",
    ]),
    ("simulate grade", &["setpoint simulate grade --seeds 2 --closed-loop"]),
];

/// The program with the examples in the help of its commands.
pub(super) fn with_examples(program: Command) -> Command {
    below(program, "")
}

fn below(command: Command, parent: &str) -> Command {
    command.mut_subcommands(|command| {
        let path = [parent, command.get_name()].join(" ").trim_start().to_owned();
        let command = below(command, &path);
        let Some((_, lines)) = EXAMPLES.iter().find(|(name, _)| *name == path) else {
            return command;
        };
        let mut help = format!("Examples:\n  {}", lines.join("\n  "));
        if let Some(end) = command.get_after_help() {
            help = format!("{help}\n\n{end}");
        }
        command.after_help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::program;

    /// The words of the first call of `setpoint` in a line of a shell.
    fn words(line: &str) -> Vec<String> {
        let line = line.split("   #").next().unwrap().split("  #").next().unwrap();
        let from = line.find("setpoint ").filter(|_| !line.starts_with("kubectl"));
        let from = from.unwrap_or_else(|| line.find("-- setpoint ").unwrap() + 3);
        let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
        for c in line[from..].chars() {
            match (c, quote) {
                ('|' | '>' | ')', None) => break,
                (' ', None) => words.extend(Some(std::mem::take(&mut word))),
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    fn paths(command: &Command, parent: &str) -> Vec<String> {
        let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
        let path = |c: &Command| [parent, c.get_name()].join(" ").trim_start().to_owned();
        commands.flat_map(|c| [vec![path(c)], paths(c, &path(c))].concat()).collect()
    }

    #[test]
    fn every_command_has_examples_and_each_can_be_typed() {
        let all = paths(&program(), "");
        assert!(all.len() > 25, "{all:?}");
        for path in &all {
            assert!(EXAMPLES.iter().any(|(name, _)| name == path), "{path} has no examples");
        }
        for (path, lines) in EXAMPLES {
            assert!(all.iter().any(|known| known == path), "{path} is no command");
            for line in *lines {
                let words = words(line);
                let parsed = program().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{line}: {words:?}: {}", parsed.unwrap_err());
                let used = words[1..].join(" ");
                assert!(used.starts_with(path), "{line} is no example of {path}");
            }
        }
        let mut program = program();
        let help = program.find_subcommand_mut("plan").unwrap().render_long_help().to_string();
        assert!(help.contains("Examples:\n  setpoint plan --config setpoint.yaml\n"), "{help}");
        assert!(help.contains("\n\nExit codes: 0 nothing differs"), "{help}");
    }

    /// What is listed for programs is listed in both forms.
    #[test]
    fn where_there_is_json_there_is_yaml() {
        fn look(command: &Command, seen: &mut usize) {
            for arg in command
                .get_arguments()
                .filter(|arg| ["output", "format"].contains(&arg.get_id().as_str()))
            {
                let values: Vec<String> =
                    arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
                let has = |word: &str| values.iter().any(|value| value == word);
                // Of replay each evaluation is a line of its own.
                if has("json") && command.get_name() != "replay" {
                    assert!(has("yaml"), "{}: {values:?}", command.get_name());
                    *seen += 1;
                }
            }
            command.get_subcommands().for_each(|below| look(below, seen));
        }
        let mut seen = 0;
        look(&program(), &mut seen);
        assert!(seen >= 11, "{seen}");
    }
}
