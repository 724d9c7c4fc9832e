//! Takes out of a layer what the schema does not allow, so that everything else of it can still be
//! checked: all problems come at once, whichever stage finds them.

use config::{Map, Value as Loaded, ValueKind};
use serde_json::Value;

use super::schema::{Step, key_path, node_at};

/// Takes the place of a target's name that was not understood. No endpoint can have it.
pub(super) const STAND_IN: &str = "-";

/// What was taken out, so that nothing is said of its absence.
#[derive(Debug, Clone, Default)]
pub(super) struct UnreadableKeys {
    /// The layer's name for targets, whose places are those of one file; and the key path.
    paths: Vec<(Option<String>, String)>,
    /// Whether a whole layer could not be read: what is missing may be in it.
    pub(super) layer_missing: bool,
}

impl UnreadableKeys {
    fn add(&mut self, file: &str, path: &[Step]) {
        let of_targets = matches!(path, [Step::Key(list), _, ..] if list == "targets");
        self.paths.push((of_targets.then(|| file.to_owned()), key_path(path)));
    }

    /// Whether nothing can be said of a key: it, something in it or the section around it was taken out.
    pub(super) fn touches(&self, file: &str, key: &str) -> bool {
        self.paths.iter().any(|(of, path)| {
            of.as_ref().is_none_or(|of| of == file) && (within(path, key) || within(key, path))
        })
    }

    /// Whether anything of this target was taken out.
    pub(super) fn touches_target(&self, file: &str, index: usize) -> bool {
        self.touches(file, &format!("targets[{index}]"))
    }

    /// Whether a rule names a key that was taken out, so that it was checked with another value.
    pub(super) fn named_in(&self, file: &str, rule: &str) -> bool {
        self.paths.iter().filter(|(of, _)| of.as_ref().is_none_or(|of| of == file)).any(
            |(_, path)| {
                let key = path.split_once("].").map_or(path.as_str(), |(_, key)| key);
                // A bare word such as `log` may mean anything.
                key.contains(['.', '_']) && rule.contains(key)
            },
        )
    }
}

/// Whether `inner` is `outer` or below it.
fn within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Takes the value at each of `paths` out of a table. What cannot be without it goes with it;
/// the name of a target gets a stand-in, so that the rest of the target can be checked.
pub(super) fn prune(
    table: &mut Map<String, Loaded>,
    file: &str,
    paths: &[Vec<Step>],
    spoiled: &mut UnreadableKeys,
) {
    for path in paths.iter().filter(|path| !path.is_empty()) {
        spoiled.add(file, path);
        let mut at = path.clone();
        loop {
            if let [Step::Key(list), Step::Index(_), Step::Key(name)] = at.as_slice()
                && list == "targets"
                && (name == "endpoint" || name == "variant")
            {
                put(table, &at, Some(ValueKind::String(STAND_IN.to_owned())));
                break;
            }
            match at.as_slice() {
                [.., Step::Key(key)] if is_required(&at, key) => {
                    at.pop();
                }
                // Places in the list of targets are reported: those behind it keep theirs.
                [Step::Key(list), Step::Index(_)] if list == "targets" => {
                    put(table, &at, Some(ValueKind::Nil));
                    break;
                }
                [.., Step::Index(_)] => {
                    at.pop();
                }
                _ => {
                    put(table, &at, None);
                    break;
                }
            }
        }
        spoiled.add(file, &at);
    }
}

fn is_required(path: &[Step], key: &str) -> bool {
    let parent = node_at(&path[..path.len() - 1]);
    let required = parent.and_then(|node| node.get("required")).and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|name| name == key))
}

/// Puts a value at a path, or takes the one there out.
fn put(table: &mut Map<String, Loaded>, path: &[Step], value: Option<ValueKind>) {
    let [Step::Key(key), rest @ ..] = path else { return };
    if !rest.is_empty() {
        if let Some(next) = table.get_mut(key) {
            put_below(next, rest, value);
        }
        return;
    }
    match value {
        Some(kind) => {
            // A key that is missing is where its neighbours are.
            let origin = table.get(key).or_else(|| table.values().next());
            let origin = origin.and_then(|at| at.origin().map(str::to_owned));
            table.insert(key.clone(), Loaded::new(origin.as_ref(), kind));
        }
        None => {
            table.remove(key);
        }
    }
}

fn put_below(node: &mut Loaded, path: &[Step], value: Option<ValueKind>) {
    match (&mut node.kind, path) {
        (ValueKind::Table(map), [Step::Key(_), ..]) => put(map, path, value),
        (ValueKind::Array(items), [Step::Index(i), rest @ ..]) => {
            let Some(item) = items.get_mut(*i) else { return };
            if rest.is_empty() {
                item.kind = value.unwrap_or(ValueKind::Nil);
            } else {
                put_below(item, rest, value);
            }
        }
        _ => {}
    }
}
