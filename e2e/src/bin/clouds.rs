//! Azure and Google Cloud, simulated, and the shim in front of the AWS emulator at an address, as a program: `clouds FOLDER AWS [ADDRESS]`. They listen at
//! the address, 127.0.0.1 where none is given. It prints what must be known as one line of JSON, and then takes commands, one a line: `azure FILE` and
//! `google FILE` apply a grant kit as the client would, `control AZURE GOOGLE` those of the provider's own accounts, `furnish ACCOUNT` gives the client more
//! than machines (on AWS, what only Resource Explorer shows), `night ACCOUNT REGION VAULT MACHINE...` lets AWS Backup make a recovery point of each machine,
//! `judge` has all exchanges judged. Each is answered by `ok` or by what is wrong.

use std::io::{BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use caretaker_aws_shim::{Explorer, Point, Rows, Watch, judge, resource};
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds, PROJECT, SUBSCRIPTION};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("give a folder")?.into();
    let address: IpAddr = std::env::args().nth(3).map_or(Ok(Ipv4Addr::LOCALHOST.into()), |text| text.parse())?;
    let clouds = Clouds::start_on(&folder, address)?;
    let (secrets, spec) = clouds.provider();
    let runtime = tokio::runtime::Runtime::new()?;
    let watch = Watch::judged();
    let upstream = std::env::args().nth(2).context("give the address of an AWS emulator")?;
    let aws = runtime.block_on(caretaker_aws_shim::start_at(&upstream, watch.clone(), address))?;
    let shown = json!({
        "environment": clouds.environment(), "secrets": secrets, "spec": spec,
        "azure": {"subscriptionId": SUBSCRIPTION, "tenantId": CLIENT_TENANT}, "gcp": {"projectId": PROJECT}, "aws": {"endpoint": aws},
    });
    println!("{shown}");
    for line in std::io::stdin().lock().lines() {
        match command((&clouds, &watch), &line?) {
            Ok(()) => println!("ok"),
            Err(error) => println!("{}", format!("{error:#}").replace('\n', " ")),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn command((clouds, watch): (&Clouds, &Watch), line: &str) -> Result<()> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("azure", file) => clouds.apply_azure(&std::fs::read_to_string(file)?),
        ("google", file) => clouds.apply_google(&std::fs::read_to_string(file)?),
        ("control", files) => {
            let (azure, google) = files.split_once(' ').context("name two files")?;
            clouds.apply_control(&std::fs::read_to_string(azure)?, &std::fs::read_to_string(google)?)
        }
        ("furnish", account) => {
            clouds.furnish();
            furnish(watch, account);
            Ok(())
        }
        ("night", what) => night(watch, &what.split(' ').collect::<Vec<_>>()),
        ("judge", _) => {
            clouds.judge()?;
            judge::judge(&watch.exchanges())
        }
        (other, _) => bail!("unknown command {other}"),
    }
}

/// Each machine has a recovery point, made an hour ago.
fn night(watch: &Watch, words: &[&str]) -> Result<()> {
    let [account, region, vault, machines @ ..] = words else { bail!("name account, region, vault and machines") };
    let made = Timestamp::now() - SignedDuration::from_hours(1);
    watch.backups(account, region, |held| {
        for (number, machine) in machines.iter().enumerate() {
            let (image, source) =
                (format!("arn:aws:ec2:{region}::image/ami-{number:017x}"), format!("arn:aws:ec2:{region}:{account}:instance/{machine}"));
            held.points.push(Point::new(&image, vault, &source, made));
        }
    });
    Ok(())
}

/// Resource Explorer is on in two regions of the client's account on AWS, one of which has the copy of all.
fn furnish(watch: &Watch, account: &str) {
    let [home, far] = ["eu-west-1", "us-east-1"];
    let shown = vec![
        resource("sqs:queue", (account, home), "orders", &[("team", "shop")]),
        resource("sns:topic", (account, far), "orders-placed", &[("team", "shop")]),
        resource("cloudfront:distribution", (account, "global"), "distribution/E2CARETAKER", &[]),
    ];
    let indexes = [(home, shown), (far, Vec::new())].map(|(region, rows)| (region.to_owned(), Rows::These(rows)));
    watch.set_explorer(account, Explorer { aggregator: Some(home.into()), ..Explorer::on(indexes.into()) });
}
