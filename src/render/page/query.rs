//! What is asked of the fleet's page: filters, order and page, all of them in the URL.

use std::fmt::Write as _;

use crate::model::estimate::Finding;
use crate::model::goal::Mode;
use crate::model::reason::Reason;
use crate::model::safety::Safety;
use crate::model::status::VariantStatus;
use crate::render::Standing;

/// The word for all states that are known to be unsafe.
pub const UNSAFE: &str = "unsafe";

/// By which column the rows are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    /// What is unsafe, then what is not known, then what else was found.
    #[default]
    Worst,
    /// The endpoint and variant.
    Name,
    /// Configured over safe.
    Divergence,
    /// The value in force.
    Configured,
    Safe,
    /// Load of one instance.
    Load,
    Instances,
    /// The age of the newest datapoint.
    Telemetry,
    /// The last write.
    Written,
    /// Dollars a month at stake.
    Money,
}

impl SortKey {
    pub const ALL: [Self; 10] = [
        Self::Worst,
        Self::Name,
        Self::Divergence,
        Self::Configured,
        Self::Safe,
        Self::Load,
        Self::Instances,
        Self::Telemetry,
        Self::Written,
        Self::Money,
    ];

    /// The word in the URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Name => "name",
            Self::Divergence => "divergence",
            Self::Configured => "configured",
            Self::Safe => "safe",
            Self::Load => "load",
            Self::Instances => "instances",
            Self::Telemetry => "telemetry",
            Self::Written => "written",
            Self::Money => "money",
        }
    }

    /// Whether a first click shows the largest first: of numbers that is what people look for.
    const fn begins_descending(self) -> bool {
        !matches!(self, Self::Worst | Self::Name)
    }
}

/// The order of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Whether the largest, newest or last comes first.
    pub descending: bool,
}

impl Sort {
    /// The order that a click on a column's head leads to.
    pub(super) fn clicked(self, key: SortKey) -> Self {
        if self.key == key {
            Self { key, descending: !self.descending }
        } else {
            Self { key, descending: key.begins_descending() }
        }
    }

    fn word(self) -> String {
        let sign = if self.descending { "-" } else { "" };
        format!("{sign}{}", self.key.as_str())
    }
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetQuery {
    /// A part of `account/region/endpoint/variant`, in any case.
    pub text: String,
    /// Only of this standing.
    pub standing: Option<Standing>,
    /// Only of this state of the second axis, or [`UNSAFE`].
    pub safety: Option<&'static str>,
    /// Only with this finding or note.
    pub finding: Option<&'static str>,
    /// Only in this mode.
    pub mode: Option<Mode>,
    /// Only of this account.
    pub account: String,
    /// Only of this region.
    pub region: String,
    /// The order.
    pub sort: Sort,
    /// Which page, from 1.
    pub page: usize,
}

/// The parameters as they are in a URL. Empty is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawQuery {
    /// A part of a name.
    pub q: String,
    pub standing: String,
    pub safety: String,
    pub finding: String,
    pub mode: String,
    pub account: String,
    pub region: String,
    /// The order.
    pub sort: String,
    /// Which page, from 1.
    pub page: String,
}

impl FleetQuery {
    /// Reads the parameters of a URL.
    ///
    /// # Errors
    /// A sentence about the first value that is not one of those there are.
    pub fn parse(raw: RawQuery) -> Result<Self, String> {
        let standings = Standing::ALL.map(|standing| (standing.as_str(), standing));
        let modes = Mode::ALL.map(|mode| (mode.as_str(), mode));
        let (descending, key) = match raw.sort.strip_prefix('-') {
            Some(key) => (true, key),
            None => (false, raw.sort.as_str()),
        };
        let keys = SortKey::ALL.map(|key| (key.as_str(), key));
        let sort = Sort { key: one_of("sort", key, keys)?.unwrap_or_default(), descending };
        let same = |word: &'static str| (word, word);
        Ok(Self {
            standing: one_of("standing", &raw.standing, standings)?,
            safety: one_of(
                "safety",
                &raw.safety,
                std::iter::once(UNSAFE).chain(Safety::WORDS).map(same),
            )?,
            finding: one_of("finding", &raw.finding, finding_words().map(same))?,
            mode: one_of("mode", &raw.mode, modes)?,
            page: match raw.page.as_str() {
                "" => 1,
                page => page.parse().ok().filter(|page| *page >= 1).ok_or_else(|| {
                    format!("query: page {page:?} is not a whole number from 1 on")
                })?,
            },
            text: raw.q,
            account: raw.account,
            region: raw.region,
            sort,
        })
    }

    /// Whether a variant is among those asked for.
    pub fn keeps(&self, status: &VariantStatus) -> bool {
        let (id, report) = (&status.snapshot.id, &status.decision.report);
        let wanted = self.text.trim();
        self.standing.is_none_or(|standing| standing == Standing::of(report))
            && self.safety.is_none_or(|safety| match safety {
                UNSAFE => report.is_unsafe(),
                safety => report.safety.state.as_str() == safety,
            })
            && self.finding.is_none_or(|finding| findings(status).any(|found| found == finding))
            && self.mode.is_none_or(|mode| mode == report.mode)
            && (self.account.is_empty() || self.account == id.account_id.as_str())
            && (self.region.is_empty() || self.region == id.region.as_str())
            && (wanted.is_empty() || id.to_string().to_lowercase().contains(&wanted.to_lowercase()))
    }

    /// Whether anything is left out.
    pub fn filters(&self) -> bool {
        let all = Self { sort: self.sort, page: self.page, ..Self::default() };
        *self != all
    }

    /// The same without filters.
    pub(super) fn unfiltered(&self) -> Self {
        Self { sort: self.sort, page: 1, ..Self::default() }
    }

    /// The query string, with its `?`; empty when nothing is asked for.
    pub(super) fn to_url(&self) -> String {
        let sort = if self.sort == Sort::default() { String::new() } else { self.sort.word() };
        let page = if self.page > 1 { self.page.to_string() } else { String::new() };
        let mut url = String::new();
        for (name, value) in [
            ("q", self.text.as_str()),
            ("standing", self.standing.map_or("", Standing::as_str)),
            ("safety", self.safety.unwrap_or_default()),
            ("finding", self.finding.unwrap_or_default()),
            ("mode", self.mode.map_or("", Mode::as_str)),
            ("account", self.account.as_str()),
            ("region", self.region.as_str()),
            ("sort", sort.as_str()),
            ("page", page.as_str()),
        ] {
            if !value.is_empty() {
                url.push(if url.is_empty() { '?' } else { '&' });
                let _ = write!(url, "{name}={}", encoded(value));
            }
        }
        url
    }

    /// The word of the order, for a form that keeps it.
    pub(super) fn sort_word(&self) -> Option<String> {
        (self.sort != Sort::default()).then(|| self.sort.word())
    }
}

/// All words that a finding or note of a variant goes by here.
pub(super) fn finding_words() -> impl Iterator<Item = &'static str> {
    let notes = Reason::ALL.iter().copied().filter(|reason| reason.class().is_in_plan());
    Finding::ALL.into_iter().map(Finding::as_str).chain(notes.map(Reason::as_str))
}

/// What was found about a variant, each word once: what the estimator found, and the notes that a plan
/// reports.
pub(super) fn findings(status: &VariantStatus) -> impl Iterator<Item = &'static str> + '_ {
    let report = &status.decision.report;
    let notes = report.notes.iter().map(|note| note.reason);
    let notes = notes.filter(|reason| reason.class().is_in_plan());
    let all = report.estimate.findings.iter().map(|finding| finding.as_str());
    let mut seen: Vec<&'static str> = Vec::new();
    all.chain(notes.map(Reason::as_str)).filter(move |word| {
        let new = !seen.contains(word);
        seen.push(word);
        new
    })
}

fn one_of<T>(
    name: &str,
    found: &str,
    allowed: impl IntoIterator<Item = (&'static str, T)>,
) -> Result<Option<T>, String> {
    if found.is_empty() {
        return Ok(None);
    }
    let mut words = Vec::new();
    for (word, value) in allowed {
        if word == found {
            return Ok(Some(value));
        }
        words.push(word);
    }
    Err(format!("query: {name} {found:?} is not one of {}", words.join(", ")))
}

/// A value as it may stand in a query string (RFC 3986: the unreserved characters as they are).
fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_all_of_a_query() {
        assert_eq!(FleetQuery { page: 1, ..FleetQuery::default() }.to_url(), "");
        let query = FleetQuery {
            text: "a b&c=\"<é".to_owned(),
            standing: Some(Standing::Held),
            safety: Some(UNSAFE),
            finding: Some("over"),
            mode: Some(Mode::Auto),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            sort: Sort { key: SortKey::Divergence, descending: true },
            page: 3,
        };
        let url = query.to_url();
        assert_eq!(
            url,
            "?q=a%20b%26c%3D%22%3C%C3%A9&standing=held&safety=unsafe&finding=over&mode=auto\
             &account=123456789012&region=eu-west-1&sort=-divergence&page=3"
        );
        let raw = RawQuery {
            q: "a b&c=\"<é".to_owned(),
            standing: "held".to_owned(),
            safety: "unsafe".to_owned(),
            finding: "over".to_owned(),
            mode: "auto".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            sort: "-divergence".to_owned(),
            page: "3".to_owned(),
        };
        assert_eq!(FleetQuery::parse(raw), Ok(query));
    }

    #[test]
    fn a_word_that_is_none_is_refused_with_those_there_are() {
        let parse = |raw| FleetQuery::parse(raw).unwrap_err();
        assert_eq!(
            parse(RawQuery { mode: "bold".to_owned(), ..RawQuery::default() }),
            "query: mode \"bold\" is not one of observe, repair, auto"
        );
        for page in ["0", "-1", "x", "1.5"] {
            let error = parse(RawQuery { page: page.to_owned(), ..RawQuery::default() });
            assert_eq!(error, format!("query: page {page:?} is not a whole number from 1 on"));
        }
    }

    #[test]
    fn a_second_click_turns_the_order_round() {
        let sort = Sort::default().clicked(SortKey::Divergence);
        assert_eq!(sort.word(), "-divergence");
        assert_eq!(sort.clicked(SortKey::Divergence).word(), "divergence");
        assert_eq!(sort.clicked(SortKey::Name).word(), "name");
    }
}
