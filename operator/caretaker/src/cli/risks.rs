//! `risks`: what of clients is not as it should be, who must act, until when, and what helps.

use caretaker_core::risks::{Risk, risks};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json as value;

use super::clients::Clients;
use super::output::{Form, json, paragraph, table_within, width};
use super::world::Read;

/// Answers.
pub async fn run(args: Clients) -> anyhow::Result<()> {
    let kube = args.connect().await?;
    let read = Read::of(&kube, args.read(&kube).await?).await?;
    let of = |read: &Read| (read.client.name_any(), risks(&read.world(), Timestamp::now()));
    let found: Vec<(String, Vec<Risk>)> = read.iter().map(of).collect();
    if args.output == Form::Json {
        return json(&found.iter().map(|(client, risks)| value!({"client": client, "risks": risks})).collect::<Vec<_>>());
    }
    out!("{}", told(&found, args.client.is_some(), width()));
    Ok(())
}

fn told(found: &[(String, Vec<Risk>)], is_one: bool, width: usize) -> String {
    if found.iter().all(|(_, risks)| risks.is_empty()) {
        return "Nothing is known that is not as it should be.\n".into();
    }
    let row = |(client, risk): (&String, &Risk)| {
        let due = risk.due.strftime("%Y-%m-%d").to_string();
        let due = if risk.overdue { format!("{due} over") } else { due };
        let what = if is_one { risk.object.clone() } else { format!("{client}: {}", risk.object) };
        vec![due, risk.owner.as_str().into(), risk.condition.clone(), what]
    };
    let all = found.iter().flat_map(|(client, risks)| risks.iter().map(move |risk| (client, risk)));
    let mut text = table_within(&["DUE", "OWNER", "CONDITION", "OF"], &all.map(row).collect::<Vec<_>>(), width);
    if is_one {
        for risk in found.iter().flat_map(|(_, risks)| risks) {
            let since = risk.since.strftime("%Y-%m-%d %H:%MZ");
            let message = format!("since {since}: {} ({})", risk.message, risk.reason);
            text.push('\n');
            text += &paragraph("", &format!("{} of {}", risk.condition, risk.object), width);
            text += &paragraph("  ", &message, width);
            text += &paragraph("  cure: ", &risk.cure, width);
        }
    } else {
        text += "\nNext: kubectl caretaker risks CLIENT says why, and what helps\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use caretaker_api::agreements::Party;

    use super::*;

    fn risk(condition: &str, overdue: bool) -> Risk {
        Risk {
            object: format!("CloudAccount {}", "a".repeat(40)),
            condition: condition.into(),
            status: "False".into(),
            reason: "WaitingForGrant".into(),
            message: "the role cannot be assumed yet ".repeat(6),
            owner: Party::Client,
            since: Timestamp::UNIX_EPOCH,
            due: Timestamp::UNIX_EPOCH,
            overdue,
            cure: "the client applies the grant kit: kubectl caretaker kit acme --to FOLDER".into(),
        }
    }

    #[test]
    fn a_table_of_risks_fits_80_columns() {
        let found = vec![("acme".to_owned(), vec![risk("ConfusedDeputyProtected", true), risk("AccessProven", false)])];
        for is_one in [true, false] {
            let text = told(&found, is_one, 80);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.contains("1970-01-01 over") && text.contains("Client"), "{text}");
            assert_eq!(text.contains("cure:"), is_one, "{text}");
            assert_eq!(text.contains("acme:"), !is_one, "{text}");
        }
        assert!(told(&[("acme".into(), vec![])], true, 80).starts_with("Nothing is known"));
    }
}
