//! Where the reading of a list stands. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use caretaker_cloud::{CloudError, ErrorClass, Result};

/// Pages after which a list is taken for an endless one.
const MAX_PAGES: u32 = 100_000;

/// The pages of one list.
#[derive(Debug, Default)]
pub struct Pages {
    token: Option<String>,
    // Hashes: what is held must not grow with the tokens.
    seen: HashSet<u64>,
    calls: u32,
    renewed: bool,
}

impl Pages {
    /// The token of the page to ask for; counts the call.
    pub fn ask(&mut self) -> Option<&str> {
        self.calls += 1;
        self.token.as_deref()
    }

    /// A page came with this token for the next one. Whether there is more. A page without rows is no end: only a missing token is.
    ///
    /// # Errors
    /// The token came before, or there have been too many.
    pub fn came(&mut self, operation: &str, next: Option<String>) -> Result<bool> {
        self.renewed = false;
        let Some(next) = next.filter(|next| !next.is_empty()) else { return Ok(false) };
        let mut hasher = DefaultHasher::new();
        next.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            let message = "the cloud repeated a page token: the list cannot be read to its end";
            return Err(CloudError::new(ErrorClass::Conflict, operation, message));
        }
        if self.calls >= MAX_PAGES {
            return Err(CloudError::new(ErrorClass::Conflict, operation, "the list has no end"));
        }
        self.token = Some(next);
        Ok(true)
    }

    /// The session was refused as expired: whether a new one is worth a try. Once for each page; page tokens outlive sessions.
    pub fn may_renew(&mut self) -> bool {
        !std::mem::replace(&mut self.renewed, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_with_the_page_that_names_no_other() {
        let mut pages = Pages::default();
        assert_eq!(pages.ask(), None);
        assert!(pages.came("list", Some("one".into())).unwrap());
        assert_eq!(pages.ask(), Some("one"));
        assert!(pages.came("list", Some("two".into())).unwrap());
        assert_eq!(pages.ask(), Some("two"));
        assert!(!pages.came("list", Some(String::new())).unwrap());
        assert_eq!(pages.calls, 3);
    }

    #[test]
    fn a_repeated_token_is_no_end() {
        let mut pages = Pages::default();
        assert!(pages.came("list", Some("one".into())).unwrap());
        assert!(pages.came("list", Some("two".into())).unwrap());
        assert_eq!(pages.came("list", Some("one".into())).unwrap_err().class, ErrorClass::Conflict);
    }

    #[test]
    fn a_session_is_renewed_once_for_each_page_with_the_same_token() {
        let mut pages = Pages::default();
        assert!(pages.came("list", Some("one".into())).unwrap());
        assert!(pages.may_renew());
        assert_eq!(pages.ask(), Some("one"));
        assert!(!pages.may_renew(), "a new session that is refused too is a refusal");
        assert!(pages.came("list", Some("two".into())).unwrap());
        assert!(pages.may_renew());
    }

    #[test]
    fn a_list_without_an_end_is_left() {
        let mut pages = Pages { calls: MAX_PAGES, ..Pages::default() };
        assert_eq!(pages.came("list", Some("one".into())).unwrap_err().class, ErrorClass::Conflict);
    }
}
