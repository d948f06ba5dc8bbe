//! Incidents for the bundle: the records of those that are closed as they are in the store, and the others as they stand now.

use caretaker_api::incident::IncidentState;
use caretaker_api::names::client_namespace;
use caretaker_api::{Incident, ManagedClient};
use caretaker_bundle::{Entry, Source};
use caretaker_core::handover::parts::Gap;
use caretaker_core::incident::{IncidentsPlace, Record};
use caretaker_engine::Failure;
use kube::ResourceExt;
use tempfile::{NamedTempFile, TempPath};

use crate::context::Context;
use crate::incident::records;

/// The part's folder in the bundle.
const PART: &str = "09-incidents-tickets";

/// Entries, the copies that they name, and gaps of a bundle that is made.
type Made<'a> = (&'a mut Vec<Entry>, &'a mut Vec<TempPath>, &'a mut Vec<Gap>);

/// Adds what goes in, and a gap for each record that the store has lost.
pub async fn add(ctx: &Context, client: &ManagedClient, (entries, copies, gaps): Made<'_>) -> Result<(), Failure> {
    let name = client.name_any();
    let folder = IncidentsPlace { client: name.clone(), uid: client.uid().unwrap_or_default() }.folder();
    for address in records(ctx, client).everything().await.map_err(Failure::store)? {
        let Some(rest) = address.strip_prefix(&folder) else { continue };
        let copy = NamedTempFile::new().map_err(|error| Failure::local("copy incidents", error))?.into_temp_path();
        match ctx.store.get_file(&address, &copy).await {
            Ok(()) => {}
            Err(error) if error.is_loss() => {
                gaps.push(Gap::new(PART, format!("a record is lost: {error}")));
                continue;
            }
            Err(error) => return Err(Failure::store(error)),
        }
        entries.push(Entry { path: format!("{PART}{rest}"), true_name: None, source: Source::File(copy.to_path_buf()) });
        copies.push(copy);
    }
    for incident in ctx.cache.list_typed::<Incident>(Some(&client_namespace(&name))) {
        let status = incident.status.as_ref();
        if status.is_some_and(|status| status.state == IncidentState::Closed && status.record.is_some()) {
            continue;
        }
        let text = String::from_utf8_lossy(&Record::of(&name, &incident).bytes()).into_owned();
        entries.push(Entry::text(format!("{PART}/open/{}.json", incident.name_any()), text));
    }
    Ok(())
}
