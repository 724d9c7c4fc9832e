//! What instances cost: stated, or in a file of its own. No price is ever assumed.

use std::collections::BTreeMap;
use std::path::Path;

use super::raw::{Raw, RawPrices};
use super::resolve::Resolver;
use super::yaml::{self, Kind, Node};

/// The largest file: every instance type there is, many times over.
const MAX_BYTES: u64 = 1 << 20;

/// Parses `prices`.
pub(super) fn resolve_prices(r: &mut Resolver<'_>, raw: &Raw) -> BTreeMap<String, f64> {
    match &raw.prices {
        None => BTreeMap::new(),
        Some(RawPrices::Map(map)) => {
            let wrong = map.iter().filter(|(_, price)| !is_price(**price));
            for (name, price) in wrong {
                let found = format!("{price} for {name}");
                r.problem("prices", &found, "dollars an hour, a number above 0");
            }
            map.clone()
        }
        Some(RawPrices::File(path)) => match prices_of_file(Path::new(path)) {
            Ok(prices) => prices,
            Err(found) => {
                r.problem("prices", &found, "a YAML file of instance types and dollars an hour");
                BTreeMap::new()
            }
        },
    }
}

/// Reads a file of prices: `ml.c5.xlarge: 0.204`, a line each.
///
/// # Errors
/// A sentence, with the line.
pub fn prices_of_file(path: &Path) -> Result<BTreeMap<String, f64>, String> {
    let name = path.display();
    let read = std::fs::metadata(path).and_then(|found| {
        if found.len() > MAX_BYTES {
            return Err(std::io::Error::other("it has more than 1 MiB"));
        }
        std::fs::read_to_string(path)
    });
    let text = read.map_err(|error| format!("{name}, which cannot be read: {error}"))?;
    let at = |line: u64| format!("{name}:{line}");
    let node = yaml::parse(&text).map_err(|error| {
        let place = error.line.map_or_else(|| name.to_string(), at);
        format!("{place}: {}", error.message)
    })?;
    let Kind::Table(entries) = node.kind else {
        return Err(format!("{name} is not a map: each line is `INSTANCE_TYPE: DOLLARS_AN_HOUR`"));
    };
    let mut prices = BTreeMap::new();
    for (instance_type, line, node) in entries {
        let price = number(&node).filter(|price| is_price(*price));
        let price =
            price.ok_or_else(|| format!("{}: no number above 0 for {instance_type}", at(line)))?;
        prices.insert(instance_type, price);
    }
    Ok(prices)
}

fn number(node: &Node) -> Option<f64> {
    match node.kind {
        Kind::Int(number) => Some(number as f64),
        Kind::Float(number) => Some(number),
        _ => None,
    }
}

fn is_price(price: f64) -> bool {
    price.is_finite() && price > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_prices_is_read_and_what_is_wrong_has_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prices.yaml");
        std::fs::write(&path, "# 2026-11-01\nml.c5.xlarge: 0.204\nml.p5.48xlarge: 113\n").unwrap();
        let prices = prices_of_file(&path).unwrap();
        assert_eq!(prices.get("ml.c5.xlarge"), Some(&0.204));
        assert_eq!(prices.get("ml.p5.48xlarge"), Some(&113.0));
        for (text, reported) in [
            ("ml.c5.xlarge: 0", "prices.yaml:1: no number above 0"),
            ("a: 1\nml.c5.xlarge: cheap", "prices.yaml:2: no number"),
            ("- 1", "is not a map"),
            ("a: [", "prices.yaml"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = prices_of_file(&path).unwrap_err();
            assert!(error.contains(reported), "{text}: {error}");
        }
        assert!(prices_of_file(&dir.path().join("none")).unwrap_err().contains("cannot be read"));
    }
}
