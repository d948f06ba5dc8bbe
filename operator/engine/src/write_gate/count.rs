//! Every write of the process, over both ports, passes here: the gate is asked, the write is counted, and in debug builds a test can have the process killed
//! before or after the n-th.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::gate::{Closed, Gate};

/// Number of a write that a test leaves out.
const LEFT_OUT: u64 = 0;

/// The counter and the gate. Cheap to clone.
#[derive(Clone, Default)]
pub struct Writes {
    /// The gate.
    pub gate: Gate,
    count: Arc<AtomicU64>,
}

impl Writes {
    /// A counter behind a gate.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate, count: Arc::default() }
    }

    /// Number of writes so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// To be called before a write. Returns its number.
    ///
    /// # Errors
    /// The lease is lost, or may be.
    pub fn before(&self, what: &str) -> Result<u64, Closed> {
        self.gate.check()?;
        if kill::is_left_out(what) {
            return Ok(LEFT_OUT);
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        kill::at("before", number);
        kill::note(number, what);
        Ok(number)
    }

    /// To be called after a write.
    pub fn after(&self, number: u64) {
        if number != LEFT_OUT {
            kill::at("after", number);
        }
    }
}

#[cfg(debug_assertions)]
mod kill {
    use std::io::Write;
    use std::sync::OnceLock;

    static EXCEPT: OnceLock<Vec<String>> = OnceLock::new();
    static POINT: OnceLock<Option<(String, u64)>> = OnceLock::new();

    /// Dies at once, without destructors, where `CARETAKER_KILL_AT` names this point: `before:3`, `after:3`.
    pub fn at(side: &str, number: u64) {
        let point = POINT.get_or_init(|| {
            let text = std::env::var("CARETAKER_KILL_AT").ok()?;
            let (side, number) = text.split_once(':')?;
            Some((side.to_owned(), number.parse().ok()?))
        });
        if point.as_ref().is_some_and(|(wanted, at)| wanted == side && *at == number) {
            std::process::abort();
        }
    }

    /// Whether a test leaves this write out of its count: it holds one of the texts of `CARETAKER_KILL_EXCEPT`, between which stand commas, or ends with one that
    /// has a `$` behind it.
    pub fn is_left_out(what: &str) -> bool {
        let except = EXCEPT.get_or_init(|| {
            let text = std::env::var("CARETAKER_KILL_EXCEPT").unwrap_or_default();
            text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        });
        except.iter().any(|part| part.strip_suffix('$').map_or_else(|| what.contains(part.as_str()), |end| what.ends_with(end)))
    }

    /// Appends a line to the file that `CARETAKER_WRITE_LOG` names.
    pub fn note(number: u64, what: &str) {
        if let Ok(path) = std::env::var("CARETAKER_WRITE_LOG")
            && let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path)
        {
            // A test reads it; a disk that is full fails the test, not the operator.
            let _ = writeln!(file, "{number} {what}");
        }
    }
}

#[cfg(not(debug_assertions))]
mod kill {
    pub fn at(_side: &str, _number: u64) {}
    pub fn is_left_out(_what: &str) -> bool {
        false
    }
    pub fn note(_number: u64, _what: &str) {}
}
