//! Frameworks of security controls: for which of them the bundle says who does what, and where a contract differs from the usual.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A framework of controls. Which controls it has stands in lists of this release; the words beside each control are Caretaker's own.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Framework {
    /// NIST Cybersecurity Framework 2.0: the 106 subcategories.
    #[default]
    NistCsf2,
    /// NIST SP 800-171 revision 2: the 110 requirements.
    Nist800171,
    /// PCI DSS 4.0: the 63 requirements at the level x.y, and those of 12.8 and 12.9.
    PciDss4,
    /// HIPAA security rule, 45 CFR 164.308 to 164.316: standards and implementation specifications.
    Hipaa,
    /// FedRAMP revision 5, Moderate baseline: its 181 base controls, without enhancements.
    FedRampRev5,
}

impl Framework {
    /// Every framework.
    pub const ALL: [Self; 5] = [Self::NistCsf2, Self::Nist800171, Self::PciDss4, Self::Hipaa, Self::FedRampRev5];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NistCsf2 => "NistCsf2",
            Self::Nist800171 => "Nist800171",
            Self::PciDss4 => "PciDss4",
            Self::Hipaa => "Hipaa",
            Self::FedRampRev5 => "FedRampRev5",
        }
    }
}

/// Who does the work of a control. Accountable for it is always the client.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Responsible {
    /// The provider.
    Provider,
    /// The client.
    #[default]
    Client,
    /// The clouds that the client's accounts are with.
    Cloud,
    /// Several of them, each for its own part. In an override: the provider and the client.
    Joint,
}

impl Responsible {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "Provider",
            Self::Client => "Client",
            Self::Cloud => "Cloud",
            Self::Joint => "Joint",
        }
    }
}

/// One control that the contract gives to somebody else than is usual.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.framework != 'NistCsf2' || self.control.matches('^[A-Z]{2}[.][A-Z]{2}-[0-9]{2}$')").message("control: a subcategory of NistCsf2 is written such as PR.DS-11"),
    validation = Rule::new("self.framework != 'Nist800171' || self.control.matches('^3[.][1-9][0-9]?[.][1-9][0-9]?$')").message("control: a requirement of Nist800171 is written such as 3.8.9"),
    validation = Rule::new("self.framework != 'PciDss4' || self.control.matches('^[1-9][0-9]?([.][1-9][0-9]?)+$')").message("control: a requirement of PciDss4 is written such as 10.3 or 12.8.5"),
    validation = Rule::new("self.framework != 'Hipaa' || self.control.matches('^164[.]3[0-9]{2}([(][0-9A-Za-z]+[)])+$')").message("control: a standard of Hipaa is written such as 164.308(a)(7)(ii)(A)"),
    validation = Rule::new("self.framework != 'FedRampRev5' || self.control.matches('^[A-Z]{2}-[1-9][0-9]?$')").message("control: a control of FedRampRev5 is written such as AC-2; enhancements such as AC-2(1) go with their control"),
)]
pub struct ControlOverride {
    /// The framework, one of `frameworks`.
    pub framework: Framework,
    /// The control as the framework writes it, such as `PR.DS-11`, `3.8.9`, `12.8.5`, `164.308(a)(7)(ii)(A)` or `AC-2`.
    #[schemars(length(min = 1, max = 40))]
    pub control: String,
    /// Who does the work.
    pub responsible: Responsible,
    /// Why, and what each side does. It stands in the matrix as it is.
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.matches('[^ ]')").message("note: say in a sentence why"))]
    pub note: String,
}

/// For which frameworks the bundle says, control by control, who does what.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.overrides) || self.overrides.all(o, o.framework in self.frameworks)").message("overrides: each belongs to a framework that stands in frameworks; add the framework, or take the override out"))]
pub struct ComplianceTerms {
    /// The frameworks, each once.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub frameworks: Vec<Framework>,
    /// Controls that the contract gives to somebody else than the delivery model, the domains and what is usual say. Each control at most once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["framework".into(), "control".into()]))]
    pub overrides: Vec<ControlOverride>,
}

/// Who does how many controls of a framework.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkCount {
    /// The framework.
    pub name: Framework,
    /// Number of controls.
    pub controls: u32,
    /// Controls of the provider.
    pub provider: u32,
    /// Controls of the client.
    pub client: u32,
    /// Controls of the clouds.
    pub cloud: u32,
    /// Controls of several.
    pub joint: u32,
}

/// Who does what, in numbers. The matrix itself stands in the bundle.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponsibilityStatus {
    /// Each framework that was asked for.
    #[serde(default)]
    pub frameworks: Vec<FrameworkCount>,
    /// Overrides that hold, or held under an earlier release: `PciDss4 12.8.5`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Digest of who does what.
    #[serde(default)]
    pub digest: String,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
}
