//! Pages, which the emulator does not make: its whole answer is cut into them, under tokens that fit one question of one account only.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use crate::answers::Rows;
use crate::backups::{path, vault_of_points};
use crate::call::{Call, Protocol};
use crate::fault::error;
use crate::xml;

/// Most rows of a page where no number is asked for.
const DEFAULT: usize = 1000;

/// A list that is cut into pages.
#[derive(Clone, Copy, Debug)]
pub struct List {
    service: &'static str,
    action: &'static str,
    /// Parameters: most rows of a page, and token.
    asked: (&'static str, &'static str),
    /// What holds the rows; in XML also what each row is called.
    held: (&'static str, &'static str),
    /// What holds the next token.
    next: &'static str,
    /// What says that there is more, where something does.
    more: Option<&'static str>,
    /// Which rows are asked for: a list in the request, and the member of a row that must be in it.
    chosen: Option<(&'static str, &'static str)>,
}

const fn ec2(action: &'static str, held: &'static str) -> List {
    let (asked, held) = (("MaxResults", "NextToken"), (held, "item"));
    List { service: "ec2", action, asked, held, next: "nextToken", more: None, chosen: None }
}

const fn rds(action: &'static str, held: (&'static str, &'static str)) -> List {
    List { service: "rds", action, asked: ("MaxRecords", "Marker"), held, next: "Marker", more: None, chosen: None }
}

const fn iam(action: &'static str, held: &'static str) -> List {
    let (asked, held) = (("MaxItems", "Marker"), (held, "member"));
    List { service: "iam", action, asked, held, next: "Marker", more: Some("IsTruncated"), chosen: None }
}

const fn json(service: &'static str, action: &'static str, held: &'static str) -> List {
    let (asked, held) = (("MaxResults", "NextToken"), (held, ""));
    List { service, action, asked, held, next: "NextToken", more: None, chosen: None }
}

/// The list of a vault's recovery points, whichever vault it is.
const POINTS: &str = "GET:backup-vaults:*:recovery-points";

/// All of them.
const LISTS: [List; 21] = [
    ec2("DescribeInstances", "reservationSet"),
    ec2("DescribeVolumes", "volumeSet"),
    ec2("DescribeSnapshots", "snapshotSet"),
    ec2("DescribeVpcs", "vpcSet"),
    ec2("DescribeSubnets", "subnetSet"),
    ec2("DescribeSecurityGroups", "securityGroupInfo"),
    rds("DescribeDBInstances", ("DBInstances", "DBInstance")),
    rds("DescribeDBClusters", ("DBClusters", "DBCluster")),
    iam("ListRoles", "Roles"),
    iam("ListUsers", "Users"),
    json("account", "POST:listRegions", "Regions"),
    json("resource-explorer-2", "POST:ListIndexes", "Indexes"),
    json("resource-explorer-2", "POST:ListResources", "Resources"),
    List { asked: ("maxResults", "nextToken"), ..json("backup", "GET:backup-vaults", "BackupVaultList") },
    List { asked: ("maxResults", "nextToken"), ..json("backup", POINTS, "RecoveryPoints") },
    List { asked: ("maxResults", "nextToken"), ..json("backup", "GET:backup-jobs", "BackupJobs") },
    List { asked: ("maxResults", "nextToken"), ..json("backup", "GET:restore-jobs", "RestoreJobs") },
    json("organizations", "ListAccounts", "Accounts"),
    List {
        asked: ("ResourcesPerPage", "PaginationToken"),
        next: "PaginationToken",
        chosen: Some(("ResourceARNList", "ResourceARN")),
        ..json("tagging", "GetResources", "ResourceTagMappingList")
    },
    json("ssm", "DescribeInstanceInformation", "InstanceInformationList"),
    List { chosen: Some(("InstanceIds", "InstanceId")), ..json("ssm", "DescribeInstancePatchStates", "InstancePatchStates") },
];

/// Whether an operation (`service/Action`) is one of the lists.
pub fn is_known(operation: &str) -> bool {
    LISTS.iter().any(|list| operation == format!("{}/{}", list.service, list.action))
}

/// The list that a call asks for.
pub fn list(call: &Call) -> Option<&'static List> {
    let action = if vault_of_points(&call.action).is_some() { POINTS } else { path(&call.action) };
    LISTS.iter().find(|list| list.service == call.service && list.action == action)
}

/// What one page is made from.
pub struct Cut<'a> {
    /// The account that is asked.
    pub account: &'a str,
    /// Rows that a test has given.
    pub given: Option<&'a Rows>,
    /// Most rows of a page.
    pub page_rows: Option<usize>,
    /// Whether the page is to name itself as the next one.
    pub repeats: bool,
}

impl List {
    /// The page that a call asks for, cut out of the emulator's whole answer.
    ///
    /// # Errors
    /// The token is not of this question: AWS's refusal.
    pub fn page(&self, call: &Call, whole: &str, cut: &Cut<'_>) -> Result<String, Box<Response<Body>>> {
        let rows = match cut.given {
            Some(rows) => self.chosen(call, rows)?,
            None => Rows::These(self.rows(whole)),
        };
        let question = question(call, cut.account);
        let token = call.parameter(self.asked.1).filter(|token| !token.is_empty());
        let from = match &token {
            None => 0,
            Some(token) => offset(token, question).ok_or_else(|| Box::new(refused(call)))?,
        };
        let asked = call.parameter(self.asked.0).and_then(|size| size.parse().ok()).unwrap_or(DEFAULT);
        let size = asked.min(cut.page_rows.unwrap_or(usize::MAX)).max(1);
        let (from, until) = (from.min(rows.len()), (from + size).min(rows.len()));
        let mut next = (until < rows.len()).then(|| format!("{question:016x}.{until}"));
        if cut.repeats {
            next = token.or(next);
        }
        Ok(self.frame(whole, &rows.slice(from..until), next.as_deref()))
    }

    fn is_json(&self) -> bool {
        self.held.1.is_empty()
    }

    /// The rows that the request names, where it names any. EC2 refuses a disk that is not there.
    fn chosen(&self, call: &Call, rows: &Rows) -> Result<Rows, Box<Response<Body>>> {
        let disks: Vec<String> = (1..).map_while(|number| call.parameter(&format!("VolumeId.{number}"))).collect();
        if !disks.is_empty() {
            let is_asked = |row: &String| disks.iter().any(|id| row.contains(&format!("<volumeId>{id}</volumeId>")));
            let found: Vec<String> = rows.slice(0..rows.len()).into_iter().filter(is_asked).collect();
            let is_whole = found.len() == disks.len();
            return if is_whole {
                Ok(Rows::These(found))
            } else {
                Err(Box::new(error(call, 400, "InvalidVolume.NotFound", "The volume does not exist", None)))
            };
        }
        let Some((asked, member)) = self.chosen else { return Ok(rows.clone()) };
        let Some(asked) = call.parameter(asked).and_then(|list| serde_json::from_str::<Vec<String>>(&list).ok()) else {
            return Ok(rows.clone());
        };
        let is_asked = |row: &String| {
            let row: Value = serde_json::from_str(row).unwrap_or_default();
            row[member].as_str().is_some_and(|id| asked.iter().any(|asked| asked == id))
        };
        Ok(Rows::These(rows.slice(0..rows.len()).into_iter().filter(is_asked).collect()))
    }

    fn rows(&self, whole: &str) -> Vec<String> {
        if self.is_json() {
            let body: Value = serde_json::from_str(whole).unwrap_or_default();
            return body[self.held.0].as_array().into_iter().flatten().map(Value::to_string).collect();
        }
        let Some((begin, end)) = xml::inside(whole, self.held.0) else { return Vec::new() };
        xml::elements(&whole[begin..end], self.held.1).into_iter().map(str::to_owned).collect()
    }

    /// The answer with these rows and this token.
    fn frame(&self, whole: &str, rows: &[String], next: Option<&str>) -> String {
        if self.is_json() {
            let mut body: Value =
                serde_json::from_str(whole).ok().filter(|body: &Value| body.get(self.held.0).is_some()).unwrap_or(json!({}));
            body[self.held.0] = rows.iter().filter_map(|row| serde_json::from_str::<Value>(row).ok()).collect();
            if let Some(next) = next {
                body[self.next] = next.into();
            }
            return body.to_string();
        }
        let Some((begin, end)) = xml::inside(whole, self.held.0) else {
            // The emulator knows nothing of what a test has given: an answer of our own in AWS's form.
            let (action, held) = (self.action, self.held.0);
            return format!(
                "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>given</requestId><{held}>{}</{held}></{action}Response>",
                rows.concat()
            );
        };
        let close = format!("</{}>", self.held.0);
        let after = end + close.len();
        let more = next.map(|next| format!("<{0}>{next}</{0}>", self.next)).unwrap_or_default();
        let mut text = format!("{}{}{close}{more}{}", &whole[..begin], rows.concat(), &whole[after..]);
        if let Some(flag) = self.more {
            text = text.replace(&format!("<{flag}>false</{flag}>"), &format!("<{flag}>{}</{flag}>", next.is_some()));
        }
        text
    }
}

fn question(call: &Call, account: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (call.name(), account).hash(&mut hasher);
    hasher.finish()
}

fn offset(token: &str, question: u64) -> Option<usize> {
    let (of, offset) = token.split_once('.')?;
    (of == format!("{question:016x}")).then(|| offset.parse().ok()).flatten()
}

fn refused(call: &Call) -> Response<Body> {
    let code = match call.protocol() {
        Protocol::Ec2 => "InvalidNextToken",
        Protocol::Query => "InvalidParameterValue",
        _ => "ValidationException",
    };
    error(call, 400, code, "The token is not valid for this request", None)
}
