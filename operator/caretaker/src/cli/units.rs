//! `units`: what clients are billed for, and the assets behind it.

use anyhow::{Context, bail, ensure};
use caretaker_api::ManagedClient;
use caretaker_api::billing::{BilledMonth, BillingStatus, UnitStatus};
use caretaker_core::billing::{Billed, DayUnits, MonthUnits, UnitsPlace};
use caretaker_core::service_level::LevelsPlace;
use caretaker_store::units::Units;
use clap::ValueEnum;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json as value};

use super::cluster::{ClusterArgs, connect, explain};
use super::inventory::open;
use super::output::{json, paragraph, table_within, width};

/// Whose units, of which time, in which form.
#[derive(clap::Args)]
pub struct Args {
    /// Name of a ManagedClient; without it all.
    client: Option<String>,
    /// A month that is over, such as 2026-11; without it the day that was counted last.
    #[arg(long, requires = "client")]
    month: Option<String>,
    /// URL or folder of the store, to read the record itself with the id of every asset.
    #[arg(long, requires = "client")]
    store: Option<String>,
    /// Form of the output. csv has one line for each covered asset and needs --store; json has their ids with --store.
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
    /// For spreadsheets.
    Csv,
}

/// A record of the store.
enum Record {
    Day(Box<DayUnits>),
    Month(Box<MonthUnits>),
}

impl Record {
    fn day(&self) -> &DayUnits {
        match self {
            Self::Day(day) => day,
            Self::Month(month) => &month.billed,
        }
    }
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        args.output != Shape::Csv || args.store.is_some(),
        "csv has one line for each asset: give --store URL and the name of a client"
    );
    let api: Api<ManagedClient> = Api::all(connect(&args.cluster).await?);
    let clients = match &args.client {
        Some(name) => vec![api.get(name).await.map_err(explain)?],
        None => api.list(&ListParams::default()).await.map_err(explain)?.items,
    };
    let found: Vec<(String, Option<BillingStatus>)> = clients.iter().map(|client| (client.name_any(), status(client))).collect();
    let ([client], Some(store)) = (clients.as_slice(), &args.store) else {
        return from_cluster(&args, &found);
    };
    let Some(billing) = status(client) else {
        // Whoever asks for a record that cannot be must not take an empty answer for one.
        bail!("{}", uncounted(client));
    };
    let place = UnitsPlace(LevelsPlace { client: client.name_any(), uid: client.uid().unwrap_or_default() });
    let units = Units::new(open(store)?, place);
    let record = match &args.month {
        Some(month) => Record::Month(Box::new(month_of(&units, &billing, month).await?)),
        None => Record::Day(Box::new(units.day(&billing.day).await.with_context(|| format!("read the record of {}", billing.day))?)),
    };
    match args.output {
        Shape::Csv => csv(&units, record.day()).await,
        Shape::Json => {
            let mut assets: Vec<Billed> = Vec::new();
            let take = |asset| {
                assets.push(asset);
                Ok(())
            };
            units.assets(record.day(), take).await?;
            let told = match &record {
                Record::Day(day) => serde_json::to_value(day)?,
                Record::Month(month) => serde_json::to_value(month)?,
            };
            json(&[value!({"client": client.name_any(), "record": told, "assets": assets})])
        }
        Shape::Table => {
            out!("{}", of_record(&client.name_any(), &record, width()));
            Ok(())
        }
    }
}

fn status(client: &ManagedClient) -> Option<BillingStatus> {
    client.status.as_ref()?.billing.clone()
}

fn uncounted(client: &ManagedClient) -> String {
    let name = client.name_any();
    if client.spec.billing.is_none() {
        return format!("nothing is billed for {name}: set spec.billing of its ManagedClient (docs/metering.md)");
    }
    format!("the units of {name} were not counted yet: they are once the contract stands and the operator has looked at the client")
}

/// A month's record, which must be the one that the cluster knows where it knows one.
async fn month_of(units: &Units, billing: &BillingStatus, month: &str) -> anyhow::Result<MonthUnits> {
    let (record, sha256) =
        units.month(month).await.with_context(|| format!("there is no record of {month}: a month is fixed once it is over"))?;
    let known = billing.months.iter().find(|known| known.month == month);
    ensure!(
        known.is_none_or(|known| known.sha256 == sha256),
        "{} is not the record that the cluster knows: put it back from a copy of the store",
        units.place().month(month)
    );
    Ok(record)
}

fn from_cluster(args: &Args, found: &[(String, Option<BillingStatus>)]) -> anyhow::Result<()> {
    let Some(month) = &args.month else {
        if args.output == Shape::Json {
            let told: Vec<Value> = found.iter().map(|(client, billing)| value!({"client": client, "billing": billing})).collect();
            return json(&told);
        }
        out!("{}", told(found, args.client.is_some(), width()));
        return Ok(());
    };
    let known =
        found.iter().filter_map(|(client, billing)| Some((client, billing.as_ref()?.months.iter().find(|known| known.month == *month)?)));
    let known: Vec<(&String, &BilledMonth)> = known.collect();
    let Some((client, billed)) = known.first() else {
        bail!("the cluster knows no record of {month}: it shows the last three months that are over; --store URL reads all");
    };
    if args.output == Shape::Json {
        return json(&[value!({"client": client, "month": billed})]);
    }
    let mut text = table_within(&HEAD[1..], &billed.units.iter().map(row).collect::<Vec<_>>(), width());
    text += &paragraph("", &format!("\n{month} is billed by its units of {}: {}", billed.day, billed.state.as_str()), width());
    text += &format!("\nNext: kubectl caretaker units {client} --month {month} --store URL -o csv lists every asset\n");
    out!("{text}");
    Ok(())
}

const HEAD: [&str; 6] = ["CLIENT", "UNIT", "MODEL", "COUNT", "ASSETS", "STATE"];

/// The columns of a unit behind its client.
fn row(unit: &UnitStatus) -> Vec<String> {
    let state = if !unit.model.is_managed_service() {
        "no managed service"
    } else if unit.complete {
        "complete"
    } else {
        "not final"
    };
    let count = unit.count.map_or_else(|| "-".into(), |count| count.to_string());
    vec![unit.name.clone(), unit.model.as_str().into(), count, unit.assets.to_string(), state.into()]
}

/// What the cluster knows of the days that were counted last.
fn told(found: &[(String, Option<BillingStatus>)], is_one: bool, width: usize) -> String {
    let counted = || found.iter().filter_map(|(client, billing)| Some((client, billing.as_ref()?)));
    if counted().next().is_none() {
        return "Nothing is counted: set spec.billing of a ManagedClient (docs/metering.md).\n".into();
    }
    let rows = counted().flat_map(|(client, billing)| {
        let with_client = move |unit| [vec![client.clone()], row(unit)].concat();
        billing.units.iter().map(with_client)
    });
    let mut text = table_within(&HEAD, &rows.collect::<Vec<_>>(), width);
    for (client, billing) in counted() {
        let mut line = if billing.day.is_empty() {
            format!("{client}: not counted yet")
        } else {
            format!(
                "{client}: as of {}; {} covered assets are billed by no unit, {} assets are never billed",
                billing.day, billing.unbilled, billing.never_billed
            )
        };
        if !billing.complete && !billing.cause.is_empty() {
            line += &format!("; not final, since {}", billing.cause);
        }
        if !billing.problem.is_empty() {
            line += &format!("; the last count failed: {}", billing.problem);
        }
        if is_one {
            let of = |month: &BilledMonth| format!("; {} {} (units of {})", month.month, month.state.as_str(), month.day);
            line.extend(billing.months.iter().map(of));
        }
        text.push('\n');
        text += &paragraph("", &line, width);
    }
    text += "\nNext: kubectl caretaker units CLIENT --store URL -o csv lists every asset\n";
    text
}

/// A record of the store.
fn of_record(client: &str, record: &Record, width: usize) -> String {
    let day = record.day();
    let rows: Vec<Vec<String>> =
        caretaker_core::billing::status_units(&day.units).iter().map(|unit| [vec![client.to_owned()], row(unit)].concat()).collect();
    let mut text = table_within(&HEAD, &rows, width);
    let mut line = format!("units of {} ({})", day.day, day.zone);
    if let Record::Month(month) = record {
        let complete = month.days.iter().filter(|day| day.complete).count();
        line = format!(
            "{} {}: {line}; of {} days {} were counted, {complete} of them completely",
            month.month,
            month.state.as_str(),
            month.days_of_month,
            month.days.len()
        );
        let highest = |(unit, peak): (&String, &caretaker_core::billing::Peak)| format!("{unit} {} on {}", peak.count, peak.day);
        let highest: Vec<String> = month.highest.iter().map(highest).collect();
        if !highest.is_empty() {
            line += &format!("; highest: {}", highest.join(", "));
        }
    }
    let of = |all: &std::collections::BTreeMap<String, u64>| {
        all.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    };
    for (word, all) in [("billed by no unit", &day.unbilled), ("never billed", &day.never_billed)] {
        if !all.is_empty() {
            line += &format!("; {word}: {}", of(all));
        }
    }
    text.push('\n');
    text += &paragraph("", &line, width);
    for unit in day.units.iter().filter(|unit| !unit.complete) {
        text += &paragraph("", &format!("{} is not final: {}", unit.name, unit.cause), width);
    }
    text
}

async fn csv(units: &Units, day: &DayUnits) -> anyhow::Result<()> {
    outln!("unit,account,account_id,asset_id,type,native_type,region,layer");
    let take = |asset: Billed| {
        let cells =
            [&asset.unit, &asset.account, &asset.account_id, &asset.id, &asset.kind, &asset.native_type, &asset.region, &asset.layer];
        outln!("{}", caretaker_core::spreadsheet::row(cells));
        Ok(())
    };
    Ok(units.assets(day, take).await?)
}

#[cfg(test)]
mod tests {
    use caretaker_api::billing::{BillingModel, MonthState};

    use super::*;

    fn unit(name: &str, model: BillingModel, count: Option<u64>, complete: bool) -> UnitStatus {
        UnitStatus { name: name.into(), model, count, assets: 12, complete }
    }

    #[test]
    fn a_table_of_units_fits_80_columns_and_says_what_is_not_final() {
        let units = vec![
            unit("a-server-that-is-looked-after", BillingModel::PerDevice, Some(12), false),
            unit("person", BillingModel::PerUser, Some(40), true),
            unit("projects", BillingModel::TimeAndMaterial, None, true),
        ];
        let months =
            vec![BilledMonth { month: "2026-10".into(), state: MonthState::NotFinal, day: "2026-10-30".into(), ..BilledMonth::default() }];
        let cause = "111122223333 eu-west-1 ec2/instances: refused. Allow ec2:DescribeInstances ".repeat(3);
        let billing = BillingStatus { day: "2026-11-03".into(), units, months, cause, unbilled: 9, ..BillingStatus::default() };
        let found = [("acme-with-a-long-name".to_owned(), Some(billing)), ("other".to_owned(), None)];
        for (is_one, width) in [(true, 80), (false, 80), (true, 45)] {
            let text = told(&found, is_one, width);
            assert!(text.lines().filter(|line| !line.starts_with("Next")).all(|line| line.chars().count() <= width), "{text}");
            assert!(text.contains("not final") && text.contains("no managed service") && text.contains("40"), "{text}");
            assert_eq!(text.replace('\n', " ").contains("2026-10 NotFinal (units of 2026-10-30)"), is_one, "{text}");
        }
        assert!(told(&found, true, 80).starts_with("CLIENT "), "a table where there is room");
        assert!(told(&found[1..], false, 80).starts_with("Nothing is counted"));
    }
}
