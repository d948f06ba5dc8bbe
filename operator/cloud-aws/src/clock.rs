//! Whether a call was refused because this machine's clock is wrong.
//!
//! The SDK learns the clock of AWS from each answer and signs the client's next call by it, but only the next: its own repeats are off here.

use std::time::SystemTime;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};

/// Seconds from which on a signature may have been refused for its time. AWS takes five minutes (Signature Version 4); the SDK sets the same limit.
const TOLERANCE: i64 = 240;

/// Whether the answer was given at a time at which our signature may count as too old or too new.
pub fn is_off(answer: &HttpResponse) -> bool {
    let date = answer.headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
    date.is_some_and(|date| (date.secs() - DateTime::from(SystemTime::now()).secs()).abs() > TOLERANCE)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn only_an_answer_of_another_time_tells_of_a_wrong_clock() {
        let now = DateTime::from(SystemTime::now()).secs();
        let dated = |ahead: i64| {
            let mut answer = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
            answer.headers_mut().insert("date", DateTime::from_secs(now + ahead).fmt(Format::HttpDate).unwrap());
            is_off(&answer)
        };
        assert!(dated(600) && dated(-600) && !dated(0) && !dated(200) && !dated(-200));
        assert!(!is_off(&HttpResponse::new(403.try_into().unwrap(), SdkBody::empty())));
    }
}
