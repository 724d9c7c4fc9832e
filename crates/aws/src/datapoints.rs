//! `GetMetricData`'s answers, read before the SDK reads them: a start of a few hundred variants is
//! tens of millions of datapoints, and the SDK makes an instant of nanoseconds of each timestamp and
//! two lists of each result. Here a datapoint goes from the bytes to its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_cloudwatch::types::StatusCode;
use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;

use setpoint_core::model::checks;
use setpoint_core::model::fact::{Why, WhyKind};
use setpoint_core::model::points::Points;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::{MetricAnswer, MetricQuery};

/// How many messages of one result are reported.
const MESSAGES_MAX: usize = 4;
/// The CBOR of a 64-bit float, of the end of a list without a length, and of tag 1, an instant
/// (RFC 8949).
const FLOAT_64: u8 = 0xFB;
const BREAK: u8 = 0xFF;
const INSTANT: u8 = 0xC1;
/// Seconds since the epoch beyond which no calendar goes: the year 200,000.
const SECONDS_MAX: f64 = 6e12;

/// Takes the datapoints out of the answers to one batch of queries.
#[derive(Debug, Clone)]
pub(super) struct Tap(Arc<Mutex<Merged>>);

impl Tap {
    /// For these queries over `[from, to)`.
    pub(super) fn new(queries: &[MetricQuery], from: Timestamp, to: Timestamp) -> Self {
        let none = |query: &MetricQuery| Answer {
            points: Points::none(from, to, query.period_seconds),
            answered: false,
            status: None,
            messages: Vec::new(),
            nonsense: None,
        };
        let answers = queries.iter().map(none).collect();
        Self(Arc::new(Mutex::new(Merged { answers, page: None })))
    }

    fn merged(&self) -> MutexGuard<'_, Merged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the page that has just been received.
    pub(super) fn page(&self) -> Result<(), String> {
        self.merged().page.take().unwrap_or_else(|| Err("no MetricDataResults".to_owned()))
    }

    /// The answer to each query. A listing that did not end left the rest of its pages unread.
    pub(super) fn answers(&self, listing_ended: bool) -> Vec<MetricAnswer> {
        let answers = std::mem::take(&mut self.merged().answers);
        answers.into_iter().map(|answer| answer.reported(listing_ended)).collect()
    }
}

impl Intercept for Tap {
    fn name(&self) -> &'static str {
        "datapoints"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if !response.status().is_success() {
            return Ok(());
        }
        let Some(body) = response.body().bytes() else { return Ok(()) };
        let mut merged = self.merged();
        match merged.take(body) {
            Ok(next) => {
                *response.body_mut() = SdkBody::from(rest(next.as_deref()));
                merged.page = Some(Ok(()));
            }
            // The SDK has the last word on what is no answer at all.
            Err(what) => merged.page = Some(Err(what)),
        }
        Ok(())
    }
}

/// What is left for the SDK: the token of the next page.
fn rest(next: Option<&str>) -> Vec<u8> {
    let mut body = Encoder::new(Vec::new());
    body.begin_map();
    if let Some(token) = next {
        body.str("NextToken").str(token);
    }
    body.end();
    body.into_writer()
}

/// The results of all pages so far, by the number of their query.
#[derive(Debug)]
struct Merged {
    answers: Vec<Answer>,
    /// What became of the newest page.
    page: Option<Result<(), String>>,
}

#[derive(Debug)]
struct Answer {
    points: Points,
    answered: bool,
    status: Option<StatusCode>,
    messages: Vec<String>,
    /// What is wrong with a datapoint, if anything: the other queries are none the worse for it.
    nonsense: Option<String>,
}

/// One result of a page; its lists are used for the next one as well.
#[derive(Debug, Default)]
struct Found {
    id: Option<String>,
    status: Option<StatusCode>,
    messages: Vec<String>,
    seconds: Vec<i64>,
    values: Vec<f64>,
}

impl Merged {
    /// Takes a page in; answers with the token of the next one.
    fn take(&mut self, body: &[u8]) -> Result<Option<String>, String> {
        let mut page = Page { input: Decoder::new(body), bytes: body };
        let (mut next, mut results) = (None, false);
        let mut found = Found::default();
        page.members(|page, key| match key {
            "MetricDataResults" => {
                results = true;
                page.items(|page| {
                    found.clear();
                    page.result(&mut found)?;
                    self.add(&mut found).map_err(|what| page.error(what))
                })
            }
            "NextToken" => page.text().map(|token| next = Some(token)),
            _ => page.skip(),
        })
        .map_err(|error| error.to_string())?;
        if page.input.position() != body.len() {
            return Err("more bytes than an answer".to_owned());
        }
        if results { Ok(next) } else { Err("no MetricDataResults".to_owned()) }
    }

    fn add(&mut self, found: &mut Found) -> Result<(), &'static str> {
        let Some(id) = &found.id else { return Err("a result without an id") };
        if found.seconds.len() != found.values.len() {
            return Err("a result with more timestamps than values, or fewer");
        }
        // A result to something that was not asked is nobody's.
        let index = id.strip_prefix('q').and_then(|index| index.parse::<usize>().ok());
        let Some(answer) = index.and_then(|index| self.answers.get_mut(index)) else {
            return Ok(());
        };
        answer.answered = true;
        if let Some(why) = found.values.iter().find_map(|value| checks::datapoint(*value).err()) {
            answer.nonsense.get_or_insert(why);
        }
        answer.points.set_all(found.seconds.iter().copied().zip(found.values.iter().copied()));
        // A status of an earlier page (`PartialData`) is overtaken by a later one.
        answer.status = found.status.take().or(answer.status.take());
        answer.messages.append(&mut found.messages);
        Ok(())
    }
}

impl Answer {
    /// The answer to a query: a series that AWS never called complete is not one.
    fn reported(self, listing_ended: bool) -> MetricAnswer {
        if !self.answered {
            return Err(Why::new(WhyKind::Incomplete, "CloudWatch did not answer the query"));
        }
        let said = |what: &str| {
            let said = checks::text(&self.messages.join("; "));
            if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") }
        };
        if let Some(nonsense) = &self.nonsense {
            let message = format!("CloudWatch answered nonsense: {nonsense}");
            return Err(Why::new(WhyKind::Garbage, message));
        }
        let (kind, sentence) = match &self.status {
            Some(StatusCode::Complete) => return Ok(self.points),
            Some(StatusCode::PartialData) if listing_ended => {
                (WhyKind::Incomplete, "CloudWatch answered with partial data")
            }
            Some(StatusCode::PartialData) => {
                (WhyKind::Incomplete, "CloudWatch did not come to an end")
            }
            Some(StatusCode::Forbidden) => (WhyKind::Denied, "CloudWatch denied the metric"),
            Some(StatusCode::InternalError) => {
                (WhyKind::Transient, "CloudWatch failed on the metric")
            }
            other => {
                let word = other.as_ref().map_or("no status", StatusCode::as_str);
                let sentence = said(&format!("CloudWatch answered {word}"));
                return Err(Why::new(WhyKind::Garbage, sentence));
            }
        };
        Err(Why::new(kind, said(sentence)))
    }
}

impl Found {
    fn clear(&mut self) {
        (self.id, self.status) = (None, None);
        self.messages.clear();
        self.seconds.clear();
        self.values.clear();
    }
}

struct Page<'a> {
    input: Decoder<'a>,
    bytes: &'a [u8],
}

type Read<T> = Result<T, DeserializeError>;

impl Page<'_> {
    fn error(&self, what: &'static str) -> DeserializeError {
        DeserializeError::custom(what, self.input.position())
    }

    fn skip(&mut self) -> Read<()> {
        self.input.skip()
    }

    fn text(&mut self) -> Read<String> {
        self.input.str().map(std::borrow::Cow::into_owned)
    }

    /// Whether a list or map of a stated length, or of none, goes on.
    fn goes_on(&mut self, left: &mut Option<u64>) -> Read<bool> {
        if let Some(left) = left {
            let more = *left > 0;
            *left = left.saturating_sub(1);
            return Ok(more);
        }
        let ends = self.input.datatype()? == Type::Break;
        if ends {
            self.skip()?;
        }
        Ok(!ends)
    }

    fn items(&mut self, mut each: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        let mut left = self.input.list()?;
        while self.goes_on(&mut left)? {
            each(self)?;
        }
        Ok(())
    }

    /// The members of a map that are not null.
    fn members(&mut self, mut each: impl FnMut(&mut Self, &str) -> Read<()>) -> Read<()> {
        let mut left = self.input.map()?;
        while self.goes_on(&mut left)? {
            let key = self.input.str()?;
            if self.input.datatype()? == Type::Null {
                self.input.null()?;
            } else {
                each(self, &key)?;
            }
        }
        Ok(())
    }

    fn result(&mut self, into: &mut Found) -> Read<()> {
        self.members(|page, key| {
            match key {
                "Id" => into.id = Some(page.text()?),
                "StatusCode" => into.status = Some(StatusCode::from(page.text()?.as_str())),
                "Timestamps" => return page.each(&mut into.seconds, Self::instant),
                "Values" => return page.each(&mut into.values, Self::number),
                "Messages" => return page.items(|page| page.message(&mut into.messages)),
                _ => return page.skip(),
            }
            Ok(())
        })
    }

    fn message(&mut self, into: &mut Vec<String>) -> Read<()> {
        self.members(|page, key| match key {
            "Value" if into.len() < MESSAGES_MAX => page.text().map(|text| into.push(text)),
            _ => page.skip(),
        })
    }

    /// All items of a list of numbers, without a look at the type of each where it is the usual one.
    fn each<T>(
        &mut self,
        into: &mut Vec<T>,
        read: impl Fn(&mut Self, usize) -> Read<T>,
    ) -> Read<()> {
        let mut left = self.input.list()?;
        loop {
            let at = self.input.position();
            match &mut left {
                Some(0) => return Ok(()),
                Some(left) => *left -= 1,
                None if self.bytes.get(at) == Some(&BREAK) => {
                    self.input.set_position(at + 1);
                    return Ok(());
                }
                None => {}
            }
            let item = read(self, at)?;
            into.push(item);
        }
    }

    fn number(&mut self, at: usize) -> Read<f64> {
        match self.float_64(at) {
            Some(value) => Ok(value),
            None => self.input.double(),
        }
    }

    /// Seconds since the epoch.
    fn instant(&mut self, at: usize) -> Read<i64> {
        let usual = self.bytes.get(at) == Some(&INSTANT);
        let seconds = match usual.then(|| self.float_64(at + 1)).flatten() {
            Some(seconds) if seconds.abs() < SECONDS_MAX => return Ok(seconds.floor() as i64),
            Some(_) => return Err(self.error("a timestamp beyond all calendars")),
            None => self.input.timestamp()?.secs(),
        };
        if (seconds as f64).abs() < SECONDS_MAX {
            Ok(seconds)
        } else {
            Err(self.error("a timestamp beyond all calendars"))
        }
    }

    fn float_64(&mut self, at: usize) -> Option<f64> {
        let item: &[u8; 9] = self.bytes.get(at..)?.first_chunk()?;
        let [FLOAT_64, value @ ..] = item else { return None };
        self.input.set_position(at + 9);
        Some(f64::from_be_bytes(*value))
    }
}
