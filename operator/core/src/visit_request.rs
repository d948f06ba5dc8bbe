//! Requests of a person: the annotation `caretaker.dev/requested-at` asks for a visit now, whatever is due.

use caretaker_api::names::REQUESTED_AT;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Whether somebody asked for a visit that was not made yet. `handled` is the status's `lastHandledRequest`.
#[must_use]
pub fn is_asked(meta: &ObjectMeta, handled: Option<&String>) -> bool {
    let request = meta.annotations.as_ref().and_then(|all| all.get(REQUESTED_AT));
    request.is_some() && request != handled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_handled_once() {
        let with =
            |value: &str| ObjectMeta { annotations: Some([(REQUESTED_AT.to_owned(), value.to_owned())].into()), ..ObjectMeta::default() };
        assert!(!is_asked(&ObjectMeta::default(), None));
        assert!(is_asked(&with("1"), None));
        assert!(!is_asked(&with("1"), Some(&"1".into())));
        assert!(is_asked(&with("2"), Some(&"1".into())));
    }
}
