//! Cloud Asset: the list of machines with what VM Manager knows of them.

use serde_json::{Value, json};

use crate::assets::{offset, token_of};
use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::World;

/// Most rows of a page.
const MAX_PAGE: usize = 1000;
/// Rows of a page where none are asked for.
const DEFAULT_PAGE: usize = 100;

/// A page of the machines of a project that have an inventory.
pub fn list(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let id = world.asset_project(request, "cloudasset.assets.listOSInventories")?;
    if request.parameter("contentType") != Some("OS_INVENTORY") {
        return Err(envelope::invalid("Only the content type OS_INVENTORY is simulated."));
    }
    let size = request.parameter("pageSize").map_or(Ok(0), str::parse).map_err(|_| envelope::invalid("pageSize is no number."))?;
    let size = if size == 0 { DEFAULT_PAGE } else { size.min(MAX_PAGE) };
    let from = offset(request).ok_or_else(|| envelope::invalid("The page token is not of this question."))?;
    let project = &world.projects[&id];
    let is_asked_for = |row: &&Value| {
        request.query.get("assetTypes").is_none_or(|kinds| kinds.iter().any(|kind| row["assetType"].as_str() == Some(kind.as_str())))
    };
    let rows: Vec<&Value> = project.os_inventories.iter().filter(is_asked_for).skip(from).take(size + 1).collect();
    let mut body = json!({"readTime": "2026-01-01T00:00:00Z"});
    if !rows.is_empty() {
        body["assets"] = rows.iter().take(size).map(|row| (*row).clone()).collect();
    }
    if rows.len() > size {
        body["nextPageToken"] = token_of(request, from + size).into();
    }
    Ok(Answer::ok(body))
}

/// What VM Manager would tell of a machine: so many packages that can be updated.
pub fn row(machine: &str, updated: &str, available: usize) -> Value {
    let item = |number: usize| {
        let key = format!("availablePackage-{number}");
        let package = json!({"packageName": format!("package-{number}"), "architecture": "all", "version": "2.0"});
        (
            key.clone(),
            json!({"id": key, "type": "AVAILABLE_PACKAGE", "originType": "INVENTORY_REPORT", "availablePackage": {"aptPackage": package}}),
        )
    };
    let mut items: serde_json::Map<String, Value> = (0..available).map(item).collect();
    let installed = json!({"aptPackage": {"packageName": "base", "architecture": "all", "version": "1.0"}});
    items.insert(
        "installedPackage-base".into(),
        json!({"id": "installedPackage-base", "type": "INSTALLED_PACKAGE", "originType": "INVENTORY_REPORT", "installedPackage": installed}),
    );
    json!({
        "name": machine, "assetType": "compute.googleapis.com/Instance", "updateTime": updated,
        "osInventory": {"osInfo": {"shortName": "debian", "version": "12"}, "updateTime": updated, "items": items},
    })
}
