//! A policy, its accounts, a ledger and the client's word, as the tests drive them.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::BackupPolicy;
use caretaker_api::change_request::{ChangeDecision, ChangeRequest};
use caretaker_api::cloud_account::Capability;
use caretaker_api::words::ChangeState;
use caretaker_cloud::{BackupPlanState, CloudError, ErrorClass, Receipt, SelectionState, StepOutcome, VaultState};
use serde_json::json;

use super::super::*;
use crate::backup_policy::conversation::{Answer, Ask, Conversation};
use crate::backup_policy::{AccountView, Done, Observed};
use crate::contract::{Permit, Verdict};
use crate::ledger::{Actor, Body, Entry, Operation};

pub fn policy(days: u32) -> BackupPolicy {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main", "namespace": "client-acme", "uid": "p"},
        "spec": {
            "accounts": ["one", "two"], "dailyAt": "03:05", "retentionDays": days, "tag": {"key": "backup", "value": "daily"},
            "regions": ["eu-west-1"],
        },
        "status": {"protection": {"assets": 7}},
    }))
    .unwrap()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub const BEGIN: &str = "2026-01-01T00:00:00Z";
pub const AFTER: &str = "2026-01-08T00:00:00Z";

/// Clouds, store and API server: what survives the operator.
#[derive(Default)]
pub struct World {
    pub ledger: Vec<Entry>,
    pub clouds: BTreeMap<String, ProtectionState>,
    pub objects: Vec<(String, ChangeRequestSpec)>,
    /// How often each write changed something.
    pub done: BTreeMap<(String, String), u32>,
    /// Accounts that cannot be read.
    pub dark: BTreeSet<String>,
    /// Accounts whose writes are refused.
    pub refuses: BTreeSet<String>,
    /// Accounts that allow no write.
    pub closed: BTreeSet<String>,
    /// Writes until the operator dies; it lives for good without.
    pub lives_for: Option<usize>,
    pub verdict: Option<Verdict>,
    pub days: u32,
    pub now: Option<Timestamp>,
}

pub struct Died;

impl World {
    pub fn new() -> Self {
        let clouds = ["one", "two"].map(|name| (name.to_owned(), ProtectionState::default())).into();
        Self { clouds, days: 30, ..Self::default() }
    }

    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(|| at(BEGIN))
    }

    /// A write. The operator may die before it, which is after the one before.
    pub fn write(&mut self) -> Result<(), Died> {
        match &mut self.lives_for {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub fn tell(&mut self, subject: &str, permit: Option<&Permit>, body: Body) -> Result<(), Died> {
        self.write()?;
        let by = Actor { approval: permit.and_then(|permit| permit.approval().cloned()), ..Actor::default() };
        self.ledger.push(Entry { at: self.now(), operation: Operation::default(), subject: subject.into(), by, body });
        Ok(())
    }

    pub fn decide(&mut self, permit: Option<&Permit>, decision: Decision) -> Result<(), Died> {
        let is_it =
            |entry: &Entry| matches!(&entry.body, Body::Decision(told) if told.about == decision.about && told.decided == decision.decided);
        if self.ledger.iter().any(is_it) { Ok(()) } else { self.tell("", permit, Body::Decision(decision)) }
    }

    pub fn changes(&self) -> Vec<Change> {
        let one = |(name, spec): &(String, ChangeRequestSpec)| {
            let (name, uid) = (name.clone(), format!("uid-{name}"));
            let mut progress = Progress::default();
            self.ledger.iter().filter(|entry| Progress::about(entry) == Some(&uid)).for_each(|entry| progress.take(entry));
            let standing = standing((&name, &uid), spec, &progress, self.now());
            Change { name, uid, spec: spec.clone(), progress, standing }
        };
        self.objects.iter().map(one).collect()
    }

    pub fn word(&mut self, verdict: ChangeVerdict) {
        let spec = &mut self.objects.last_mut().expect("a change was proposed").1;
        spec.decision = Some(ChangeDecision { verdict, by: "jo".into(), digest: spec.digest.clone(), reason: "because".into() });
    }

    pub fn perform(
        &mut self,
        permit: &Permit,
        account: &str,
        (key, step): (&str, &CloudStep),
    ) -> Result<Result<Receipt, CloudError>, Died> {
        let open = self.ledger.iter().rev().find_map(|entry| match &entry.body {
            Body::Intent { key: told, .. } if told == key && entry.subject == account => Some(true),
            Body::Receipt { key: told, .. } | Body::Failure { key: told, .. } if told == key && entry.subject == account => Some(false),
            _ => None,
        });
        if open != Some(true) {
            let intent = Body::Intent { key: key.into(), what: step.describe(), reverse: String::new(), step: step.clone() };
            self.tell(account, Some(permit), intent)?;
        }
        self.write()?;
        if self.refuses.contains(account) {
            let error = CloudError::new(ErrorClass::Denied, "call", "no");
            self.tell(account, Some(permit), Body::Failure { key: key.into(), error: error.to_string() })?;
            return Ok(Err(error));
        }
        let times = self.done.entry((account.into(), key.into())).or_default();
        let outcome = if *times == 0 { StepOutcome::Done } else { StepOutcome::AlreadyDone };
        if outcome == StepOutcome::Done {
            *times += 1;
            change(self.clouds.get_mut(account).expect("an account"), step);
        }
        let receipt = Receipt { outcome, id: None, calls: vec!["call".into()] };
        self.tell(account, Some(permit), Body::Receipt { key: key.into(), receipt: receipt.clone() })?;
        Ok(Ok(receipt))
    }

    pub fn answer(&mut self, account: &str, ask: Ask, permit: &mut Option<Permit>) -> Result<Answer, Died> {
        Ok(match ask {
            Ask::Connect(_) => Answer::Connected(Ok(!self.dark.contains(account))),
            Ask::Protection(..) => Answer::Protection(Ok(self.clouds[account].clone())),
            Ask::Begin(name) => {
                let change = self.changes().into_iter().find(|change| change.name == name).expect("a change");
                let (Standing::Approved(approval) | Standing::Begun(approval)) = change.standing else { return Ok(Answer::Begun(false)) };
                *permit = Some(Permit::approved(approval.clone()));
                let decision = Decision { about: approval.uid, decided: Decided::Approved, by: approval.by, text: String::new() };
                self.decide(permit.as_ref(), decision)?;
                Answer::Begun(true)
            }
            Ask::Perform(key, step) => {
                let permit = permit.clone().or_else(|| self.verdict.clone().unwrap_or(Verdict::Propose).permit());
                Answer::Performed(self.perform(&permit.expect("nothing is written without a permit"), account, (&key, &step))?)
            }
        })
    }

    /// One visit of the policy, and one of each change.
    pub fn visit(&mut self) -> Result<Done, Died> {
        let view = |name: &&str| {
            let allow = if self.closed.contains(*name) { Vec::new() } else { vec![Capability::Backup] };
            AccountView {
                name: (*name).into(),
                cloud: caretaker_cloud::Cloud::Aws,
                allow,
                backup_role: "role".into(),
                is_proven: true,
                selected: None,
                state: None,
            }
        };
        let accounts = ["one", "two"].iter().map(view).collect();
        let verdict = self.verdict.clone().unwrap_or(Verdict::Propose);
        let observed = Observed { accounts, verdict, changes: self.changes(), ..Observed::default() };
        let policy = policy(self.days);
        let mut conversation = Conversation::new("acme", &policy, &observed);
        let (mut answer, mut permit) = (None, None);
        while let Some((account, ask)) = conversation.next(answer.take()) {
            answer = Some(self.answer(&account, ask, &mut permit)?);
        }
        let done = conversation.into_done();
        for (change, why) in &done.settled.voids {
            self.decide(None, Decision { about: change.uid.clone(), decided: Decided::Void, by: String::new(), text: why.clone() })?;
        }
        for accounts in &done.settled.proposes {
            let spec = proposal(&policy, accounts.clone(), &|_| "id".into(), self.now());
            let name = name("main", &spec.digest, &self.changes());
            self.write()?;
            self.objects.push((name, spec));
        }
        for change in self.changes() {
            if let (Standing::Over(end), None) = (&change.standing, &change.progress.ended) {
                self.decide(None, end.clone())?;
            }
        }
        Ok(done)
    }

    pub fn live(&mut self) -> Done {
        self.lives_for = None;
        self.visit().unwrap_or_else(|Died| unreachable!("it lives for good"))
    }

    pub fn states(&self) -> Vec<ChangeState> {
        let state = |change: Change| {
            let object = ChangeRequest::new(&change.name, change.spec.clone());
            status(&object, &change, self.now()).0.state
        };
        self.changes().into_iter().map(state).collect()
    }

    pub fn writes(&self) -> u32 {
        self.done.values().sum()
    }
}

/// What a step does to an account.
pub fn change(state: &mut ProtectionState, step: &CloudStep) {
    match step {
        CloudStep::CreateVault { region, name } => {
            state.vaults.push(VaultState { region: region.clone(), name: name.clone(), ..VaultState::default() });
        }
        CloudStep::CreatePlan { region, name, vault, schedule, retention_days } => state.plans.push(BackupPlanState {
            region: region.clone(),
            id: "p".into(),
            name: name.clone(),
            vault: vault.clone(),
            schedule: schedule.clone(),
            retention_days: *retention_days,
            rules: 1,
            selections: Vec::new(),
        }),
        CloudStep::UpdatePlan { retention_days, .. } => state.plans[0].retention_days = *retention_days,
        CloudStep::CreateSelection { name, tag_key, tag_value, role_arn, .. } => state.plans[0].selections.push(SelectionState {
            id: "s".into(),
            name: name.clone(),
            tag_key: tag_key.clone(),
            tag_value: tag_value.clone(),
            role_arn: role_arn.clone(),
            beyond: Vec::new(),
        }),
        other => panic!("{other:?}"),
    }
}
