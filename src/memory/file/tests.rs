//! The file as memory: what is read of files that are old, new, damaged or somebody else's.

use super::*;
use crate::model::fact::Fact;
use crate::model::goal::Pause;
use crate::model::selector::Selector;
use crate::model::time::Timestamp;
use crate::system::Alone;

/// What happens to the text of a file.
type Change = fn(&str) -> String;

/// A file in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    memory: FileMemory,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = FileMemory::new(folder.path().join("memory.json"));
        Self { folder, memory }
    }

    fn with(content: impl AsRef<[u8]>) -> Self {
        let fixture = Self::new();
        std::fs::write(fixture.path(), content).unwrap();
        fixture
    }

    /// With `a`, `b` and `c` adopted, and `b` paused.
    async fn filled() -> Self {
        let fixture = Self::new();
        let pause = Some(Pause { until: at(), reason: "a test".to_owned() });
        for (endpoint, pause) in [("a", None), ("b", pause), ("c", None)] {
            fixture.save(endpoint, VariantMemory { pause, ..adopted() }).await.unwrap();
        }
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("memory.json")
    }

    fn beside(&self) -> PathBuf {
        self.folder.path().join("memory.json.set-aside")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// Changes the text of the file.
    fn damage(&self, change: impl Fn(&str) -> String) {
        std::fs::write(self.path(), change(&self.text())).unwrap();
    }

    async fn load(&self, endpoint: &str) -> std::result::Result<VariantMemory, String> {
        match self.memory.load(&[subject(endpoint)], false).await.remove(&id(endpoint)).unwrap() {
            Fact::Known(memory) => Ok(VariantMemory::clone(&memory)),
            Fact::Unknown(why) => Err(why.message),
        }
    }

    async fn save(
        &self,
        endpoint: &str,
        memory: VariantMemory,
    ) -> std::result::Result<(), MemoryError> {
        let keep = Keep { subject: subject(endpoint), memory: memory.into(), urgent: false };
        self.memory.save(&[keep], &Alone).await.remove(&id(endpoint)).map_or(Ok(()), Err)
    }
}

fn at() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn adopted() -> VariantMemory {
    VariantMemory { adopted: true, highest_applied: Some(600.25), ..VariantMemory::default() }
}

fn subject(endpoint: &str) -> Subject {
    Subject { id: id(endpoint), target: Fact::not_read_yet().into(), untouchable: None }
}

fn id(endpoint: &str) -> VariantId {
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        endpoint.parse().unwrap(),
        "AllTraffic".parse().unwrap(),
    )
}

#[tokio::test]
async fn a_file_keeps_what_another_save_put_there() {
    let fixture = Fixture::new();
    assert_eq!(fixture.load("a").await, Ok(VariantMemory::default()), "it need not exist");
    fixture.save("a", adopted()).await.unwrap();
    fixture.save("b", adopted()).await.unwrap();
    assert_eq!((fixture.load("a").await, fixture.load("b").await), (Ok(adopted()), Ok(adopted())));
    assert_eq!(fixture.memory.set_aside(), SetAside::default());
    // It is JSON for whoever looks with other tools, a line for each variant.
    let json: serde_json::Value = serde_json::from_str(&fixture.text()).unwrap();
    assert_eq!(json["variants"][1]["memory"]["adopted"], true);
    assert_eq!(fixture.text().lines().count(), 6, "{}", fixture.text());
}

#[tokio::test]
async fn a_number_that_json_has_not_fails_its_variant_and_no_other() {
    let fixture = Fixture::filled().await;
    let before = fixture.load("a").await;
    let infinite = VariantMemory { highest_applied: Some(f64::INFINITY), ..adopted() };
    let keep = |endpoint: &str, memory: &VariantMemory| Keep {
        subject: subject(endpoint),
        memory: memory.clone().into(),
        urgent: true,
    };
    let all = [keep("a", &infinite), keep("d", &adopted())];
    let failed = fixture.memory.save(&all, &Alone).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&id("a")], "{failed:?}");
    assert!(failed[&id("a")].message.contains("cannot be written down"));
    assert_eq!((fixture.load("a").await, fixture.load("d").await), (before, Ok(adopted())));
}

#[tokio::test]
async fn one_damaged_record_is_kept_beside_and_the_others_live() {
    let bend: [(&str, Change); 4] = [
        ("a digit", |text| text.replacen("600.25", "900.25", 1)),
        ("a null", |text| text.replacen("\"raises\":[]", "\"raises\":null", 1)),
        ("no JSON", |text| text.replacen("\"adopted\":true", "\"adopted\":tr", 1)),
        ("a name", |text| text.replacen("\"endpoint\":\"a\"", "\"endpoint\":\"-\"", 1)),
    ];
    for (what, change) in bend {
        let fixture = Fixture::filled().await;
        fixture.damage(change);
        let found = fixture.text();
        let b = fixture.load("b").await.unwrap();
        assert!(b.adopted && b.pause.is_some(), "{what}");
        let a = fixture.load("a").await.unwrap();
        assert_eq!((a.adopted, a.highest_applied), (false, None), "{what}: begins again");
        let told = fixture.memory.set_aside();
        assert_eq!(told.records, 1, "{what}");
        assert!(told.sentence.contains("memory.json.set-aside"), "{}", told.sentence);
        assert_eq!(fixture.text(), found, "{what}: to look changes nothing");
        assert!(!fixture.beside().exists(), "{what}");
        fixture.save("c", adopted()).await.unwrap();
        let beside = Aside::parse(&std::fs::read(fixture.beside()).unwrap());
        assert_eq!(beside.len(), 1, "{what}");
        assert!(found.contains(&beside[0].found) && beside[0].found.contains("\"memory\""));
        // Counted until a person has looked, by the next process too.
        let next = FileMemory::new(fixture.path());
        next.pauses().await.unwrap();
        assert_eq!((fixture.memory.set_aside().records, next.set_aside().records), (1, 1));
        std::fs::remove_file(fixture.beside()).unwrap();
        assert!(fixture.load("b").await.unwrap().adopted);
        assert_eq!(fixture.memory.set_aside().records, 0, "{what}");
    }
}

#[tokio::test]
async fn a_damaged_record_leaves_its_pause() {
    let fixture = Fixture::filled().await;
    fixture.damage(|text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[4] = lines[4].replace("600.25", "900.25");
        lines.join("\n")
    });
    let rest = |memory: VariantMemory| (memory.adopted, memory.pause.map(|pause| pause.reason));
    let expected = (false, Some("a test".to_owned()));
    assert_eq!(rest(fixture.load("b").await.unwrap()), expected);
    // After the record has been moved aside as well.
    fixture.save("a", adopted()).await.unwrap();
    assert_eq!(rest(fixture.load("b").await.unwrap()), expected);
    // Where the pause itself cannot be read there may have been one.
    fixture.damage(|text| text.replace("\"until\":\"2026-", "\"until\":\"never-"));
    let (_, reason) = rest(fixture.load("b").await.unwrap());
    assert!(reason.unwrap().contains("setpoint resume"));
}

#[tokio::test]
async fn a_file_that_ends_in_the_middle_is_read_up_to_there() {
    let fixture = Fixture::filled().await;
    let whole = fixture.text();
    let lines: Vec<&str> = whole.lines().collect();
    // After each byte of the last record: `a` and `b` live, and nothing of `c` is made up.
    let begin = whole.len() - lines[5].len() - lines[6..].concat().len() - 2;
    for end in (begin..whole.len() - 4).step_by(7) {
        std::fs::write(fixture.path(), &whole[..end]).unwrap();
        assert_eq!(fixture.load("a").await, Ok(adopted()), "{end}");
        assert!(fixture.load("b").await.unwrap().pause.is_some(), "{end}");
        assert!(!fixture.load("c").await.unwrap().adopted, "{end}");
        assert!(fixture.memory.pauses().await.unwrap().is_empty(), "{end}");
    }
    assert_eq!(fixture.memory.set_aside().records, 1);
}

#[tokio::test]
async fn pauses_that_cannot_be_read_hold_everything_until_they_are_ended() {
    let fixture = Fixture::filled().await;
    let mut pauses = Pauses::default();
    let pause = Pause { until: at(), reason: "sale".to_owned() };
    let of = Selector { endpoint: Some("a".parse().unwrap()), ..Selector::default() };
    pauses.add(of, pause, at() - chrono::TimeDelta::hours(1)).unwrap();
    fixture.memory.save_pauses(&pauses).await.unwrap();
    assert_eq!(fixture.memory.pauses().await.unwrap(), pauses);
    // A name that has been bent would hold another endpoint.
    for change in [
        |text: &str| text.replace("{\"endpoint\":\"a\"}", "{\"endpoint\":\"x\"}"),
        |text: &str| text.lines().take(1).collect(),
        |_: &str| "{\n  \"version\": 1,\n  \"variants\": [\n    {\n".to_owned(),
    ] {
        fixture.memory.save_pauses(&pauses).await.unwrap();
        fixture.damage(change);
        let held = fixture.memory.pauses().await.unwrap();
        let pause = held.of(&id("anything"), at()).expect("everything is held");
        assert!(pause.reason.contains("setpoint resume"), "{}", pause.reason);
        fixture.memory.save_pauses(&Pauses::default()).await.unwrap();
        assert!(fixture.memory.pauses().await.unwrap().is_empty());
    }
    assert_eq!(fixture.memory.set_aside().records, 3);
}

/// Who runs `apply` from a pipeline has no daemon to send `resume` to.
#[tokio::test]
async fn removing_what_was_set_aside_ends_a_pause_that_could_not_be_read() {
    let fixture = Fixture::filled().await;
    fixture.damage(|text| {
        text.replace("\"until\":\"2026-", "\"until\":\"never-")
            .replace("\"pauses\":{", "\"pauses\":{?")
    });
    let held = async || {
        let of_one = fixture.load("b").await.unwrap().pause.is_some();
        (of_one, !fixture.memory.pauses().await.unwrap().is_empty())
    };
    assert_eq!(held().await, (true, true), "nothing has been set aside yet");
    fixture.save("a", adopted()).await.unwrap();
    assert_eq!(held().await, (true, true), "set aside, and nobody has looked");
    std::fs::remove_file(fixture.beside()).unwrap();
    assert_eq!(held().await, (false, false));
}

#[tokio::test]
async fn older_and_newer_files_are_read() {
    let entry = |memory: &str| {
        format!(
            "{{\"account_id\":\"123456789012\",\"region\":\"us-east-1\",\"endpoint\":\"a\",\
             \"variant\":\"AllTraffic\",{memory}}}"
        )
    };
    let old = format!(
        "{{\n  \"version\": 1,\n  \"pauses\": [{{\"of\":{{}},\"until\":\"2026-12-01T08:00:00Z\",\
         \"reason\":\"sale\"}}],\n  \"variants\": [{}]}}",
        entry("\n\"memory\": {\"adopted\": true,\n \"highest_held\": 600.25}")
    );
    let fixture = Fixture::with(&old);
    assert_eq!(fixture.load("a").await, Ok(adopted()));
    assert!(fixture.memory.pauses().await.unwrap().of(&id("b"), at()).is_some());
    fixture.save("b", adopted()).await.unwrap();
    assert_eq!((fixture.load("a").await, fixture.load("b").await), (Ok(adopted()), Ok(adopted())));
    assert!(fixture.memory.pauses().await.unwrap().of(&id("b"), at()).is_some());
    assert_eq!(fixture.memory.set_aside().records, 0);

    let new = format!(
        "{{\"version\":9,\"cluster\":\"x\",\"variants\":[{}],\"pauses\":[]}}",
        entry("\"colour\":1,\"memory\":{\"adopted\":true,\"highest_applied\":600.25,\"mood\":[]}")
    );
    let fixture = Fixture::with(&new);
    assert_eq!(fixture.load("a").await, Ok(adopted()));
    fixture.save("b", adopted()).await.unwrap();
    assert_eq!(fixture.load("a").await, Ok(adopted()));
    // What the newer version knew is there when it comes back.
    let kept = fixture.folder.path().join("memory.json.version-9");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), new);
}

#[tokio::test]
async fn what_is_no_memory_of_ours_stays_as_it_is() {
    for text in ["{}", "[1]", "aws: {region: us-east-1}\n", "\u{7f}ELF"] {
        let fixture = Fixture::with(text);
        let why = fixture.load("a").await.unwrap_err();
        assert!(why.contains("not a memory of setpoint") && why.contains("memory.file"), "{why}");
        assert!(fixture.save("a", adopted()).await.is_err());
        assert!(fixture.memory.save_pauses(&Pauses::default()).await.is_err());
        assert_eq!(fixture.text(), text);
    }
}

/// Something emptied it (a full disk, a shell's `>`): what it held is gone, and nobody may take it
/// for a new one.
#[tokio::test]
async fn an_emptied_file_is_no_new_memory() {
    for text in ["", "\n", "\0\0\0\0"] {
        let fixture = Fixture::with(text);
        let why = fixture.load("a").await.unwrap_err();
        assert!(why.contains("it is empty") && why.contains("remove the file"), "{why}");
        assert!(fixture.memory.pauses().await.is_err());
        assert!(fixture.save("a", adopted()).await.is_err());
        assert_eq!(fixture.text(), text);
        std::fs::remove_file(fixture.path()).unwrap();
        fixture.save("a", adopted()).await.unwrap();
        assert_eq!(fixture.load("a").await, Ok(adopted()));
    }
}

#[tokio::test]
async fn a_pipe_is_an_error_at_once_and_a_folder_that_is_not_there_is_named() {
    let fixture = Fixture::new();
    assert!(std::process::Command::new("mkfifo").arg(fixture.path()).status().unwrap().success());
    assert!(fixture.load("a").await.unwrap_err().contains("a pipe"));
    let memory = FileMemory::new("/no/such/folder/memory.json");
    let keep = Keep { subject: subject("a"), memory: adopted().into(), urgent: true };
    let failed = memory.save(&[keep], &Alone).await;
    assert!(failed[&id("a")].to_string().contains("/no/such/folder"), "{failed:?}");
}

#[test]
fn no_more_is_kept_beside_than_a_person_can_look_at() {
    let aside = |n: usize| Aside { of: n.to_string(), why: String::new(), found: String::new() };
    let many: Vec<Aside> = (0..1500).map(aside).collect();
    let kept = Aside::parse(&Aside::add(&[], &many));
    assert_eq!((kept.len(), &*kept[0].of, &*kept[999].of), (1000, "500", "1499"));
    let more = Aside::add(&Aside::add(b"not a record\n", &many[..2]), &many[2..3]);
    assert_eq!(Aside::parse(&more).len(), 3);
}

#[tokio::test]
async fn what_cloudwatch_was_asked_for_is_kept_beside_the_variants() {
    let fixture = Fixture::filled().await;
    assert_eq!(fixture.memory.spending().await.unwrap(), Spending::default());
    let metrics = [("123456789012/us-east-1".to_owned(), 700)].into();
    let spending = Spending { month: "2026-11".to_owned(), metrics };
    fixture.memory.save_spending(&spending).await.unwrap();
    fixture.save("a", adopted()).await.unwrap();
    assert_eq!(fixture.memory.spending().await.unwrap(), spending);
    assert!(fixture.load("b").await.unwrap().pause.is_some(), "the rest is as it was");
    // A file that is cut off in the middle keeps it as it keeps whole entries.
    fixture.damage(|text| text[..text.len() - 10].to_owned());
    assert_eq!(fixture.memory.spending().await.unwrap(), spending);
    let fixture = Fixture::filled().await;
    fixture.memory.save_spending(&spending).await.unwrap();
    fixture.damage(|text| text.replace(":700", ":7"));
    assert_eq!(fixture.memory.spending().await.unwrap(), Spending::default());
    assert!(fixture.memory.set_aside().sentence.contains("checksum"), "and is said");
}

/// Each pass asks for all of it: of thousands of variants, a second copy is tens of MiB.
#[tokio::test]
async fn what_was_saved_or_read_is_held_once_until_the_file_is_another() {
    let fixture = Fixture::filled().await;
    let load = async || {
        let all = fixture.memory.load(&[subject("a")], false).await.remove(&id("a")).unwrap();
        all.known().unwrap().clone()
    };
    let own: Shared<VariantMemory> =
        VariantMemory { value_in_force: Some(7.0), ..adopted() }.into();
    let keep = Keep { subject: subject("a"), memory: own.clone(), urgent: false };
    assert!(fixture.memory.save(&[keep], &Alone).await.is_empty());
    assert!(load().await.is_one_with(&own));
    // What another process reads of it is the same, and held once too.
    let next = FileMemory::new(fixture.path());
    let first = next.load(&[subject("a")], false).await.remove(&id("a")).unwrap();
    let second = next.load(&[subject("a")], false).await.remove(&id("a")).unwrap();
    assert_eq!(first.known(), Some(&own));
    assert!(first.known().unwrap().is_one_with(second.known().unwrap()));
    // Text of the same length in its place, at once: it is read.
    fixture.damage(|text| text.replace("a test", "e test"));
    let paused = fixture.load("b").await.unwrap();
    assert_eq!(paused.pause.unwrap().reason, "e test");
    std::fs::remove_file(fixture.path()).unwrap();
    assert!(!load().await.adopted);
}

/// Whether writes may be made.
struct Leads(bool);

impl Leadership for Leads {
    fn may_write(&self) -> bool {
        self.0
    }
}

#[tokio::test]
async fn who_has_lost_leadership_saves_nothing() {
    let fixture = Fixture::new();
    let keep = Keep { subject: subject("a"), memory: adopted().into(), urgent: true };
    let failed = fixture.memory.save(std::slice::from_ref(&keep), &Leads(false)).await;
    assert_eq!(failed[&id("a")].message, LEADERSHIP_LOST);
    assert!(!fixture.path().exists());
    assert!(fixture.memory.save(&[keep], &Leads(true)).await.is_empty());
    assert!(fixture.load("a").await.unwrap().adopted);
}
