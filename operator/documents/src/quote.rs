//! Quoting: how a value of a stranger stays a value in each language that documents are written in.

/// A string in HCL: quotes, line ends and both template starts are escaped.
#[must_use]
pub fn hcl(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                quoted.push(c);
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A word for a POSIX shell.
#[must_use]
pub fn sh(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "'\\''"))
}

/// A text that cannot end a comment or a paragraph.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hcl_strings_cannot_be_left() {
        assert_eq!(hcl("a\"\n}\nresource \"x\""), "\"a\\\"\\n}\\nresource \\\"x\\\"\"");
        assert_eq!(hcl("${path.module} %{ if true }"), "\"$${path.module} %%{ if true }\"");
    }
}
