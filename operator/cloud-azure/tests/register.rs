//! What is delegated beyond the kit, and every way in. Emulated: nothing here was proved against Azure.

mod common;

use std::collections::BTreeSet;

use caretaker_arm_simulator::eligible::Eligible;
use caretaker_arm_simulator::recovery::{Point, Vault};
use caretaker_arm_simulator::world::{DELEGATION_DELETE, Delegation, READER, Refusal};
use caretaker_cloud::manifest::{azure_actions, azure_entry};
use caretaker_cloud::{
    BackupJob, CloudStep, ErrorClass, ExcessStatement, Purpose, RecoveryPoint, RecoverySink, WantedPermission, WayIn, WayKind,
};
use common::{CLIENT, OBJECT, SUBSCRIPTION, Stage, delegated, delegation};
use jiff::Timestamp;

const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const UNKNOWN: &str = "abcdefab-0000-4000-8000-00000000000f";
const LIST: &str = "registrationAssignments";

fn wanted(purposes: &[Purpose]) -> Vec<WantedPermission> {
    let actions = purposes.iter().flat_map(|purpose| azure_actions(*purpose));
    actions.map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
}

fn whole() -> Vec<WantedPermission> {
    wanted(&[Purpose::Read, Purpose::Revoke])
}

/// A delegation that grants more than the kit does, and one of another provider's.
fn widened(stage: &Stage) {
    let stranger = Delegation { tenant_id: CLIENT.into(), ..delegation(3, &[CONTRIBUTOR]) };
    stage.edit(|subscription| {
        *subscription = delegated();
        subscription.delegations.extend([delegation(2, &[READER, CONTRIBUTOR, UNKNOWN]), stranger]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kit_delegates_is_not_too_much_and_any_other_role_is_named() {
    let stage = Stage::new().await;
    let link = stage.link(Purpose::Read).await;
    let report = link.excess(&whole()).await.expect("an answer");
    assert_eq!((report.statements, report.unknown), (vec![], None));
    widened(&stage);
    let report = link.excess(&whole()).await.expect("an answer");
    let name = format!("the delegation \"Simulated\" ({}), authorization of {OBJECT}", delegation(2, &[]).name);
    let expected = [ExcessStatement { name, beyond: vec!["Contributor".into(), format!("role {UNKNOWN}")] }];
    assert_eq!((report.statements.as_slice(), report.unknown), (expected.as_slice(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_does_not_tell_is_unknown_and_never_none() {
    let stage = Stage::new().await;
    widened(&stage);
    let link = stage.link(Purpose::Read).await;
    stage.rule(LIST, "", Refusal::Denied, (0, Some(2)));
    let report = link.excess(&whole()).await.expect("an answer");
    assert!(report.unknown.is_some() && report.statements.is_empty(), "{report:?}");
    assert_eq!(report, link.excess(&whole()).await.expect("an answer"), "the words stay the same");
    stage.rule(LIST, "", Refusal::Server(500), (0, Some(2)));
    assert_eq!(link.excess(&whole()).await.expect_err("no answer").class, ErrorClass::Unreachable);
    assert_eq!(link.ways_in().await.expect_err("no answer").class, ErrorClass::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delegation_is_listed_with_what_can_be_switched_on() {
    let stage = Stage::new().await;
    widened(&stage);
    let person = "12121212-0000-4000-8000-00000000000f";
    let eligible =
        Eligible { delegation: delegation(2, &[]).name, object_id: person.into(), role: CONTRIBUTOR.into(), at_most: "PT4H".into() };
    stage.simulator.change(|world| world.eligible.push(eligible));
    let link = stage.link(Purpose::Read).await;
    let register = link.ways_in().await.expect("an answer");
    assert!(register.unread.is_empty(), "{register:?}");
    let found = |kind: WayKind| register.ways.iter().filter(|way| way.kind == kind).collect::<Vec<&WayIn>>();
    let standing = found(WayKind::Delegation);
    let roles: BTreeSet<&str> = standing.iter().map(|way| way.grants[0].as_str()).collect();
    let unknown = format!("role {UNKNOWN}");
    let expected = ["Contributor", "Managed Services Registration assignment Delete Role", "Reader", unknown.as_str()];
    assert_eq!((standing.len(), roles), (5, BTreeSet::from(expected)), "{standing:?}");
    assert!(standing.iter().all(|way| way.principal == OBJECT && way.scope.starts_with(&format!("subscriptions/{SUBSCRIPTION} by "))));
    let switchable = found(WayKind::EligibleDelegation);
    assert_eq!(switchable.len(), 1);
    assert_eq!((switchable[0].principal.as_str(), switchable[0].grants[0].as_str()), (person, "Contributor, switched on for at most PT4H"));
    stage.rule(LIST, "", Refusal::Denied, (0, Some(1)));
    let register = link.ways_in().await.expect("an answer");
    assert!(register.ways.is_empty() && register.unread.len() == 1, "{register:?}");
}

/// Takes what can be restored, and keeps nothing of it.
struct Nothing;

impl RecoverySink for Nothing {
    fn point(&mut self, _point: RecoveryPoint) {}

    fn job(&mut self, _job: BackupJob) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_made_is_in_the_manifest() {
    let stage = Stage::new().await;
    let link = stage.link(Purpose::Read).await;
    link.permissions(&whole()).await.expect("an answer");
    link.excess(&whole()).await.expect("an answer");
    link.ways_in().await.expect("an answer");
    stage.edit(|subscription| subscription.resources = vec![common::resource("Contoso.Rockets/engines", "one", "westeurope")]);
    let gathered = common::gather(link.as_ref(), &caretaker_cloud::Scope::default()).await;
    // Of a type that nobody knows, only the versions are asked for; of others also the thing itself, whose path is its id.
    link.exists(&gathered.assets[0]).await.expect("an answer");
    stage.edit(|subscription| {
        let mut vault = Vault::new("prod", "acme-backups", "westeurope");
        let machine = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/prod/providers/Microsoft.Compute/virtualMachines/web");
        vault.item(&machine).points.push(Point { name: "point-1".into(), at: Timestamp::now(), is_valid: true });
        subscription.vaults.push(vault);
    });
    link.recovery("westeurope", Timestamp::UNIX_EPOCH, &mut Nothing).await.expect("an answer");
    let step = CloudStep::DeleteDelegation { subscription_id: SUBSCRIPTION.into() };
    stage.link(Purpose::Revoke).await.perform("key", &step).await.expect("we may leave");
    let tables = [azure_entry(), azure_actions(Purpose::Read), azure_actions(Purpose::Revoke)];
    let named: BTreeSet<&str> = tables.into_iter().flatten().flat_map(|action| action.call.split(", ")).collect();
    // The exchange of the token is not kept, since the secret is in it.
    let mut made = BTreeSet::from(["POST /{tenant}/oauth2/v2.0/token".to_owned()]);
    for exchange in stage.simulator.exchanges() {
        let path = exchange.url.split('?').next().unwrap_or_default().to_owned();
        let mut path = path.replace(SUBSCRIPTION, "{id}").replace("Prod%20%281%29", "{group}");
        path = path.replace(&format!("/{}", delegation(1, &[DELEGATION_DELETE]).name), "/{name}");
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        match last.as_str() {
            "recoveryPoints" => path = "{protected item}/recoveryPoints".into(),
            "backupJobs" | "backupProtectedItems" => path = format!("{{vault}}/{last}"),
            _ => {}
        }
        made.insert(format!("{} {path}", exchange.method));
    }
    let made: BTreeSet<&str> = made.iter().map(String::as_str).collect();
    assert_eq!(made, named, "the manifest names the calls that are made, and no others");
}
