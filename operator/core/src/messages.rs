//! Messages of clouds and servers as they may stand in a condition: without what changes by itself from call to call. The full text belongs in the log.

/// Stands where something was left out.
const GAP: &str = "…";
/// Shortest run of base64 characters that is taken for an encoded message, such as the one of AWS's "Encoded authorization failure message".
const BLOB: usize = 100;
/// Words before an id that is another one at each call. Sources: the error messages of AWS, Microsoft Entra ID and Google Cloud.
const CALL_IDS: [&str; 14] = [
    "request id",
    "requestid",
    "request-id",
    "request_id",
    "trace id",
    "traceid",
    "correlation id",
    "correlationid",
    "activity id",
    "activityid",
    "host id",
    "hostid",
    "incident id",
    "tracking id",
];

/// A message without ids of calls, times to the second and encoded texts, and with the lists in brackets in order.
#[must_use]
pub fn steady(text: &str) -> String {
    sorted_lists(&without_times(&without_blobs(&without_call_ids(text))))
}

fn without_call_ids(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut clean, mut at) = (String::new(), 0);
    while let Some((start, word)) = CALL_IDS.iter().filter_map(|word| lower[at..].find(word).map(|found| (at + found, word))).min() {
        let after = start + word.len();
        let gap = lower[after..].len() - lower[after..].trim_start_matches([' ', ':', '=', '"', '\'', '`']).len();
        let id = text[after + gap..].split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_.-".contains(c))).next().unwrap_or_default();
        let id = id.trim_end_matches('.');
        clean.push_str(&text[at..after + gap]);
        at = after + gap;
        if id.len() >= 8 && id.contains(|c: char| c.is_ascii_digit()) {
            clean.push_str(GAP);
            at += id.len();
        }
    }
    clean + &text[at..]
}

fn without_blobs(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    let mut clean = String::new();
    for run in runs(text, is_part) {
        let has = |class: fn(&char) -> bool| run.chars().any(|c| class(&c));
        // An address in the store is long and mixed too; its folders are words.
        let is_word = |part: &&str| part.len() >= 4 && part.chars().all(|c| c.is_ascii_lowercase());
        let is_path = run.split('/').filter(is_word).count() >= 2;
        let mixed = !is_path && has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
        clean.push_str(if run.len() >= BLOB && mixed && run.chars().all(is_part) { GAP } else { run });
    }
    clean
}

/// The text in pieces, each wholly of the class or wholly not.
fn runs(text: &str, class: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut runs, mut start, mut last) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        let is = class(c);
        if last.is_some_and(|last| last != is) {
            runs.push(&text[start..at]);
            start = at;
        }
        last = Some(is);
    }
    runs.push(&text[start..]);
    runs
}

/// Times to the second, as RFC 3339 and ISO 8601 write them: `2026-11-26T10:00:00.5Z`, `2026-11-26 10:00:00Z`, `20261126T100000Z`. A date alone stays.
fn without_times(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-.+".contains(c);
    let runs = runs(text, is_part);
    let (mut clean, mut at) = (String::new(), 0);
    while at < runs.len() {
        let run = runs[at].trim_end_matches(['.', ':', '-', '+']);
        let tail = &runs[at][run.len()..];
        let is_date_then_time = shape(run) == "0000-00-00"
            && runs.get(at + 1) == Some(&" ")
            && runs.get(at + 2).is_some_and(|next| shape(next).starts_with("00:00:00"));
        if is_date_then_time {
            clean.push_str(GAP);
            let next = runs[at + 2];
            clean.push_str(&next[next.trim_end_matches(['.', ':', '-', '+']).len()..]);
            at += 3;
            continue;
        }
        let shape = shape(run);
        if shape.starts_with("0000-00-00T00:00:00") || shape.starts_with("00000000T000000Z") {
            clean.push_str(GAP);
            clean.push_str(tail);
        } else {
            clean.push_str(runs[at]);
        }
        at += 1;
    }
    clean
}

/// The text with each digit as 0.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// Lists in square brackets, sorted: some services answer them in another order at each call.
fn sorted_lists(text: &str) -> String {
    let mut pieces = text.split('[');
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        clean.push('[');
        let Some((list, rest)) = piece.split_once(']') else {
            clean.push_str(piece);
            continue;
        };
        let comma = if list.contains(", ") { ", " } else { "," };
        let mut parts: Vec<&str> = list.split(comma).collect();
        parts.sort_unstable();
        clean.push_str(&parts.join(comma));
        clean.push(']');
        clean.push_str(rest);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_nothing_that_changes_by_itself() {
        let blob = "Ab1-_".repeat(40);
        let encoded = format!("You are not authorized. Encoded authorization failure message: {blob}");
        let digest = "0123456789abcdef".repeat(8);
        let address =
            format!("not in the store: clients/acme/inventory/prod/runs/20261128T044200Z-{}/manifest.json", "0123456789abcdef".repeat(4));
        let cases = [
            ("an address in the store stays", address.as_str(), "not in the store: clients/acme/inventory/prod/runs/…/manifest.json"),
            ("an id of AWS's", "AccessDenied (Request ID: 5fbc3d6e-1b7c-4a2b-8a7a-0a1b2c3d4e5f).", "AccessDenied (Request ID: …)."),
            ("in one word", "status 403, RequestId=ABCD1234EFGH, x", "status 403, RequestId=…, x"),
            (
                "ids and time of Entra ID",
                "AADSTS7000215: no. Trace ID: 1b7c-4a2b-88 Correlation ID: 2c3d-4e5f-99 Timestamp: 2026-11-28 02:20:50Z",
                "AADSTS7000215: no. Trace ID: … Correlation ID: … Timestamp: …",
            ),
            ("an encoded message", encoded.as_str(), "You are not authorized. Encoded authorization failure message: …"),
            ("a digest of our own stays", digest.as_str(), digest.as_str()),
            ("a time", "expired at 2026-11-28T02:20:50.123Z.", "expired at …."),
            ("AWS's times of signatures", "20261128T020000Z is earlier than 20261128T021500Z", "… is earlier than …"),
            ("a date stays", "ends on 2026-12-01: renew it", "ends on 2026-12-01: renew it"),
            ("a time of ours to the minute stays", "lost since 2026-12-01 10:00 UTC", "lost since 2026-12-01 10:00 UTC"),
            ("an id of a subscription stays", "not 11111111-2222-3333-4444-555555555555", "not 11111111-2222-3333-4444-555555555555"),
            ("a list in another order", "denied for [s3:b, s3:a, s3:c] here", "denied for [s3:a, s3:b, s3:c] here"),
            ("a field's index stays", "spec.exit.recipients[2]: bad", "spec.exit.recipients[2]: bad"),
            ("brackets that do not match", "a] b [c", "a] b [c"),
            ("an ARN stays", "User: arn:aws:iam::111122223333:user/x is not", "User: arn:aws:iam::111122223333:user/x is not"),
            ("a word without an id", "the request id is missing", "the request id is missing"),
            ("letters beyond ASCII", "Ünïcode – request id: Ä1234567890", "Ünïcode – request id: Ä1234567890"),
        ];
        for (reason, text, expected) in cases {
            assert_eq!(steady(text), expected, "{reason}");
            assert_eq!(steady(expected), expected, "{reason}: cleaning twice changes nothing");
        }
    }

    #[test]
    fn two_denials_of_one_cause_read_alike() {
        let denial = |id: u32, order: &str| {
            let blob = format!("{id:08}aZ").repeat(20);
            format!("AccessDenied: not authorized, request id: {id:08}-ab, at 2026-11-28T02:20:{:02}Z, [{order}]: {blob}", id % 60)
        };
        assert_eq!(steady(&denial(1, "x, y")), steady(&denial(2, "y, x")));
    }
}
