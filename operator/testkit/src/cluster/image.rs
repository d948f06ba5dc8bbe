//! Images without an engine: a program, the libraries it loads, and little else, as an OCI archive.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::process::run;
use crate::tools;

/// Programs by which names they are called in the image.
const APPLETS: &str = "bin/busybox";

/// An image that is made of programs of this machine.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name with its tag. Not `latest`, which a node always wants to pull.
    pub name: String,
    /// Files: path in the image without a leading slash, file here.
    pub files: Vec<(String, PathBuf)>,
    /// Links: path in the image, what it names.
    pub links: Vec<(String, String)>,
    /// What is run.
    pub entrypoint: Vec<String>,
    /// As whom, where the pod does not say.
    pub user: String,
}

impl Image {
    /// A program at `/bin/NAME` and what it loads, run as nobody.
    ///
    /// # Errors
    /// `ldd` cannot tell what it loads.
    pub fn of(name: &str, program: &Path) -> Result<Self> {
        let called = program.file_name().context("a program has a name")?.to_string_lossy().into_owned();
        let mut files = vec![(format!("bin/{called}"), program.to_path_buf())];
        for library in libraries(program)? {
            files.push((library.trim_start_matches('/').to_owned(), library.into()));
        }
        let entrypoint = vec![format!("/bin/{called}")];
        Ok(Self { name: name.to_owned(), files, links: Vec::new(), entrypoint, user: "65534".to_owned() })
    }

    /// A tool of ours.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn of_tool(name: &str, binary: &str) -> Result<Self> {
        Self::of(name, &tools::path(binary)?)
    }

    /// busybox under all its names: `localhost/busybox:1`.
    ///
    /// # Errors
    /// It is not installed.
    pub fn busybox() -> Result<Self> {
        let found = run(Command::new("sh").args(["-c", "command -v busybox"]))?;
        let mut image = Self::of("localhost/busybox:1", Path::new(found.trim()))?;
        let names = run(Command::new(found.trim()).arg("--list"))?;
        let names = names.lines().filter(|name| *name != "busybox");
        image.links = names.map(|name| (format!("bin/{name}"), format!("/{APPLETS}"))).collect();
        image.entrypoint = vec!["/bin/sh".to_owned()];
        Ok(image)
    }

    /// What holds the namespaces of a pod: `localhost/pause:1`, compiled into a folder.
    ///
    /// # Errors
    /// The C compiler fails.
    pub fn pause(folder: &Path) -> Result<Self> {
        let (source, program) = (folder.join("pause.c"), folder.join("pause"));
        std::fs::write(&source, include_str!("files/pause.c"))?;
        run(Command::new("cc").args(["-static", "-Os", "-s", "-o"]).arg(&program).arg(&source))?;
        Self::of("localhost/pause:1", &program)
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// A file cannot be read, or the archive not be written.
    pub fn write(&self, archive: &Path) -> Result<()> {
        let mut layer = tempfile::tempfile_in(archive.parent().unwrap_or(Path::new(".")))?;
        let (layer_digest, layer_size) = self.write_layer(&mut layer).with_context(|| format!("make the layer of {}", self.name))?;
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }, "os": "linux",
            "config": {"User": self.user, "Entrypoint": self.entrypoint, "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        });
        let config = Blob::of(&config);
        let manifest = Blob::of(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.described("application/vnd.oci.image.config.v1+json"),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer_digest, layer_size)],
        }));
        let mut entry = manifest.described("application/vnd.oci.image.manifest.v1+json");
        entry["annotations"] = json!({"io.containerd.image.name": self.name});
        let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]});
        let mut tar = tar::Builder::new(File::create(archive).with_context(|| format!("make {}", archive.display()))?);
        append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        append(&mut tar, "index.json", index.to_string().as_bytes())?;
        for blob in [&config, &manifest] {
            append(&mut tar, &format!("blobs/sha256/{}", blob.digest), &blob.bytes)?;
        }
        layer.rewind()?;
        let mut header = header(tar::EntryType::Regular, 0o644, layer_size);
        tar.append_data(&mut header, format!("blobs/sha256/{layer_digest}"), layer)?;
        tar.finish()?;
        Ok(())
    }

    /// Digest and size of the layer that is written.
    fn write_layer(&self, file: &mut File) -> Result<(String, u64)> {
        let mut tar = tar::Builder::new(Hashing { file, digest: Sha256::new(), size: 0 });
        let mut folders: Vec<PathBuf> = vec!["etc".into(), "tmp".into()];
        for path in self.files.iter().map(|(path, _)| path).chain(self.links.iter().map(|(path, _)| path)) {
            folders.extend(Path::new(path).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_path_buf));
        }
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            let mode = if folder == Path::new("tmp") { 0o1777 } else { 0o755 };
            tar.append_data(&mut header(tar::EntryType::Directory, mode, 0), format!("{}/", folder.display()), io::empty())?;
        }
        append(&mut tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")?;
        append(&mut tar, "etc/nsswitch.conf", b"hosts: files dns\n")?;
        for (path, from) in &self.files {
            let mut from = File::open(from).with_context(|| format!("open {}", from.display()))?;
            let size = from.metadata()?.len();
            tar.append_data(&mut header(tar::EntryType::Regular, 0o755, size), path, &mut from)?;
        }
        for (path, target) in &self.links {
            tar.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), path, target)?;
        }
        let mut written = tar.into_inner()?;
        written.flush()?;
        Ok((hex::encode(written.digest.finalize()), written.size))
    }
}

/// What a dynamic program loads, by `ldd`; nothing for a static one.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let output = Command::new("ldd").arg(program).output().context("run ldd")?;
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if said.contains("statically linked") || failed.contains("not a dynamic executable") {
        return Ok(Vec::new());
    }
    ensure!(output.status.success() && !said.contains("not found"), "what {} loads is not all there: {said}{failed}", program.display());
    Ok(loaded(&said))
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, or the loader itself: `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn loaded(said: &str) -> Vec<String> {
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(str::to_owned);
    said.lines().filter_map(path).collect()
}

struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn of(value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        let digest = hex::encode(Sha256::digest(&bytes));
        Self { bytes, digest }
    }

    fn described(&self, kind: &str) -> Value {
        described(kind, &self.digest, self.bytes.len() as u64)
    }
}

fn described(kind: &str, digest: &str, size: u64) -> Value {
    json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size})
}

/// Of the same time for every file, so that the same input gives the same image.
fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> Result<()> {
    tar.append_data(&mut header(tar::EntryType::Regular, 0o644, bytes.len() as u64), path, bytes)?;
    Ok(())
}

/// Counts and digests what goes through it.
struct Hashing<'a> {
    file: &'a mut File,
    digest: Sha256,
    size: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_libraries_are_read_from_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(loaded(said), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
        assert_eq!(loaded("\tstatically linked\n"), Vec::<String>::new());
    }

    #[test]
    fn an_archive_names_its_blobs_by_what_is_in_them() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("program"), "#!/bin/sh\n").expect("it can be written");
        let files = vec![("usr/bin/program".to_owned(), folder.path().join("program"))];
        let entrypoint = vec!["/usr/bin/program".to_owned()];
        let image = Image { name: "localhost/x:1".into(), files, links: vec![("bin/y".into(), "/x".into())], entrypoint, user: "1".into() };
        let archives = ["a", "b"].map(|name| folder.path().join(name));
        for archive in &archives {
            image.write(archive).expect("it can be written");
        }
        assert_eq!(std::fs::read(&archives[0]).expect("it is there"), std::fs::read(&archives[1]).expect("it is there"));
        let mut archive = tar::Archive::new(File::open(&archives[0]).expect("it is there"));
        let mut blobs = 0;
        for entry in archive.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            if let Some(digest) = path.strip_prefix("blobs/sha256/") {
                assert_eq!(hex::encode(Sha256::digest(&bytes)), digest);
                blobs += 1;
            }
        }
        assert_eq!(blobs, 3, "config, manifest, layer");
    }
}
