//! What the process makes of what it finds in tags.

use super::*;

const ARN: &str = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/0a";

fn at(minute: i64) -> Timestamp {
    chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn found(generation: u64, highest_applied: f64) -> Found {
    let highest_applied = Some(highest_applied);
    Found { generation, memory: VariantMemory { highest_applied, ..VariantMemory::default() } }
}

fn known() -> TagRecord {
    let mut known = TagRecord::default();
    known.take_over(ARN, Some(found(3, 600.0)), at(0));
    known.tagged_at = Some(at(0));
    known.memory.adopted = true;
    known.memory.since = Some(at(0));
    known
}

#[test]
fn tags_that_are_late_do_not_take_back_what_is_known() {
    let mut late = known();
    for older in [found(3, 1.0), found(2, 1.0)] {
        late.take_over(ARN, Some(older), at(9));
        assert_eq!((late.memory.highest_applied, late.generation), (Some(600.0), 3));
    }
    late.take_over(ARN, None, at(1));
    assert!(late.memory.adopted, "written a minute ago: not shown yet");
    late.take_over(ARN, Some(found(4, 700.0)), at(2));
    assert_eq!((late.memory.highest_applied, late.generation), (Some(700.0), 4));
}

#[test]
fn tags_that_are_gone_leave_only_what_holds_writes_back() {
    let pause = crate::model::goal::Pause { until: at(99), reason: "a test".into() };
    let forgetting: [fn(&mut TagRecord); 3] = [
        |known| known.take_over(ARN, None, at(10)),
        |known| known.take_over("another target's", None, at(1)),
        TagRecord::lose_target,
    ];
    for forget in forgetting {
        let mut known = known();
        known.memory.pause = Some(pause.clone());
        known.memory.raises_held_until = Some(at(50));
        forget(&mut known);
        let VariantMemory { since, adopted, highest_applied, .. } = known.memory;
        assert_eq!((since, adopted, highest_applied), (None, false, None));
        assert_eq!(known.memory.pause, Some(pause.clone()));
        assert_eq!(known.memory.raises_held_until, Some(at(50)));
        assert_eq!((known.tagged, known.generation), (None, 0));
    }
}

#[test]
fn a_pause_that_had_no_tags_to_go_to_is_not_lost_when_there_are_some() {
    let pause = crate::model::goal::Pause { until: at(99), reason: "a test".into() };
    let mut known = TagRecord::default();
    known.memory.pause = Some(pause.clone());
    known.take_over(ARN, Some(found(3, 600.0)), at(0));
    assert_eq!(
        (known.memory.pause.clone(), known.memory.highest_applied),
        (Some(pause), Some(600.0))
    );
    assert_eq!(known.change(), Change::News, "it is still to be written");
}
