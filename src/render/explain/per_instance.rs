//! What the instances of a variant showed one by one, where somebody looks at them.

use crate::model::fact::Fact;
use crate::model::snapshot::Snapshot;

/// So many instances are listed: those that broke the objective most often, then the busiest.
const LISTED: usize = 12;

pub(super) fn sentences(snapshot: &Snapshot) -> Vec<String> {
    let seen = match snapshot.instances.as_deref() {
        None => return Vec::new(),
        Some(Fact::Unknown(why)) => {
            return vec![format!("the instances could not be looked at: {}", why.message)];
        }
        Some(Fact::Known(seen)) => seen,
    };
    let (from, to) = (seen.from.format("%FT%RZ"), seen.to.format("%RZ"));
    let mut told = vec![format!("{} served between {from} and {to}", count(seen.instances.len()))];
    if seen.not_read > 0 {
        let others = count(seen.not_read);
        told.push(format!("{others} more are listed and come next time: 50 are read at a time"));
    }
    told.extend(seen.uneven_sentence());
    match (seen.not_compared, seen.slow.as_slice()) {
        (Some(why), _) => told.push(format!("they are not compared with each other: {why}")),
        (None, []) => told.push(
            "none of them is slow: at equal load their median latencies differ by less than x1.3"
                .to_owned(),
        ),
        (None, slow) => told.extend(slow.iter().map(|slow| slow.evidence(seen))),
    }
    let mut rows: Vec<_> = seen.instances.iter().collect();
    rows.sort_by(|a, b| b.broken.cmp(&a.broken).then(b.invocations.total_cmp(&a.invocations)));
    told.extend(rows.iter().take(LISTED).map(|row| row.words(seen)));
    if rows.len() > LISTED {
        told.push(format!("{} more broke it no more often", count(rows.len() - LISTED)));
    }
    told
}

fn count(instances: usize) -> String {
    if instances == 1 { "1 instance".to_owned() } else { format!("{instances} instances") }
}
