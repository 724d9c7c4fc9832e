//! The families of variants that are looked at more closely because the configuration asks for it: one by one
//! by their instances, and by probes.

use super::{Writer, families};
use crate::metrics::digits::timestamp;
use crate::model::fact::Fact;
use crate::model::status::VariantStatus;

pub(super) fn write_instances(out: &mut Writer<'_>, status: &VariantStatus) {
    let seen = status.snapshot.instances.as_deref().and_then(Fact::known);
    let Some(seen) = seen else { return };
    let slow = seen.not_compared.is_none().then_some(seen.slow.len() as f64);
    out.number(&families::SLOW_INSTANCES, &[], slow);
    out.measured(&families::UNEVEN_ROUTING, &[], seen.uneven_routing);
    out.number(&families::INSTANCES_READ, &[], Some(timestamp(seen.read_at)));
}

pub(super) fn write_probes(out: &mut Writer<'_>, status: &VariantStatus) {
    let Some(memory) = status.snapshot.remembered() else { return };
    let probes = &memory.probes;
    out.number(
        &families::PROBE_SINCE,
        &[],
        probes.under_way.map(|probe| timestamp(probe.began_at)),
    );
    let spent = probes.spent(status.decision.at) as f64;
    let spent = status.goal.probe.map(|goal| spent / goal.bad_minutes_per_week);
    out.number(&families::PROBE_SPENT, &[], spent);
}
