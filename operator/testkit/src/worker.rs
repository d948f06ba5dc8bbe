//! A program that is started once and asked many times: one JSON document a line, told apart by their `id`. An interpreter that has loaded the models of a
//! cloud answers within milliseconds; a new one for each question takes seconds of a processor.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::process::{mortal, spawn};

/// Who waits for an answer; `None` once the program has ended.
type Waiting = Arc<Mutex<Option<BTreeMap<u64, mpsc::Sender<Value>>>>>;

/// A running program that answers. Dropping it ends it.
#[derive(Debug)]
pub struct Worker {
    name: String,
    child: Child,
    input: Mutex<(u64, ChildStdin)>,
    waiting: Waiting,
}

impl Worker {
    /// Starts it. What it writes to standard error goes where this process's does.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, program: &Path, args: &[&str]) -> Result<Self> {
        let mut command = mortal(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(name, command)?;
        let input = child.stdin.take().context("the input is piped")?;
        let output = child.stdout.take().context("the output is piped")?;
        let waiting: Waiting = Arc::new(Mutex::new(Some(BTreeMap::new())));
        let for_reader = Arc::clone(&waiting);
        std::thread::spawn(move || read(output, &for_reader));
        Ok(Self { name: name.to_owned(), child, input: Mutex::new((0, input)), waiting })
    }

    /// Asks and waits for the answer's `value`.
    ///
    /// # Errors
    /// The program has ended, or answers with an `error`.
    ///
    /// # Panics
    /// Another thread panicked while it asked.
    pub fn ask(&self, question: &Value) -> Result<Value> {
        let (sender, answer) = mpsc::channel();
        {
            let mut input = self.input.lock().expect("no panic while held");
            input.0 += 1;
            let id = input.0;
            let mut waiting = self.waiting.lock().expect("no panic while held");
            waiting.as_mut().with_context(|| format!("{} has ended", self.name))?.insert(id, sender);
            drop(waiting);
            let line = json!({"id": id, "ask": question});
            writeln!(input.1, "{line}").and_then(|()| input.1.flush()).with_context(|| format!("ask {}", self.name))?;
        }
        let mut answer = answer.recv().with_context(|| format!("{} ended without an answer", self.name))?;
        if let Some(error) = answer.get("error").and_then(Value::as_str) {
            bail!("{error}");
        }
        Ok(answer["value"].take())
    }
}

/// Gives each answer to who waits for it, until the program ends.
fn read(output: ChildStdout, waiting: &Waiting) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        // What a library prints by itself is no answer.
        let Ok(answer) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(id) = answer["id"].as_u64() else { continue };
        let sender = waiting.lock().expect("no panic while held").as_mut().and_then(|waiting| waiting.remove(&id));
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }
    // Dropping the senders tells all that wait.
    waiting.lock().expect("no panic while held").take();
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A worker that is started when it is first asked, and then serves the whole process.
#[derive(Debug, Default)]
pub struct Shared(OnceLock<Result<Worker, String>>);

impl Shared {
    /// None is running yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Asks, after starting it where it is not running.
    ///
    /// # Errors
    /// It could not be started, or see [`Worker::ask`].
    pub fn ask(&self, start: impl FnOnce() -> Result<Worker>, question: &Value) -> Result<Value> {
        let worker = self.0.get_or_init(|| start().map_err(|error| format!("{error:#}")));
        worker.as_ref().map_err(|error| anyhow!("{error}"))?.ask(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says each question back, the second one first; dies of `die`, and prints something of its own before each answer.
    const ECHO: &str = r#"
while read -r line; do
  case "$line" in *die*) exit 3 ;; *first*) held=$line; continue ;; esac
  for each in "$line" "$held"; do
    [ -z "$each" ] && continue
    echo "a library says hello"
    id=${each#*\"id\":}; id=${id%%[,\}]*}
    case "$each" in
      *bad*) echo "{\"id\":$id,\"error\":\"it is bad\"}" ;;
      *first*) echo "{\"id\":$id,\"value\":\"first\"}" ;;
      *) echo "{\"id\":$id,\"value\":\"other\"}" ;;
    esac
  done
  held=
done
"#;

    fn echo() -> Worker {
        Worker::start("echo", Path::new("sh"), &["-c", ECHO]).expect("it starts")
    }

    #[test]
    fn answers_that_come_in_another_order_reach_who_asked() {
        let worker = echo();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| worker.ask(&json!("first")));
            // The first question is held back until a second one comes; which of the two is sent first does not matter.
            loop {
                assert_eq!(worker.ask(&json!("second")).expect("an answer"), "other");
                if first.is_finished() {
                    break;
                }
            }
            assert_eq!(first.join().expect("no panic").expect("an answer"), "first");
        });
    }

    #[test]
    fn an_error_and_an_end_are_told_to_who_asks() {
        let worker = echo();
        assert_eq!(worker.ask(&json!("bad")).expect_err("it is bad").to_string(), "it is bad");
        assert_eq!(worker.ask(&json!("more")).expect("it goes on"), "other");
        let told = worker.ask(&json!("die")).expect_err("it has ended").to_string();
        assert!(told.contains("echo"), "{told}");
        assert!(worker.ask(&json!("more")).is_err(), "it stays ended");
    }
}
