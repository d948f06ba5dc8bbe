//! As much of XML as paging needs: the children of one element, cut out as they stand.

/// The text inside the first element of this name, and where it begins and ends. An empty element (`<name/>`) has none.
pub fn inside(text: &str, name: &str) -> Option<(usize, usize)> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let begin = text.find(&open)? + open.len();
    let end = begin + matching(&text[begin..], name)?;
    debug_assert!(text[end..].starts_with(&close));
    Some((begin, end))
}

/// Where the element that is open ends: the closing tag of the same depth.
fn matching(text: &str, name: &str) -> Option<usize> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (mut depth, mut at) = (1, 0);
    loop {
        let end = at + text[at..].find(&close)?;
        let opened = text[at..end].matches(&open).count();
        depth += opened;
        depth -= 1;
        if depth == 0 {
            return Some(end);
        }
        at = end + close.len();
    }
}

/// The elements of this name that stand side by side, each with its tags.
pub fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = text[at..].find(&open).map(|begin| at + begin) {
        let inner = begin + open.len();
        let Some(end) = matching(&text[inner..], name).map(|end| inner + end + close.len()) else { break };
        found.push(&text[begin..end]);
        at = end;
    }
    found
}

/// A text as it may stand in an element.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_one_name_may_hold_others_of_it() {
        let text = "<set><item><a/><item>x</item></item><item>y</item></set><item>z</item>";
        let (begin, end) = inside(text, "set").unwrap();
        assert_eq!(elements(&text[begin..end], "item"), ["<item><a/><item>x</item></item>", "<item>y</item>"]);
        assert_eq!(inside("<set/>", "set"), None);
        assert!(elements("", "item").is_empty());
    }
}
