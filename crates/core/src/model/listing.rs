//! A whole listing: the rows that can be read, and of the others whose they are and why they cannot.
//!
//! One row of nonsense must not make a region unreadable, and must not pass for an absence either:
//! what such a row is about is unknown.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::fact::{Fact, Why, WhyKind};

#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    rows: Vec<T>,
    unreadable: Vec<Unreadable>,
}

/// A row that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The name of what it is about, as AWS gives it; absent when that cannot be read either.
    pub about: Option<String>,
    /// What is wrong with it.
    pub why: String,
}

impl Unreadable {
    /// A row about something that has a name.
    pub fn of(about: impl fmt::Display, why: impl Into<String>) -> Self {
        Self { about: Some(about.to_string()), why: why.into() }
    }

    /// A row about nobody knows what.
    pub fn nameless(why: impl Into<String>) -> Self {
        Self { about: None, why: why.into() }
    }

    /// Why what the row is about is not known.
    pub fn to_why(&self, operation: &str) -> Why {
        Why::new(WhyKind::Garbage, format!("{operation} answered nonsense: {}", self.why))
    }
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Listing<T> {
    fn from(rows: Vec<T>) -> Self {
        Self { rows, unreadable: Vec::new() }
    }
}

impl<T> Extend<Result<T, Unreadable>> for Listing<T> {
    fn extend<I: IntoIterator<Item = Result<T, Unreadable>>>(&mut self, rows: I) {
        for row in rows {
            match row {
                Ok(row) => self.rows.push(row),
                Err(unreadable) => self.unreadable.push(unreadable),
            }
        }
    }
}

impl<T> FromIterator<Result<T, Unreadable>> for Listing<T> {
    fn from_iter<I: IntoIterator<Item = Result<T, Unreadable>>>(rows: I) -> Self {
        let mut listing = Self::default();
        listing.extend(rows);
        listing
    }
}

/// The rows that can be read. By reference only: whoever takes them must say what becomes of the
/// others ([`Listing::whole`], [`Listing::into_parts`]).
impl<T> Deref for Listing<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.rows
    }
}

impl<T> DerefMut for Listing<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.rows
    }
}

impl<T> Listing<T> {
    /// Adds another page, or another part of the same listing.
    pub fn append(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.unreadable.extend(other.unreadable);
    }

    /// The rows that cannot be read.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// The rows that can be read, and the others.
    pub fn into_parts(self) -> (Vec<T>, Vec<Unreadable>) {
        (self.rows, self.unreadable)
    }

    /// All rows, where each is needed.
    ///
    /// # Errors
    /// The first row that cannot be read.
    pub fn whole(mut self) -> Result<Vec<T>, Unreadable> {
        if self.unreadable.is_empty() { Ok(self.rows) } else { Err(self.unreadable.swap_remove(0)) }
    }

    /// All rows as a fact.
    pub fn into_fact(self, operation: &str) -> Fact<Vec<T>> {
        match self.whole() {
            Ok(rows) => Fact::Known(rows),
            Err(unreadable) => Fact::Unknown(unreadable.to_why(operation)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_of_nonsense_is_no_absence_and_hides_no_other() {
        let rows = [Ok(1), Err(Unreadable::of("b", "TargetValue is -1")), Ok(3)];
        let listing: Listing<i32> = rows.into_iter().collect();
        assert_eq!(*listing, [1, 3]);
        assert_eq!(listing.unreadable()[0].about.as_deref(), Some("b"));
        let fact = listing.into_fact("DescribeScalingPolicies");
        let why = fact.why().expect("it is not known");
        assert_eq!(why.message, "DescribeScalingPolicies answered nonsense: TargetValue is -1");
        assert_eq!(Listing::from(vec![1]).whole(), Ok(vec![1]));
    }
}
