//! HTML to readable text: headings, paragraphs, lists, tables and links; no scripts, no styles.
//!
//! A tokeniser, not a browser: it takes any input in one pass, never fails and never nests, so
//! hostile pages cost no more than their length. It renders nothing and follows nothing.

/// Elements whose content is not text for readers.
const HIDDEN: [&str; 8] =
    ["script", "style", "noscript", "template", "svg", "iframe", "head", "select"];
/// Elements that begin a new paragraph, and those that begin a new line.
const PARAGRAPHS: [&str; 16] = [
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "table",
    "pre",
    "blockquote",
    "section",
    "article",
    "header",
    "footer",
];
const LINES: [&str; 9] = ["br", "div", "li", "tr", "dt", "dd", "main", "nav", "figcaption"];

/// The readable text of a page, its title first.
pub fn readable(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        page.text(&rest[..open]);
        rest = &rest[open..];
        rest = if let Some(comment) = rest.strip_prefix("<!--") {
            comment.find("-->").map_or("", |end| &comment[end + 3..])
        } else if rest[1..]
            .starts_with(|next: char| next.is_ascii_alphabetic() || "/!?".contains(next))
        {
            let end = tag_end(rest);
            let after = rest.get(end + 1..).unwrap_or_default();
            page.tag(&rest[1..end.min(rest.len())], after)
        } else {
            page.text("<");
            &rest[1..]
        };
    }
    page.text(rest);
    page.finish()
}

/// The byte of the `>` that ends a tag; quoted values may hold one. The length when none does.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            None if byte == b'>' => return at,
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            Some(_) | None => {}
        }
    }
    // An unclosed quote: the tag ends where a careless reader would end it.
    tag.find('>').unwrap_or(tag.len())
}

/// Text under construction.
#[derive(Default)]
struct Page {
    title: String,
    /// A page has one head: looking for the end of a thousand would take a hostile page's time.
    after_head: bool,
    text: String,
    /// Line ends that the next word is owed.
    owed: usize,
    /// A blank is owed to the next word.
    blank: bool,
    /// Within `pre`, white space counts.
    pre: usize,
    /// Where the open link leads and where its text begins.
    link: Option<(String, usize)>,
}

impl Page {
    /// Takes a tag (without its brackets) and returns where reading goes on.
    fn tag<'a>(&mut self, tag: &str, after: &'a str) -> &'a str {
        let closing = tag.starts_with('/');
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let name = name.as_str();
        let second_head = name == "head" && self.after_head;
        if !closing && HIDDEN.contains(&name) && !tag.ends_with('/') && !second_head {
            let (inside, behind) = until_closed(after, name);
            if name == "head" {
                self.title = title_of(inside);
                self.after_head = true;
            }
            return behind;
        }
        if PARAGRAPHS.contains(&name) {
            self.owed = self.owed.max(2);
        } else if LINES.contains(&name) {
            self.owed = self.owed.max(1);
        } else if matches!(name, "td" | "th") && !closing && !self.text.ends_with('\n') {
            self.blank = true;
        }
        match (name, closing) {
            ("pre", false) => self.pre += 1,
            ("pre", true) => self.pre = self.pre.saturating_sub(1),
            ("li", false) => self.mark("- "),
            ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", false) => {
                let level = name[1..].parse().unwrap_or(1);
                self.mark(&format!("{} ", "#".repeat(level)));
            }
            ("a", false) => {
                self.link = attribute(tag, "href").map(|href| (href, self.text.len()));
            }
            ("a", true) => self.end_link(),
            ("img", false) => {
                if let Some(words) = attribute(tag, "alt").filter(|words| !words.trim().is_empty())
                {
                    self.text(&format!("[{words}]"));
                }
            }
            _ => {}
        }
        after
    }

    /// A sign at the beginning of a line; the word behind it follows at once.
    fn mark(&mut self, sign: &str) {
        self.pay();
        self.text.push_str(sign);
        self.blank = false;
    }

    fn end_link(&mut self) {
        let Some((href, from)) = self.link.take() else { return };
        let outside = href.starts_with("http://") || href.starts_with("https://");
        let named = self.text.get(from..).is_some_and(|words| !words.trim().is_empty());
        if outside && named && self.text.get(from..).is_none_or(|words| words.trim() != href) {
            self.text.extend([" (", href.as_str(), ")"]);
        }
    }

    fn text(&mut self, raw: &str) {
        let text = unescape(raw);
        if self.pre > 0 {
            if !text.is_empty() {
                self.pay();
                self.text.push_str(&text);
            }
            return;
        }
        self.blank |= text.starts_with(char::is_whitespace);
        for word in text.split_whitespace() {
            self.pay();
            self.text.push_str(word);
            self.blank = true;
        }
        if !text.trim().is_empty() {
            self.blank = text.ends_with(char::is_whitespace);
        }
    }

    /// Writes the white space that is owed.
    fn pay(&mut self) {
        let (owed, blank) = (std::mem::take(&mut self.owed), std::mem::take(&mut self.blank));
        if self.text.is_empty() {
            return;
        }
        if owed > 0 {
            let there = self.text.bytes().rev().take_while(|byte| *byte == b'\n').count();
            self.text.extend(std::iter::repeat_n('\n', owed.saturating_sub(there)));
        } else if blank && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn finish(self) -> String {
        let body = self.text.trim();
        let title = self.title.trim();
        if title.is_empty() || body.starts_with(&format!("# {title}\n")) {
            return body.to_owned();
        }
        format!("{title}\n\n{body}").trim().to_owned()
    }
}

/// What stands before the closing tag of a hidden element, and what behind it.
fn until_closed<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let mut from = 0;
    while let Some(found) = text[from..].find("</") {
        let at = from + found;
        let tag = &text[at + 2..];
        let same = tag.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        if same && !tag[name.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()) {
            let behind = tag.find('>').map_or("", |end| &tag[end + 1..]);
            return (&text[..at], behind);
        }
        from = at + 2;
    }
    // Many pages never close their head: the body begins where it says so.
    match (name, text.find("<body")) {
        ("head", Some(body)) => text.split_at(body),
        _ => (text, ""),
    }
}

fn title_of(head: &str) -> String {
    let lower = head.to_ascii_lowercase();
    let Some(open) = lower.find("<title") else { return String::new() };
    let begin = lower[open..].find('>').map_or(head.len(), |end| open + end + 1);
    let end = lower[begin..].find("</title").map_or(head.len(), |end| begin + end);
    unescape(&head[begin..end]).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = tag.get(from..)?.find('=') {
        let at = from + found;
        let key = tag[..at].trim_end().rsplit(|c: char| c.is_whitespace() || c == '"').next()?;
        let value = tag[at + 1..].trim_start();
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, length) = if let Some(quote) = quote {
            let inner = &value[1..];
            let end = inner.find(quote).unwrap_or(inner.len());
            (&inner[..end], end + 2)
        } else {
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            (&value[..end], end)
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(unescape(value));
        }
        from = tag.len() - tag[at + 1..].trim_start().len() + length;
    }
    None
}

/// Replaces character references: numbers and the names that texts use.
fn unescape(text: &str) -> String {
    const NAMES: [(&str, &str); 19] = [
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", " "),
        ("ndash", "–"),
        ("mdash", "—"),
        ("hellip", "…"),
        ("lsquo", "‘"),
        ("rsquo", "’"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("laquo", "«"),
        ("raquo", "»"),
        ("copy", "©"),
        ("reg", "®"),
        ("bull", "•"),
        ("middot", "·"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let reference = end.map(|end| &rest[1..end]);
        let known = reference.and_then(|name| match name.strip_prefix('#') {
            Some(number) => {
                let hex = number.strip_prefix(['x', 'X']);
                let code = hex.map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16));
                code.ok().and_then(char::from_u32).map(String::from)
            }
            None => NAMES.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned()),
        });
        if let (Some(known), Some(end)) = (known, end) {
            out.push_str(&known);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::readable;

    #[test]
    fn a_page_as_people_read_it() {
        let html = r#"<!DOCTYPE html><html><head><title>The &amp; Page</title><style>p{}</style></head>
            <body><!-- <p>no</p> --><h1>Head<b>ing</b></h1><p>One
            two&nbsp;<a href="https://a.example/x?a=1&amp;b=2">three</a>.<br>Four</p>
            <script>if (a < b) document.write("<p>no</p>")</script>
            <ul><li>first</li><li>second <img alt="pic" src=x></ul>
            <table><tr><th>a</th><td>1</td></tr><tr><td>b<td>2</table>
            <pre>  keep
    this</pre>1 < 2 &lt; 3 &#8212; &#x41; &unknown; end</body></html>"#;
        let expected = "The & Page\n\n# Heading\n\nOne two three (https://a.example/x?a=1&b=2).\n\
            Four\n\n- first\n- second [pic]\n\na 1\nb 2\n\n  keep\n    this\n\n\
            1 < 2 < 3 — A &unknown; end";
        assert_eq!(readable(html), expected);
    }

    #[test]
    fn what_never_ends_is_taken_as_it_is() {
        assert_eq!(readable("a<script>b"), "a");
        assert_eq!(readable("a<!-- b"), "a");
        assert_eq!(readable("a<p class='x"), "a");
        assert_eq!(readable("a < b <"), "a < b <");
        assert_eq!(readable("<head><title>T<body>text"), "T\n\ntext");
    }

    #[test]
    fn hostile_pages_cost_no_more_than_their_length() {
        let started = std::time::Instant::now();
        for piece in ["<head><body>", "<a href='", "<script", "<!--", "&#x", "<p", "</", "<a =\""] {
            readable(&piece.repeat(200_000));
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(<|>|/|!--|-->|a|p|pre|script|head|title|=|\"|'|&|#|;| |ü|\n){0,60}") {
            assert!(readable(&text).len() <= text.len() * 2 + 100);
        }
    }
}
