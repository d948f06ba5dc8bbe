//! The ledgers of clients in the store: reading, writing behind the end, and what is wrong with them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use caretaker_api::exit_terms::DataStore;
use caretaker_api::handover::{HandoverStatus, HandoverStep, StepState};
use caretaker_api::lifecycle::ClientBaseline;
use caretaker_core::change_request::Progress;
use caretaker_core::contract::emergency::Told;
use caretaker_core::digest::sha256_hex;
use caretaker_core::ledger::exit::Fold;
use caretaker_core::ledger::{Body, Broken, Chain, Entry, Head, Place, WriteState, chain};
use caretaker_core::ownership::Kind;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};

use crate::object::{Store, StoreError};

/// Segments that are read at once.
const AT_ONCE: usize = 16;
/// How often another writer may win before an append gives up.
const TRIES: usize = 5;
/// How long a list of segments is taken for true.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The ledgers of all clients, as far as this process has read them. Clones share what was read.
#[derive(Clone, Debug)]
pub struct Ledgers {
    store: Store,
    open: Arc<Mutex<HashMap<Place, Arc<tokio::sync::Mutex<Open>>>>>,
}

/// One ledger that was read.
#[derive(Debug, Default)]
struct Open {
    is_read: bool,
    head: Head,
    faults: Vec<Broken>,
    exits: HashMap<String, Fold>,
    /// How far the erasure of each kind of data is.
    erasures: HashMap<DataStore, ErasureTold>,
    /// Keys of writes of which it is not known whether they were made.
    open_intents: HashSet<String>,
    /// ChangeRequests by UID.
    changes: HashMap<String, Progress>,
    /// What was decided.
    decided: Told,
    /// The inventory that was frozen at the beginning of Active, the first where it was told twice.
    baseline: Option<ClientBaseline>,
    listed_at: Option<Timestamp>,
}

/// What a ledger tells of the erasure of one kind of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureTold {
    /// Objects that were found when it began, the most where it began twice.
    pub objects: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether it is told that they are gone.
    pub is_done: bool,
}

/// The end of a ledger, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The end.
    pub head: Head,
    /// Everything that is wrong; empty where it is whole.
    pub faults: Vec<Broken>,
}

impl Ledgers {
    /// Ledgers in a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, open: Arc::default() }
    }

    /// Writes entries behind the end of a ledger, as one segment, and gives the new end. `known` is the end that the cluster has on record. Nothing is
    /// written where there are no entries.
    ///
    /// # Errors
    /// See [`StoreError`]. After an error nothing, or all of it, was written; the next append finds out.
    ///
    /// # Panics
    /// Never.
    pub async fn append(&self, place: &Place, known: &Head, entries: &[Entry]) -> Result<Head, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        if entries.is_empty() {
            return Ok(open.head.clone());
        }
        for _ in 0..TRIES {
            let (number, bytes) = chain::next(place, &open.head, entries);
            let (address, digest, bytes) = (place.address(number), sha256_hex(&bytes), Bytes::from(bytes));
            // The answer to an earlier try may have been lost on its way.
            if self.store.create(&address, bytes.clone()).await? || self.store.get(&address).await? == bytes {
                open.head = Head { number, digest };
                open.take(entries);
                return Ok(open.head.clone());
            }
            *open = Open::default();
            self.read_once(&mut open, place, known).await?;
        }
        Err(StoreError::Unreachable(format!("another process writes the ledger of client {} all the time", place.client)))
    }

    /// The state of an exit by the UID of its Handover; `None` where the ledger knows nothing of it.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn exit(&self, place: &Place, known: &Head, uid: &str) -> Result<Option<HandoverStatus>, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.exits.get(uid).map(|fold| fold.state().clone()))
    }

    /// Whether a write was intended under a key, and nothing is told of what came of it. Whoever repeats the write need not intend it again.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn is_open(&self, place: &Place, known: &Head, key: &str) -> Result<bool, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.open_intents.contains(key))
    }

    /// How far the erasure of a kind of data is; `None` where it did not begin.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn erasure(&self, place: &Place, known: &Head, store: DataStore) -> Result<Option<ErasureTold>, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.erasures.get(&store).copied())
    }

    /// What was done of a change by the UID of its ChangeRequest.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn change(&self, place: &Place, known: &Head, uid: &str) -> Result<Progress, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.changes.get(uid).cloned().unwrap_or_default())
    }

    /// Everything that was decided about changes and emergencies.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn decided(&self, place: &Place, known: &Head) -> Result<Told, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.decided.clone())
    }

    /// The inventory that was frozen at the beginning of Active; `None` where none was.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn baseline(&self, place: &Place, known: &Head) -> Result<Option<ClientBaseline>, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        self.read_once(&mut open, place, known).await?;
        Ok(open.baseline.clone())
    }

    /// The end of a ledger and what is wrong with it. Every segment is read once in a process; afterwards, once an hour, it is looked whether all are there.
    ///
    /// # Errors
    /// See [`StoreError`].
    ///
    /// # Panics
    /// Never.
    pub async fn check(&self, place: &Place, known: &Head, now: Timestamp) -> Result<Verdict, StoreError> {
        let ledger = self.ledger(place);
        let mut open = ledger.lock().await;
        let is_old = open.listed_at.is_none_or(|at| now.duration_since(at) >= LISTED_FOR);
        if is_old && open.is_read && self.numbers(place).await? != (1..=open.head.number).collect::<Vec<_>>() {
            let end = open.head.clone();
            *open = Open::default();
            self.read_once(&mut open, place, &end).await?;
        }
        self.read_once(&mut open, place, known).await?;
        if is_old {
            open.listed_at = Some(now);
        }
        Ok(Verdict { head: open.head.clone(), faults: open.faults.clone() })
    }

    fn ledger(&self, place: &Place) -> Arc<tokio::sync::Mutex<Open>> {
        self.open.lock().expect("no panic while held").entry(place.clone()).or_default().clone()
    }

    async fn numbers(&self, place: &Place) -> Result<Vec<u64>, StoreError> {
        numbers(&self.store, place).await
    }

    async fn read_once(&self, open: &mut Open, place: &Place, known: &Head) -> Result<(), StoreError> {
        if open.is_read && known.number <= open.head.number {
            return Ok(());
        }
        let mut fresh = Open { is_read: true, listed_at: open.listed_at, ..Open::default() };
        let verdict = follow(&self.store, place, known, |_, entries| fresh.take(&entries)).await?;
        *open = Open { head: verdict.head, faults: verdict.faults, ..fresh };
        Ok(())
    }
}

impl Open {
    /// Of rehearsals that have ended nothing is kept in memory: nobody asks for it any more.
    fn take(&mut self, entries: &[Entry]) {
        for entry in entries {
            match &entry.body {
                Body::Intent { key, .. } => drop(self.open_intents.insert(key.clone())),
                Body::Receipt { key, .. } | Body::Failure { key, .. } => drop(self.open_intents.remove(key)),
                Body::Erasure { store, objects, bytes, state } => {
                    let known = self.erasures.entry(*store).or_default();
                    (known.objects, known.bytes) = (known.objects, known.bytes).max((*objects, *bytes));
                    known.is_done |= *state == WriteState::Done;
                }
                Body::Baseline { baseline, .. } => drop(self.baseline.get_or_insert_with(|| baseline.clone())),
                Body::Decision(decision) => drop(self.decided.insert((decision.about.clone(), decision.decided))),
                _ => {}
            }
            if let Some(uid) = Progress::about(entry) {
                self.changes.entry(uid.to_owned()).or_default().take(entry);
            }
        }
        for entry in entries.iter().filter(|entry| entry.operation.kind == Kind::Handover.as_str()) {
            let uid = &entry.operation.uid;
            let fold = self.exits.entry(uid.clone()).or_default();
            fold.take(&entry.subject, &entry.body);
            let is_in =
                |step: HandoverStep, state: StepState| fold.state().steps.iter().any(|record| record.step == step && record.state == state);
            if is_in(HandoverStep::Accept, StepState::Skipped) && is_in(HandoverStep::Done, StepState::Completed) {
                self.exits.remove(uid);
            }
        }
    }
}

async fn numbers(store: &Store, place: &Place) -> Result<Vec<u64>, StoreError> {
    Ok(store.list(&place.folder()).await?.iter().filter_map(|address| Place::number(address)).collect())
}

/// Writes every segment of a ledger behind the other, byte for byte, and says what is wrong with the chain.
///
/// # Errors
/// See [`StoreError`]; [`StoreError::Local`] where the target takes no bytes.
pub async fn export(
    store: &Store,
    place: &Place,
    known: &Head,
    target: &mut impl std::io::Write,
) -> Result<(Vec<Entry>, Verdict), StoreError> {
    let mut chain = Chain::new(place.clone(), known.clone());
    let mut all = Vec::new();
    for number in numbers(store, place).await? {
        let bytes = store.get(&place.address(number)).await?;
        target.write_all(&bytes).map_err(|error| StoreError::local("write out a ledger", error))?;
        all.extend(chain.take(number, &bytes));
    }
    let (head, faults) = chain.finish();
    Ok((all, Verdict { head, faults }))
}

/// Follows a ledger from its beginning, hands over the number and the entries of each segment, and says what is wrong.
///
/// # Errors
/// See [`StoreError`].
pub async fn follow(store: &Store, place: &Place, known: &Head, mut each: impl FnMut(u64, Vec<Entry>)) -> Result<Verdict, StoreError> {
    let mut chain = Chain::new(place.clone(), known.clone());
    let wanted = futures::stream::iter(numbers(store, place).await?);
    let mut read = wanted.map(|number| async move { Ok((number, store.get(&place.address(number)).await?)) }).buffered(AT_ONCE);
    while let Some((number, bytes)) = read.try_next().await.map_err(|error: StoreError| error)? {
        let entries = chain.take(number, &bytes);
        each(number, entries);
    }
    let (head, faults) = chain.finish();
    Ok(Verdict { head, faults })
}

/// The ledgers in the store: all of them, or those of one client. A client that was made anew under its old name has several.
///
/// # Errors
/// See [`StoreError`].
pub async fn places(store: &Store, client: &str) -> Result<Vec<Place>, StoreError> {
    let mut found: Vec<Place> = Vec::new();
    for address in store.list(&format!("clients/{client}/ledger")).await? {
        let mut parts = address.split('/').skip(1);
        if let (Some(client), Some("ledger"), Some(uid)) = (parts.next(), parts.next(), parts.next()) {
            let place = Place { client: client.into(), uid: uid.into() };
            if found.last() != Some(&place) {
                found.push(place);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::CloudStep;
    use caretaker_core::ledger::Operation;

    use super::*;

    fn place() -> Place {
        Place { client: "acme".into(), uid: "u1".into() }
    }

    fn entry(text: &str) -> Entry {
        Entry {
            at: Timestamp::UNIX_EPOCH,
            operation: Operation { kind: "BackupPolicy".into(), name: "main".into(), uid: "b".into() },
            subject: "prod".into(),
            by: Default::default(),
            body: Body::Failure { key: "k".into(), error: text.into() },
        }
    }

    async fn texts(store: &Store) -> Vec<String> {
        let mut found = Vec::new();
        let verdict = follow(store, &place(), &Head::default(), |_, entries| found.extend(entries)).await.unwrap();
        assert_eq!(verdict.faults, []);
        found.iter().map(Entry::describe).collect()
    }

    #[tokio::test]
    async fn of_two_writers_none_loses_an_entry_and_none_overwrites_the_other_s() {
        let store = Store::in_memory();
        let (one, other) = (Ledgers::new(store.clone()), Ledgers::new(store.clone()));
        let none = Head::default();
        one.append(&place(), &none, &[entry("a")]).await.unwrap();
        other.append(&place(), &none, &[entry("b")]).await.unwrap();
        // This one still takes the first segment for the last.
        let head = one.append(&place(), &none, &[entry("c"), entry("d")]).await.unwrap();
        assert_eq!(head.number, 3);
        assert_eq!(texts(&store).await, ["not done: a", "not done: b", "not done: c", "not done: d"]);
        assert_eq!(one.append(&place(), &none, &[]).await.unwrap(), head, "nothing is written for nothing");
    }

    #[tokio::test]
    async fn an_intent_stays_open_over_a_restart_until_its_outcome_is_told() {
        let (store, none) = (Store::in_memory(), Head::default());
        let step = CloudStep::CloseOwnRole { role: "r".into() };
        let intent = Body::Intent { key: "k".into(), what: step.describe(), reverse: String::new(), step };
        let is_open = async |ledgers: &Ledgers| ledgers.is_open(&place(), &none, "k").await.unwrap();
        let ledgers = Ledgers::new(store.clone());
        assert!(!is_open(&ledgers).await);
        ledgers.append(&place(), &none, &[Entry { body: intent, ..entry("") }]).await.unwrap();
        assert!(is_open(&ledgers).await && is_open(&Ledgers::new(store.clone())).await);
        // Its key is that of the failure which `entry` makes.
        ledgers.append(&place(), &none, &[entry("refused")]).await.unwrap();
        assert!(!is_open(&ledgers).await && !is_open(&Ledgers::new(store)).await);
    }

    /// A process that died after it had told the end of an erasure, and before the status had it, must not tell it again.
    #[tokio::test]
    async fn how_far_an_erasure_is_outlives_the_process_that_told_it() {
        let (store, none) = (Store::in_memory(), Head::default());
        let told = async |kind| Ledgers::new(store.clone()).erasure(&place(), &none, kind).await.unwrap();
        let tell = async |state, objects| {
            let body = Body::Erasure { store: DataStore::Bundles, state, objects, bytes: 7 };
            Ledgers::new(store.clone()).append(&place(), &none, &[Entry { body, ..entry("") }]).await.unwrap();
        };
        assert_eq!(told(DataStore::Bundles).await, None);
        tell(WriteState::Intended, 3).await;
        assert_eq!(told(DataStore::Bundles).await, Some(ErasureTold { objects: 3, bytes: 7, is_done: false }));
        tell(WriteState::Intended, 1).await;
        tell(WriteState::Done, 1).await;
        assert_eq!(told(DataStore::Bundles).await, Some(ErasureTold { objects: 3, bytes: 7, is_done: true }), "the most that was found");
        assert_eq!(told(DataStore::Inventories).await, None);
    }

    #[tokio::test]
    async fn an_answer_that_was_lost_makes_no_second_segment() {
        let store = Store::in_memory();
        let ledgers = Ledgers::new(store.clone());
        // The write arrived, the process was told that it failed, and tries the same again.
        let (number, bytes) = chain::next(&place(), &Head::default(), &[entry("a")]);
        store.create(&place().address(number), bytes.into()).await.unwrap();
        let ledger = ledgers.ledger(&place());
        ledger.lock().await.is_read = true;
        let head = ledgers.append(&place(), &Head::default(), &[entry("a")]).await.unwrap();
        assert_eq!((head.number, texts(&store).await.len()), (1, 1));
    }

    #[tokio::test]
    async fn what_is_done_to_a_ledger_is_found_out_and_stays_known_after_a_restart() {
        let now = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let (store, none) = (Store::in_memory(), Head::default());
        let ledgers = Ledgers::new(store.clone());
        assert_eq!(ledgers.check(&place(), &none, now(0)).await.unwrap(), Verdict::default());
        for text in ["a", "b", "c"] {
            ledgers.append(&place(), &none, &[entry(text)]).await.unwrap();
        }
        let whole = ledgers.check(&place(), &none, now(1)).await.unwrap();
        assert_eq!((whole.head.number, whole.faults.as_slice()), (3, [].as_slice()));
        store.delete(&place().address(3)).await.unwrap();
        assert_eq!(ledgers.check(&place(), &whole.head, now(1)).await.unwrap().faults, [], "nobody looks twice within an hour");
        let cut = [Broken::Shortened { known: 3, found: 2 }];
        assert_eq!(ledgers.check(&place(), &whole.head, now(2)).await.unwrap().faults, cut);
        // It goes on behind what was lost, and the loss stays to be seen.
        let restarted = Ledgers::new(store.clone());
        let head = restarted.append(&place(), &whole.head, &[entry("d")]).await.unwrap();
        assert_eq!(head.number, 4);
        let told = Ledgers::new(store.clone()).check(&place(), &whole.head, now(3)).await.unwrap();
        assert_eq!(told.faults, [Broken::Lost { first: 3, last: 3 }]);
    }

    #[tokio::test]
    async fn each_client_that_ever_had_the_name_has_a_ledger_of_its_own() {
        let store = Store::in_memory();
        let ledgers = Ledgers::new(store.clone());
        let later = Place { uid: "u2".into(), ..place() };
        for place in [&place(), &later] {
            ledgers.append(place, &Head::default(), &[entry("a")]).await.unwrap();
        }
        assert_eq!(places(&store, "acme").await.unwrap(), [place(), later]);
        assert_eq!(places(&store, "acm").await.unwrap(), []);
    }
}
