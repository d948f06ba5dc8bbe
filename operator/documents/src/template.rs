//! The templates: files of this crate, compiled in, and the one place where they are rendered.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde::Serialize;

use crate::quote;

/// Every template by its path under `templates`.
const TEMPLATES: &[(&str, &str)] = &[
    ("assessment/report.html", include_str!("../templates/assessment/report.html.j2")),
    ("handover/iac/aws.tf", include_str!("../templates/handover/iac/aws.tf.j2")),
    ("handover/iac/azure.tf", include_str!("../templates/handover/iac/azure.tf.j2")),
    ("handover/iac/gcp.tf", include_str!("../templates/handover/iac/gcp.tf.j2")),
    ("handover/iac/imports.tf", include_str!("../templates/handover/iac/imports.tf.j2")),
    ("handover/index.html", include_str!("../templates/handover/index.html.j2")),
    ("handover/read-me.md", include_str!("../templates/handover/read-me.md.j2")),
    ("handover/revoke-aws-organization.sh", include_str!("../templates/handover/revoke-aws-organization.sh.j2")),
    ("handover/revoke-aws.sh", include_str!("../templates/handover/revoke-aws.sh.j2")),
    ("handover/revoke-azure-tenant.sh", include_str!("../templates/handover/revoke-azure-tenant.sh.j2")),
    ("handover/revoke-azure.sh", include_str!("../templates/handover/revoke-azure.sh.j2")),
    ("handover/revoke-gcp.sh", include_str!("../templates/handover/revoke-gcp.sh.j2")),
    ("handover/runbook.md", include_str!("../templates/handover/runbook.md.j2")),
    ("kit/aws/README.md", include_str!("../templates/kit/aws/README.md.j2")),
    ("kit/aws/caretaker-access.tf", include_str!("../templates/kit/aws/caretaker-access.tf.j2")),
    ("kit/azure/README.md", include_str!("../templates/kit/azure/README.md.j2")),
    ("kit/azure/caretaker-access.tf", include_str!("../templates/kit/azure/caretaker-access.tf.j2")),
    ("kit/gcp/README.md", include_str!("../templates/kit/gcp/README.md.j2")),
    ("kit/gcp/caretaker-access.sh", include_str!("../templates/kit/gcp/caretaker-access.sh.j2")),
    ("kit/gcp/caretaker-access.tf", include_str!("../templates/kit/gcp/caretaker-access.tf.j2")),
    ("kit/tenant/README.md", include_str!("../templates/kit/tenant/README.md.j2")),
    ("kit/tenant/caretaker-delegate.sh", include_str!("../templates/kit/tenant/caretaker-delegate.sh.j2")),
    ("service-report/report.html", include_str!("../templates/service-report/report.html.j2")),
    ("service-report/report.md", include_str!("../templates/service-report/report.md.j2")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment().expect("a test compiles every template"));

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    // In pages each value is escaped; elsewhere it is quoted by the filter of the language that it stands in.
    environment.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("hcl", |text: &str| quote::hcl(text));
    environment.add_filter("sh", |text: &str| quote::sh(text));
    environment.add_filter("one_line", |text: &str| quote::one_line(text));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// A document. It does not fail: templates and what they take are fixed when this crate is built, and tests render each of them.
pub(crate) fn render(name: &str, context: impl Serialize) -> String {
    try_render(name, context).unwrap_or_else(|error| panic!("the template {name} does not fit what it is given: {error}"))
}

fn try_render(name: &str, context: impl Serialize) -> Result<String, Error> {
    ENVIRONMENT.get_template(name)?.render(Serde(context))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_is_a_template_that_compiles() {
        let compiled = environment().unwrap();
        for (name, _) in TEMPLATES {
            assert!(compiled.get_template(name).is_ok(), "{name}");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let (mut folders, mut found) = (vec![root.clone()], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap().trim_end_matches(".j2").to_owned();
                    assert!(TEMPLATES.iter().any(|(known, _)| *known == name), "{name} is compiled in nowhere");
                    found += 1;
                }
            }
        }
        assert_eq!(found, TEMPLATES.len());
    }

    #[test]
    fn what_a_template_is_not_given_is_an_error() {
        assert!(try_render("handover/revoke-gcp.sh", serde_json::json!({"project": "p"})).is_err());
    }
}
