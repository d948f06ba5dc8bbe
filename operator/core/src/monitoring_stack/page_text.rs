//! What a page says: one template for every kind of receiver, short enough for a phone. Labels go in as text: Alertmanager does not read them as templates.
//! Source: <https://prometheus.io/docs/alerting/latest/notifications/>

/// Alerts of a group that are told one by one.
const MOST: usize = 20;

/// How a label is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    Plain,
    /// Without what Slack takes for a mention or a link.
    /// Source: <https://docs.slack.dev/messaging/formatting-message-text#escaping>
    Slack,
}

impl Escape {
    const fn pipe(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Slack => r#" | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;""#,
        }
    }
}

/// The first line: client, alert, machine, account, region, tier.
pub(super) fn title(escape: Escape) -> String {
    let pipe = escape.pipe();
    let part = |before: &str, label: &str, after: &str| {
        format!("{{{{ with .CommonLabels.{label} }}}}{before}{{{{ .{pipe} }}}}{after}{{{{ end }}}}")
    };
    [
        "{{ if eq .Status \"resolved\" }}Over: {{ end }}".to_owned(),
        part("", "client", ": "),
        part("", "alertname", ""),
        part(" ", "instance_id", ""),
        part(" (", "name", ")"),
        "{{ if gt (len .Alerts) 1 }}, {{ len .Alerts }} alerts{{ end }}".to_owned(),
        part(", account ", "account", ""),
        part(", ", "region", ""),
        part(" [", "tier", "]"),
    ]
    .concat()
}

/// The rest: a line or two for each alert.
pub(super) fn text(escape: Escape) -> String {
    let pipe = escape.pipe();
    let part = |before: &str, label: &str, after: &str| {
        format!("{{{{ with $alert.Labels.{label} }}}}{before}{{{{ .{pipe} }}}}{after}{{{{ end }}}}")
    };
    [
        format!("{{{{ range $number, $alert := .Alerts }}}}{{{{ if lt $number {MOST} }}}}"),
        "{{ if eq $alert.Status \"resolved\" }}Over: {{ end }}".to_owned(),
        format!("{{{{ with $alert.Annotations.summary }}}}{{{{ .{pipe} }}}}\n{{{{ end }}}}"),
        part("client ", "client", ", "),
        part("account ", "account", ", "),
        part("region ", "region", ", "),
        part("", "instance_id", " "),
        part("(", "name", ") "),
        part("at ", "instance", ", "),
        "since {{ $alert.StartsAt.UTC.Format \"2006-01-02 15:04\" }} UTC\n".to_owned(),
        format!("{{{{ end }}}}{{{{ end }}}}{{{{ if gt (len .Alerts) {MOST} }}}}and more, {{{{ len .Alerts }}}} in all\n{{{{ end }}}}"),
        format!("{{{{ with .CommonLabels.tier }}}}Told to tier {{{{ .{pipe} }}}}.{{{{ end }}}}"),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_the_client_and_the_alert() {
        for escape in [Escape::Plain, Escape::Slack] {
            let (title, text) = (title(escape), text(escape));
            let at = |label: &str| title.find(&format!("with .CommonLabels.{label} ")).unwrap_or_else(|| panic!("no {label} in {title}"));
            let order = ["client", "alertname", "instance_id", "name", "account", "region", "tier"].map(at);
            assert!(order.is_sorted(), "{title}");
            for label in ["client", "account", "region", "instance_id", "name", "instance"] {
                assert!(text.contains(&format!("with $alert.Labels.{label} ")), "no {label} in {text}");
            }
        }
    }
}
