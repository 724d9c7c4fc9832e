//! The rows of a listing by variant, collected from page to page. What the last listing said as well is kept once as soon
//! as its page has come: a listing of thousands of variants takes many minutes, and its rows would be there twice.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::listings::{Answer, Parts};
use crate::model::fact::{Fact, Why};
use crate::model::ids::ResourceId;
use crate::model::listing::{Listing, Unreadable};
use crate::model::reads::Read;
use crate::model::shared::Shared;
use crate::ports::{PageSink, PortResult};

/// What a listing says of one variant, row by row.
pub(super) trait Part<R> {
    fn first(row: R) -> Self;
    fn add(&mut self, row: R);
    /// No more rows are expected, though some may come.
    fn settle(&mut self);
}

/// One row is all there is of it; of several the last counts.
impl<R> Part<R> for Option<R> {
    fn first(row: R) -> Self {
        Some(row)
    }

    fn add(&mut self, row: R) {
        *self = Some(row);
    }

    fn settle(&mut self) {}
}

impl<R> Part<R> for Vec<R> {
    fn first(row: R) -> Self {
        vec![row]
    }

    fn add(&mut self, row: R) {
        self.push(row);
    }

    fn settle(&mut self) {
        self.shrink_to_fit();
    }
}

/// A listing that is being read.
pub(super) struct Collected<R, T> {
    /// The variant that a row is of; rows of none are left out.
    of: fn(&R) -> Option<ResourceId>,
    /// What the last listing said.
    before: Option<Parts<T>>,
    parts: BTreeMap<ResourceId, Shared<Fact<T>>>,
    unreadable: Vec<Unreadable>,
}

impl<R, T> Collected<R, T> {
    pub(super) const fn new(of: fn(&R) -> Option<ResourceId>, before: Option<Parts<T>>) -> Self {
        Self { of, before, parts: BTreeMap::new(), unreadable: Vec::new() }
    }

    /// What came of it all.
    pub(super) fn answer(self, result: PortResult<()>, read: Read) -> Answer<T> {
        let mut unreadable = BTreeMap::new();
        let all = Fact::from(result).map(|()| {
            sort_out(self.unreadable, read, &mut unreadable);
            // A map that is built at once has full nodes; one that has grown has not.
            self.parts.into_iter().collect()
        });
        Answer { all, unreadable, read }
    }
}

impl<R, T: Part<R> + Clone + PartialEq> Collected<R, T> {
    fn add(&mut self, resource: &ResourceId, row: R) {
        if let Some(part) = self.parts.get_mut(resource) {
            // Rows of one variant may be on two pages, and the first of them kept once already.
            if let Fact::Known(part) = &mut **part {
                part.add(row);
            }
            return;
        }
        // The name is kept once, too: this listing has another copy of it.
        let before = self.before.as_ref().and_then(|before| before.get_key_value(resource));
        let name = before.map_or(resource, |(name, _)| name).clone();
        self.parts.insert(name, Fact::Known(T::first(row)).into());
    }

    fn settle(&mut self, resource: &ResourceId) {
        let Some(part) = self.parts.get_mut(resource) else { return };
        if let Some(before) = self.before.as_ref().and_then(|before| before.get(resource)) {
            part.share(before);
        }
        if let Some(Fact::Known(part)) = part.own() {
            part.settle();
        }
    }
}

impl<R: Send, T: Part<R> + Clone + PartialEq + Send + Sync> PageSink<R> for Collected<R, T> {
    fn page(&mut self, page: Listing<R>) {
        let (rows, unreadable) = page.into_parts();
        self.unreadable.extend(unreadable);
        let mut last: Option<ResourceId> = None;
        for row in rows {
            let Some(resource) = (self.of)(&row) else { continue };
            self.add(&resource, row);
            if let Some(done) = last.replace(resource.clone()).filter(|last| *last != resource) {
                self.settle(&done);
            }
        }
        if let Some(done) = last {
            self.settle(&done);
        }
    }

    fn start_over(&mut self) {
        self.parts.clear();
        self.unreadable.clear();
    }
}

/// Files rows that make no sense under what they are about. One that is about nobody is logged and left out.
pub(super) fn sort_out<K: FromStr + Ord>(
    rows: Vec<Unreadable>,
    read: Read,
    unreadable: &mut BTreeMap<K, Why>,
) {
    let mut nobodys = Vec::new();
    for row in rows {
        let about = row.about.as_ref().and_then(|about| about.parse().ok());
        match about {
            Some(about) => {
                unreadable.insert(about, row.to_why(read.operation()));
            }
            None => nobodys.push(row.why),
        }
    }
    if let Some(first) = nobodys.first() {
        let operation = read.operation();
        let skipped = nobodys.len();
        tracing::warn!(operation, skipped, first, "rows of a listing make no sense");
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    type Row = (&'static str, u8);
    type Rows = Collected<Row, Vec<Row>>;

    fn name(endpoint: &str) -> ResourceId {
        format!("endpoint/{endpoint}/variant/v").parse().unwrap()
    }

    fn of(row: &Row) -> Option<ResourceId> {
        (!row.0.is_empty()).then(|| name(row.0))
    }

    fn whole(mut collected: Rows, pages: &[&[Row]]) -> Parts<Vec<Row>> {
        for page in pages {
            collected.page(page.to_vec().into());
        }
        let answer = collected.answer(Ok(()), Read::new("List", DateTime::UNIX_EPOCH));
        answer.all.known().unwrap().clone()
    }

    fn part<'a>(all: &'a Parts<Vec<Row>>, endpoint: &str) -> &'a Shared<Fact<Vec<Row>>> {
        all.get(&name(endpoint)).unwrap()
    }

    #[test]
    fn what_the_last_listing_said_is_kept_once_also_where_a_page_ends_in_between() {
        let before = whole(Rows::new(of, None), &[&[("a", 1), ("b", 1), ("b", 2), ("c", 1)]]);
        let pages: [&[Row]; 3] = [&[("a", 1), ("b", 1)], &[("b", 2), ("", 9)], &[("c", 7)]];
        let after = whole(Rows::new(of, Some(before.clone())), &pages);
        assert_eq!(after.len(), 3, "a row of no variant is left out");
        for (endpoint, once) in [("a", true), ("b", true), ("c", false)] {
            let is = part(&after, endpoint).is_one_with(part(&before, endpoint));
            assert_eq!(is, once, "{endpoint}");
        }
        assert_eq!(**part(&after, "c"), Fact::Known(vec![("c", 7)]));
    }

    #[test]
    fn a_row_that_comes_late_changes_this_listing_and_not_the_last_one() {
        let before = whole(Rows::new(of, None), &[&[("a", 1), ("b", 1)]]);
        let after =
            whole(Rows::new(of, Some(before.clone())), &[&[("a", 1)], &[("b", 1), ("a", 2)]]);
        assert_eq!(**part(&after, "a"), Fact::Known(vec![("a", 1), ("a", 2)]));
        assert_eq!(**part(&before, "a"), Fact::Known(vec![("a", 1)]));
        assert!(part(&after, "b").is_one_with(part(&before, "b")));
    }

    #[test]
    fn it_is_kept_once_as_soon_as_its_page_has_come() {
        let before = whole(Rows::new(of, None), &[&[("a", 1), ("b", 1)]]);
        let mut collected = Rows::new(of, Some(before.clone()));
        collected.page(vec![("a", 1)].into());
        assert!(collected.parts[&name("a")].is_one_with(part(&before, "a")));
    }

    #[test]
    fn a_listing_that_begins_again_has_nothing_of_what_came_before() {
        let mut collected = Rows::new(of, None);
        let nonsense = [Ok(("a", 1)), Err(Unreadable::of("endpoint/x/variant/v", "-1"))];
        collected.page(nonsense.into_iter().collect());
        collected.start_over();
        collected.page(vec![("b", 1)].into());
        let answer = collected.answer(Ok(()), Read::new("List", DateTime::UNIX_EPOCH));
        let all: Vec<_> = answer.all.known().unwrap().keys().cloned().collect();
        assert_eq!(all, [name("b")]);
        assert!(answer.unreadable.is_empty());
    }

    #[test]
    fn one_that_fails_says_nothing() {
        let mut collected = Rows::new(of, None);
        collected.page(vec![("a", 1)].into());
        let error = crate::ports::PortError {
            kind: crate::ports::ErrorKind::Throttled,
            service: crate::ports::Service::ApplicationAutoScaling,
            operation: "List",
            code: None,
            message: "slow down".to_owned(),
        };
        let answer = collected.answer(Err(error), Read::new("List", DateTime::UNIX_EPOCH));
        assert!(answer.all.known().is_none());
    }
}
