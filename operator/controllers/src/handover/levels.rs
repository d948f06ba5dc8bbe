//! Service levels for the bundle: the reports, the measurements and the versions of the terms, byte for byte as they are in the store.

use caretaker_api::ManagedClient;
use caretaker_bundle::{Entry, Source};
use caretaker_core::handover::parts::Gap;
use caretaker_core::service_level::LevelsPlace;
use caretaker_engine::Failure;
use caretaker_store::levels::Levels;
use kube::ResourceExt;
use tempfile::{NamedTempFile, TempPath};

use crate::context::Context;

/// The part's folder in the bundle.
const PART: &str = "07-service-levels";

/// Entries, the copies that they name, and gaps of a bundle that is made.
type Made<'a> = (&'a mut Vec<Entry>, &'a mut Vec<TempPath>, &'a mut Vec<Gap>);

/// Adds what goes in, and a gap for each file that the store has lost.
pub async fn add(ctx: &Context, client: &ManagedClient, (entries, copies, gaps): Made<'_>) -> Result<(), Failure> {
    let place = LevelsPlace { client: client.name_any(), uid: client.uid().unwrap_or_default() };
    let folder = place.folder();
    let levels = Levels::new(ctx.store.clone(), place);
    for address in levels.everything().await.map_err(Failure::store)? {
        let Some(rest) = address.strip_prefix(&folder) else { continue };
        let copy = NamedTempFile::new().map_err(|error| Failure::local("copy service levels", error))?.into_temp_path();
        match ctx.store.get_file(&address, &copy).await {
            Ok(()) => {}
            Err(error) if error.is_loss() => {
                gaps.push(Gap::new(PART, format!("a file is lost: {error}")));
                continue;
            }
            Err(error) => return Err(Failure::store(error)),
        }
        entries.push(Entry { path: format!("{PART}{rest}"), true_name: None, source: Source::File(copy.to_path_buf()) });
        copies.push(copy);
    }
    Ok(())
}
