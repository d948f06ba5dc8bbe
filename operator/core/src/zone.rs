//! Time zones by their IANA names, and what is said of a name that is none.

use jiff::tz::TimeZone;

/// The zone of a name.
///
/// # Errors
/// There is none of the name; the text says so, and which one was meant where that can be told.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let plain = |name: &str| name.replace(['_', '-', ' '], "").to_ascii_lowercase();
        let like = jiff::tz::db().available().map(|known| known.to_string()).find(|known| plain(known) == plain(name));
        let hint =
            like.map_or_else(|| "give an IANA name such as Europe/Zurich or America/New_York".to_owned(), |known| format!("write {known}"));
        format!("there is no time zone {name}: {hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_zone_is_told_with_the_one_that_was_meant() {
        assert!(zone("Europe/Zurich").is_ok());
        let told = |name: &str| zone(name).unwrap_err();
        assert_eq!(told("America/NewYork"), "there is no time zone America/NewYork: write America/New_York");
        assert!(told("Mars/Olympus").ends_with("give an IANA name such as Europe/Zurich or America/New_York"));
    }
}
