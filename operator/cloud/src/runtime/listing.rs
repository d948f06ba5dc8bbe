//! A list that comes in pages: when it has ended, and when it cannot be read to its end.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{CloudError, ErrorClass, Result};

/// Pages after which a list is taken for endless, where nothing less is known of it.
const MOST_PAGES: usize = 100_000;

/// Where the reading of one list stands.
#[derive(Debug)]
pub struct Listing {
    operation: String,
    most: usize,
    pages: usize,
    // Hashes: what is held must not grow with the length of the tokens, which the cloud chooses.
    seen: HashSet<u64>,
}

impl Listing {
    /// The list that this call shows.
    pub fn of(operation: impl Into<String>) -> Self {
        Self { operation: operation.into(), most: MOST_PAGES, pages: 0, seen: HashSet::new() }
    }

    /// The same, taken for endless after this many pages.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// A page came with this token, or link, for the next one. The one to ask for next, or `None` at the end. A page without rows is no end; a missing token
    /// is, and an empty one.
    ///
    /// # Errors
    /// The list has no end, since a token came again or there are too many pages: nothing is concluded from what it lacks.
    pub fn after(&mut self, token: Option<&str>) -> Result<Option<String>> {
        self.pages += 1;
        let Some(token) = said(token) else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        token.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return Err(self.fault("the cloud repeated a page token: the list cannot be read to its end"));
        }
        if self.pages >= self.most {
            return Err(self.fault("the list has no end"));
        }
        Ok(Some(token))
    }

    fn fault(&self, message: &str) -> CloudError {
        CloudError::new(ErrorClass::Conflict, self.operation.clone(), message)
    }
}

/// A text that says something.
#[must_use]
pub fn said(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The token of a page that also says whether the list was cut off there.
///
/// # Errors
/// It was, and there is no token: it cannot be read to its end.
pub fn after_cut(operation: &str, cut_off: bool, token: Option<&str>) -> Result<Option<String>> {
    match said(token) {
        _ if !cut_off => Ok(None),
        None => Err(CloudError::new(ErrorClass::Conflict, operation, "the list was cut off, without a page token")),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_with_the_page_that_names_no_other() {
        for end in [None, Some("")] {
            let mut listing = Listing::of("list");
            assert_eq!(listing.after(Some("one")).unwrap().as_deref(), Some("one"));
            assert_eq!(listing.after(Some("two")).unwrap().as_deref(), Some("two"));
            assert_eq!(listing.after(end).unwrap(), None, "{end:?}");
        }
    }

    #[test]
    fn a_token_that_comes_again_is_no_end() {
        let mut listing = Listing::of("kms:ListAliases");
        listing.after(Some("one")).unwrap();
        listing.after(Some("two")).unwrap();
        let error = listing.after(Some("one")).unwrap_err();
        assert_eq!((error.class, error.operation.as_str()), (ErrorClass::Conflict, "kms:ListAliases"));
        assert!(error.message.contains("repeated"), "{error}");
    }

    #[test]
    fn a_list_without_an_end_is_left() {
        let mut listing = Listing::of("list").at_most(3);
        assert!(listing.after(Some("one")).is_ok() && listing.after(Some("two")).is_ok());
        assert!(listing.after(Some("three")).unwrap_err().message.contains("no end"));
        let mut listing = Listing::of("list").at_most(3);
        assert!(listing.after(Some("one")).is_ok() && listing.after(Some("two")).is_ok());
        assert_eq!(listing.after(None).unwrap(), None, "the last page that is allowed may be the end");
    }

    #[test]
    fn a_list_that_was_cut_off_has_a_token() {
        assert_eq!(after_cut("list", true, Some("one")).unwrap().as_deref(), Some("one"));
        assert_eq!(after_cut("list", false, Some("one")).unwrap(), None);
        assert_eq!(after_cut("list", false, None).unwrap(), None);
        assert_eq!(after_cut("list", true, Some("")).unwrap_err().class, ErrorClass::Conflict);
    }
}
