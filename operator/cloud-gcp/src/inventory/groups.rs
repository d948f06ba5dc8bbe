//! The cells of a project: one question to Cloud Asset for each group of services that the catalog reads together. Pure.

use caretaker_cloud::catalog::gcp::{OTHERS, SERVICES, Service};

/// A group of services that is asked for at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Service of the cell.
    pub service: &'static str,
    /// What the asset types start with. None: all that no other group has. Cloud Asset cannot be asked for "all but these", and a list of
    /// the others would silently miss a service that is new; so everything is asked for, and what other groups show is passed over.
    prefixes: Vec<String>,
}

fn prefix(service: &Service) -> String {
    format!("{}/", service.api())
}

/// Services that are read in a cell of their own, or in one that they share.
fn apart() -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().filter(|service| service.cell != OTHERS)
}

/// Every group; that of the others is the last one.
#[must_use]
pub fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for service in apart() {
        match groups.iter_mut().find(|group| group.service == service.cell) {
            Some(group) => group.prefixes.push(prefix(service)),
            None => groups.push(Group { service: service.cell, prefixes: vec![prefix(service)] }),
        }
    }
    groups.push(Group { service: OTHERS, prefixes: Vec::new() });
    groups
}

impl Group {
    /// The filter that is sent: regular expressions over asset types.
    #[must_use]
    pub fn asset_types(&self) -> Vec<String> {
        self.prefixes.iter().map(|prefix| format!("{}.*", prefix.replace('.', "\\."))).collect()
    }

    /// Whether a row belongs to the group.
    #[must_use]
    pub fn has(&self, native_type: &str) -> bool {
        if self.prefixes.is_empty() {
            return !apart().any(|service| native_type.starts_with(&prefix(service)));
        }
        self.prefixes.iter().any(|prefix| native_type.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_in_one_group_only() {
        for (native, service) in [
            ("compute.googleapis.com/Instance", "cloud-asset/compute"),
            ("run.googleapis.com/Service", "cloud-asset/functions"),
            ("cloudfunctions.googleapis.com/Function", "cloud-asset/functions"),
            ("iam.googleapis.com/Role", "cloud-asset/iam"),
            ("iamx.googleapis.com/Role", OTHERS),
            ("computes.googleapis.com/Instance", OTHERS),
            ("spanner.googleapis.com/Instance", OTHERS),
            ("pubsub.googleapis.com/Topic", OTHERS),
            ("new.example/Thing", OTHERS),
        ] {
            let found: Vec<&str> = groups().iter().filter(|group| group.has(native)).map(|group| group.service).collect();
            assert_eq!(found, [service], "{native}");
        }
    }

    #[test]
    fn filters_are_anchored_to_the_service() {
        let of = |service: &str| groups().into_iter().find(|group| group.service == service).unwrap().asset_types();
        assert_eq!(of("cloud-asset/functions"), ["run\\.googleapis\\.com/.*", "cloudfunctions\\.googleapis\\.com/.*"]);
        assert!(of(OTHERS).is_empty());
        assert_eq!(groups().last().unwrap().service, OTHERS);
    }
}
