//! What a reading covers.

use std::collections::BTreeSet;

use crate::model::CellKey;

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Regions; without it the account is asked which are enabled.
    pub regions: Option<Vec<String>>,
    /// Cells that were read to their end already, by a run that this one goes on with. They are passed over, and nothing is told of them.
    pub finished: BTreeSet<CellKey>,
}

impl Scope {
    /// Whether what is in this place is to be read: without regions everything is, else what is in one of them or in a zone of it.
    #[must_use]
    pub fn takes(&self, place: &str) -> bool {
        let place = place.to_ascii_lowercase();
        self.regions.as_ref().is_none_or(|regions| {
            regions
                .iter()
                .any(|region| place.strip_prefix(&region.to_ascii_lowercase()).is_some_and(|zone| zone.is_empty() || zone.starts_with('-')))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_region_or_a_zone_of_one() {
        let of =
            |regions: &[&str]| Scope { regions: Some(regions.iter().map(|region| (*region).to_owned()).collect()), ..Scope::default() };
        assert!(Scope::default().takes("anywhere"));
        let scope = of(&["europe-west1", "WestEurope"]);
        for within in ["europe-west1", "europe-west1-b", "westeurope"] {
            assert!(scope.takes(within), "{within}");
        }
        for without in ["europe-west10", "europe-west10-a", "westeurope2", "global", ""] {
            assert!(!scope.takes(without), "{without}");
        }
    }
}
