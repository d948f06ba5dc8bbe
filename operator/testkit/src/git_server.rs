//! A git server: one repository over HTTP, as a forge serves it. `git http-backend` answers; here is only what a web server adds to it (RFC 3875).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::run;

/// A repository that is served until the process ends.
pub struct GitServer {
    /// What a client clones.
    pub url: String,
    work: PathBuf,
}

impl GitServer {
    /// Makes an empty repository with the branch `main` in a folder and serves it.
    ///
    /// # Errors
    /// git is not installed; the folder cannot be written.
    pub fn start(folder: &Path) -> Result<Self> {
        let (bare, work) = (folder.join("served/tenants.git"), folder.join("work"));
        std::fs::create_dir_all(&work)?;
        run(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&bare))?;
        run(Command::new("git").args(["init", "--quiet", "--initial-branch=main"]).arg(&work))?;
        run(Command::new("git").arg("-C").arg(&work).args(["remote", "add", "origin"]).arg(&bare))?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/tenants.git", listener.local_addr()?);
        let root = folder.join("served");
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let root = root.clone();
                std::thread::spawn(move || {
                    if let Err(error) = answer(stream, &root) {
                        eprintln!("the git server: {error:#}");
                    }
                });
            }
        });
        Ok(Self { url, work })
    }

    /// The work tree: what is written there is pushed by [`GitServer::push`].
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Commits all that is in the work tree, pushes it, and gives the commit.
    ///
    /// # Errors
    /// Nothing has changed; git failed.
    pub fn push(&self, subject: &str) -> Result<String> {
        let git = |args: &[&str]| {
            let person = ["-c", "user.name=Provider", "-c", "user.email=gitops@provider.example", "-c", "commit.gpgsign=false"];
            run(Command::new("git").arg("-C").arg(&self.work).args(person).args(args))
        };
        git(&["add", "--all"])?;
        git(&["commit", "--quiet", "-m", subject])?;
        git(&["push", "--quiet", "origin", "main"])?;
        Ok(git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }
}

/// The variables of a request to a program behind a web server.
fn variables(request: &str, headers: &[(String, String)]) -> Result<Vec<(&'static str, String)>> {
    let mut words = request.split_whitespace();
    let (method, target) = words.next().zip(words.next()).context("a request has a method and a target")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    Ok(vec![
        ("REQUEST_METHOD", method.to_owned()),
        ("PATH_INFO", path.to_owned()),
        ("QUERY_STRING", query.to_owned()),
        ("CONTENT_TYPE", header("content-type")),
        ("CONTENT_LENGTH", header("content-length")),
        ("HTTP_CONTENT_ENCODING", header("content-encoding")),
        ("GIT_PROTOCOL", header("git-protocol")),
        ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
    ])
}

fn answer(stream: TcpStream, root: &Path) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    // A connection that asks nothing, such as a probe of the port.
    let Some((request, rest)) = lines.split_first() else { return Ok(()) };
    let split = |line: &String| line.split_once(':').map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: Vec<(String, String)> = rest.iter().filter_map(split).collect();
    ensure!(!headers.iter().any(|(key, _)| key == "transfer-encoding"), "a body in chunks is not read here");
    let variables = variables(request, &headers)?;
    let length = headers.iter().find(|(key, _)| key == "content-length").map_or(Ok(0), |(_, value)| value.parse())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).envs(variables).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("run git")?;
    // Dropped at once: the program reads to the end.
    child.stdin.take().context("it takes a body")?.write_all(&body)?;
    let output = child.wait_with_output()?.stdout;
    // RFC 3875, 6.3.3: without this field all went well.
    let first = output.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy).unwrap_or_default();
    let status = first.strip_prefix("Status: ").unwrap_or("200 OK");
    let answer = reader.get_mut();
    answer.write_all(format!("HTTP/1.1 {}\r\nConnection: close\r\n", status.trim()).as_bytes())?;
    answer.write_all(&output)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_cloned_as_it_was_pushed_and_another_name_is_not_there() -> Result<()> {
        let (folder, copy) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let server = GitServer::start(folder.path())?;
        std::fs::write(server.work().join("one.yaml"), "one")?;
        let commit = server.push("One")?;
        let clone = |url: &str, name: &str| {
            let target = copy.path().join(name);
            run(Command::new("git").args(["clone", "--quiet", url]).arg(&target)).map(|_| target)
        };
        let cloned = clone(&server.url, "there")?;
        assert_eq!(std::fs::read_to_string(cloned.join("one.yaml"))?, "one");
        assert_eq!(run(Command::new("git").arg("-C").arg(&cloned).args(["rev-parse", "HEAD"]))?.trim(), commit);
        let error = clone(&server.url.replace("tenants", "others"), "missing").expect_err("it is not there").to_string();
        assert!(error.contains("not found"), "{error}");
        assert!(server.push("Nothing").is_err(), "nothing has changed");
        Ok(())
    }
}
