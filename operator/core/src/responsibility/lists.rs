//! The lists of controls that this release has, and what the bundle can hold about each.
//!
//! Ids are facts. The words beside them are Caretaker's own and replace no framework's text. Sources, and what was counted against them:
//! NIST CSWP 29 (CSF 2.0: 106 subcategories in 22 categories), NIST SP 800-171 revision 2 (110 requirements in 14 families), PCI DSS 4.0 (63 requirements
//! of the level x.y in 12), 45 CFR part 164, subpart C with its Appendix A (18 standards and 36 specifications in 164.308 to 164.312), FedRAMP revision 5
//! Moderate (323 controls, 181 of them base controls).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use caretaker_api::ManagedClient;
use caretaker_api::compliance::Framework;
use caretaker_api::contract::Domain;

/// Who can have a part in a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Whoever the contract gives the domain to.
    Domain,
    /// The provider.
    Provider,
    /// The client.
    Client,
    /// The clouds.
    Cloud,
}

impl Party {
    /// The word in a cell.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "whoever has the domain",
            Self::Provider => "provider",
            Self::Client => "client",
            Self::Cloud => "cloud",
        }
    }
}

/// What a bundle can hold about a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The contract.
    Contract,
    /// The inventory.
    Inventory,
    /// Every way into the accounts.
    Access,
    /// The code.
    Iac,
    /// The monitoring.
    Monitoring,
    /// The backups.
    Backup,
    /// The service levels.
    Levels,
    /// The ledger.
    Changes,
    /// The incidents.
    Incidents,
    /// The matrix itself.
    Matrix,
    /// What is not as it should be.
    Risks,
    /// What becomes of data.
    Disposition,
    /// The runbooks.
    Runbooks,
}

impl Evidence {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Contract,
        Self::Inventory,
        Self::Access,
        Self::Iac,
        Self::Monitoring,
        Self::Backup,
        Self::Levels,
        Self::Changes,
        Self::Incidents,
        Self::Matrix,
        Self::Risks,
        Self::Disposition,
        Self::Runbooks,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Inventory => "inventory",
            Self::Access => "access",
            Self::Iac => "iac",
            Self::Monitoring => "monitoring",
            Self::Backup => "backup",
            Self::Levels => "levels",
            Self::Changes => "changes",
            Self::Incidents => "incidents",
            Self::Matrix => "matrix",
            Self::Risks => "risks",
            Self::Disposition => "disposition",
            Self::Runbooks => "runbooks",
        }
    }

    /// Its path below `data/` of a bundle.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Contract => "01-contract/managed-client.json",
            Self::Inventory => "02-inventory",
            Self::Access => "03-access/access-register.json",
            Self::Iac => "04-iac",
            Self::Monitoring => "05-monitoring",
            Self::Backup => "06-backup",
            Self::Levels => "07-service-levels",
            Self::Changes => "08-changes/ledger.ndjson",
            Self::Incidents => "09-incidents-tickets",
            Self::Matrix => "10-responsibility/matrix.json",
            Self::Risks => "10-responsibility/risks.json",
            Self::Disposition => "12-disposition",
            Self::Runbooks => "13-runbooks",
        }
    }
}

/// What a bundle holds, or would hold if it were made now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held(BTreeSet<Evidence>);

impl Held {
    /// These.
    #[must_use]
    pub fn of(evidence: impl IntoIterator<Item = Evidence>) -> Self {
        Self(evidence.into_iter().collect())
    }

    /// What a bundle of the client would hold, as far as the client itself tells.
    #[must_use]
    pub fn by(client: &ManagedClient) -> Self {
        let (spec, status) = (&client.spec, client.status.as_ref());
        let has_assets = status.is_some_and(|status| status.assets > 0);
        let has = |evidence: &Evidence| match evidence {
            Evidence::Contract | Evidence::Access | Evidence::Matrix | Evidence::Risks | Evidence::Disposition => true,
            Evidence::Inventory | Evidence::Iac | Evidence::Runbooks => has_assets,
            Evidence::Monitoring | Evidence::Incidents => spec.monitoring.is_some(),
            Evidence::Backup => spec.backups.is_some(),
            Evidence::Levels => spec.service_levels.is_some(),
            Evidence::Changes => status.is_some_and(|status| status.ledger.is_some()),
        };
        Self::of(Evidence::ALL.into_iter().filter(has))
    }

    /// Whether it is held.
    #[must_use]
    pub fn has(&self, evidence: Evidence) -> bool {
        self.0.contains(&evidence)
    }
}

/// One control of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// As the framework writes it.
    pub id: &'static str,
    /// The domain; `None` for what is the organisation's own.
    pub domain: Option<Domain>,
    /// Who usually does it.
    pub split: Vec<Party>,
    /// What the bundle can hold about it.
    pub evidence: Option<Evidence>,
    /// What it is about, in Caretaker's words.
    pub label: &'static str,
}

/// The controls of a framework.
#[derive(Debug)]
pub struct List {
    /// The framework.
    pub framework: Framework,
    /// Its name as people say it.
    pub title: &'static str,
    /// Where its own text stands.
    pub source: &'static str,
    /// Name of files about it.
    pub file: &'static str,
    /// What the list leaves out; `None` where it is whole.
    pub partial: Option<&'static str>,
    /// What an id needs before it to be a token of OSCAL, which begins with a letter.
    pub prefix: &'static str,
    /// The controls, in the order of the framework.
    pub controls: Vec<Control>,
}

impl List {
    fn new(framework: Framework) -> Self {
        use Framework as F;
        let (title, source, file, partial, prefix, text) = match framework {
            F::NistCsf2 => {
                ("NIST CSF 2.0", "https://doi.org/10.6028/NIST.CSWP.29", "nist-csf-2", None, "", include_str!("frameworks/nist-csf-2.csv"))
            }
            F::Nist800171 => (
                "NIST SP 800-171 r2",
                "https://doi.org/10.6028/NIST.SP.800-171r2",
                "nist-800-171",
                None,
                "sp800-171-",
                include_str!("frameworks/nist-800-171.csv"),
            ),
            F::PciDss4 => (
                "PCI DSS 4.0",
                "https://www.pcisecuritystandards.org/document_library/",
                "pci-dss-4",
                Some(
                    "requirements at the level x.y and those of 12.8 and 12.9: what is below x.y goes with it; appendices A1 to A3 are left out",
                ),
                "pci-dss-",
                include_str!("frameworks/pci-dss-4.csv"),
            ),
            F::Hipaa => (
                "HIPAA security rule",
                "https://www.ecfr.gov/current/title-45/part-164/subpart-C",
                "hipaa",
                Some("the security rule alone: the rules on privacy and on the notice of breaches are left out"),
                "hipaa-",
                include_str!("frameworks/hipaa.csv"),
            ),
            F::FedRampRev5 => (
                "FedRAMP rev5 Moderate",
                "https://raw.githubusercontent.com/GSA/fedramp-automation/master/dist/content/rev5/baselines/json/FedRAMP_rev5_MODERATE-baseline_profile.json",
                "fedramp-rev5-moderate",
                Some("the 181 base controls of the Moderate baseline: its 142 enhancements are left out and go with their control"),
                "",
                include_str!("frameworks/fedramp-rev5-moderate.csv"),
            ),
        };
        Self { framework, title, source, file, partial, prefix, controls: text.lines().skip(1).filter_map(control).collect() }
    }

    /// Ids that are written most like another.
    #[must_use]
    pub fn nearest(&self, id: &str) -> Vec<&'static str> {
        let wanted = plain(id);
        let mut known: Vec<(usize, usize, &'static str)> = self.controls.iter().map(|control| rank(&wanted, control.id)).collect();
        known.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        known.into_iter().take(3).map(|(_, _, id)| id).collect()
    }

    /// An id as a token of OSCAL. Source: <https://pages.nist.gov/metaschema/specification/datatypes/#token>.
    #[must_use]
    pub fn token(&self, id: &str) -> String {
        let lower = self.framework == Framework::FedRampRev5;
        let id = if lower { id.to_lowercase() } else { id.to_owned() };
        format!("{}{}", self.prefix, id.replace('(', ".").replace(')', ""))
    }
}

/// How much of the beginning agrees, and by how much the length differs.
fn rank(wanted: &str, id: &'static str) -> (usize, usize, &'static str) {
    let known = plain(id);
    let agrees = known.chars().zip(wanted.chars()).take_while(|(one, other)| one == other).count();
    (agrees, known.len().abs_diff(wanted.len()), id)
}

/// An id without case, zeros before numbers, blanks, and the ways to write an enhancement.
fn plain(id: &str) -> String {
    let upper = id.to_uppercase().replace(' ', "");
    let mut made = String::new();
    let mut chars = upper.chars().peekable();
    while let Some(c) = chars.next() {
        let is_first_digit = !made.ends_with(|last: char| last.is_ascii_digit());
        if !(c == '0' && is_first_digit && chars.peek().is_some_and(char::is_ascii_digit)) {
            made.push(c);
        }
    }
    made
}

/// One line: `id,domain,split,evidence,label`. A test counts that none is lost.
fn control(line: &'static str) -> Option<Control> {
    let mut cells = line.splitn(5, ',');
    let (id, domain, split, evidence, label) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let domain = match domain {
        "Organisation" => None,
        word => Some(Domain::ALL.into_iter().find(|domain| domain.as_str() == word)?),
    };
    let party = |word: &str| {
        Some(match word {
            "domain" => Party::Domain,
            "provider" => Party::Provider,
            "client" => Party::Client,
            "cloud" => Party::Cloud,
            _ => return None,
        })
    };
    let evidence = match evidence {
        "-" => None,
        word => Some(Evidence::ALL.into_iter().find(|evidence| evidence.word() == word)?),
    };
    Some(Control { id, domain, split: split.split('+').map(party).collect::<Option<_>>()?, evidence, label })
}

static LISTS: LazyLock<[List; 5]> = LazyLock::new(|| Framework::ALL.map(List::new));

/// The list of a framework.
#[must_use]
pub fn of(framework: Framework) -> &'static List {
    &LISTS[framework as usize]
}
