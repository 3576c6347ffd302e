//! HTML to Markdown: headings, paragraphs, lists, quotations, tables, code and links; no scripts, no
//! styles.
//!
//! One pass over the tokens of a tokeniser that follows the standard, without a tree: nothing nests, so
//! that hostile pages cost no more than their length. It renders nothing and follows nothing.

use html5gum::DefaultEmitter;
use html5gum::StartTag;
use html5gum::Token;
use html5gum::Tokenizer;
use url::Url;

/// Elements whose content is not text for readers.
const HIDDEN: [&[u8]; 7] =
    [b"script", b"style", b"noscript", b"template", b"svg", b"iframe", b"select"];
/// Elements that begin a new paragraph, and those that begin a new line.
const PARAGRAPHS: [&[u8]; 17] = [
    b"p",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"ul",
    b"ol",
    b"dl",
    b"table",
    b"pre",
    b"blockquote",
    b"section",
    b"article",
    b"header",
    b"footer",
];
const LINES: [&[u8]; 10] =
    [b"br", b"div", b"li", b"tr", b"dt", b"dd", b"main", b"nav", b"figcaption", b"caption"];
/// Elements that are a sign around words.
const SIGNS: [(&[u8], &str); 8] = [
    (b"b", "**"),
    (b"strong", "**"),
    (b"i", "*"),
    (b"em", "*"),
    (b"code", "`"),
    (b"kbd", "`"),
    (b"del", "~~"),
    (b"s", "~~"),
];
/// Lists and quotations are indented no deeper.
const DEPTH: usize = 12;

/// A page as Markdown, its title first. Links are made whole by the page's own address.
pub fn markdown(html: &str, base: Option<&Url>) -> String {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page { base, ..Page::default() };
    // Reading from a string cannot fail.
    for token in Tokenizer::new_with_emitter(html, emitter).flatten() {
        match token {
            Token::StartTag(tag) => page.open(&tag),
            Token::EndTag(tag) => page.close(&tag.name),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.finish()
}

/// Text under construction.
#[derive(Default)]
struct Page<'a> {
    base: Option<&'a Url>,
    title: String,
    in_title: bool,
    /// Inside an element that is not shown: its name, and how many of it are open.
    hidden: Option<(Vec<u8>, usize)>,
    text: String,
    /// Line ends that the next word is owed.
    owed: usize,
    /// A blank is owed to the next word.
    blank: bool,
    /// Signs that stand right before the next word.
    before: String,
    /// How many elements of each of [`SIGNS`] are open; only the outermost shows.
    signs: [usize; SIGNS.len()],
    /// Within `pre`, white space counts.
    pre: usize,
    /// Open lists, each with the number of its next item; 0: not numbered.
    lists: Vec<usize>,
    quotes: usize,
    /// Where the open link leads.
    link: Option<String>,
    /// Cells of the row so far, and how many of them are headings.
    row: (usize, usize),
}

impl Page<'_> {
    fn open(&mut self, tag: &StartTag<()>) {
        let name: &[u8] = &tag.name;
        if let Some((hidden, depth)) = &mut self.hidden {
            *depth += usize::from(hidden == name && !tag.self_closing);
            return;
        }
        if HIDDEN.contains(&name) {
            self.hidden = (!tag.self_closing).then(|| (name.to_vec(), 1));
            return;
        }
        self.break_before(name);
        match name {
            b"title" => self.in_title = self.title.is_empty(),
            b"body" => self.in_title = false,
            b"pre" if self.pre == 0 => {
                self.pay();
                self.text.push_str("```\n");
                self.pre = 1;
            }
            b"pre" => self.pre += 1,
            b"ul" => self.lists.push(0),
            b"ol" => self.lists.push(1),
            b"li" => self.item(),
            b"blockquote" => self.quotes += 1,
            b"hr" => {
                self.owed = 2;
                self.pay();
                self.text.push_str("---");
                self.owed = 2;
            }
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                let level = usize::from(name[1] - b'0');
                // One that was left empty before.
                withdrawn(&mut self.before, "# ");
                self.before.truncate(self.before.trim_end_matches('#').len());
                self.before.extend(std::iter::repeat_n('#', level));
                self.before.push(' ');
            }
            b"td" | b"th" => self.cell(name == b"th"),
            b"tr" => self.row = (0, 0),
            b"a" => self.open_link(tag),
            b"img" => self.image(tag),
            _ => self.sign(name, true),
        }
    }

    fn close(&mut self, name: &[u8]) {
        if let Some((hidden, depth)) = &mut self.hidden {
            *depth -= usize::from(hidden == name);
            if *depth == 0 {
                self.hidden = None;
            }
            return;
        }
        match name {
            b"title" => self.in_title = false,
            b"pre" if self.pre == 1 => {
                let end = if self.text.ends_with('\n') { "```" } else { "\n```" };
                self.text.push_str(end);
                self.pre = 0;
            }
            b"pre" => self.pre = self.pre.saturating_sub(1),
            b"tr" => self.end_row(),
            b"a" => self.close_link(),
            _ => self.sign(name, false),
        }
        self.break_before(name);
        match name {
            b"ul" | b"ol" => drop(self.lists.pop()),
            b"blockquote" => self.quotes = self.quotes.saturating_sub(1),
            _ => {}
        }
    }

    fn break_before(&mut self, name: &[u8]) {
        let is_inner_list = matches!(name, b"ul" | b"ol") && !self.lists.is_empty();
        let is_paragraph = PARAGRAPHS.contains(&name) && !is_inner_list;
        if is_paragraph && !(self.before.ends_with("- ") || self.before.ends_with(". ")) {
            self.owed = self.owed.max(2);
        } else if LINES.contains(&name) || is_inner_list {
            self.owed = self.owed.max(1);
        }
    }

    fn item(&mut self) {
        self.before = match self.lists.last_mut() {
            Some(number @ 1..) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        };
    }

    fn cell(&mut self, is_heading: bool) {
        if self.row.0 > 0 {
            self.pay();
            self.text.push_str(" |");
        }
        self.blank = self.row.0 > 0;
        self.row.0 += 1;
        self.row.1 += usize::from(is_heading);
    }

    /// Below a row of headings stands the line that makes it one.
    fn end_row(&mut self) {
        let (cells, headings) = std::mem::take(&mut self.row);
        if cells > 1 && cells == headings {
            self.owed = 1;
            self.pay();
            let line = vec!["---"; cells].join(" | ");
            self.text.push_str(&line);
        }
    }

    fn sign(&mut self, name: &[u8], opens: bool) {
        let Some(place) = SIGNS.iter().position(|(element, _)| *element == name) else { return };
        let sign = SIGNS[place].1;
        if opens {
            self.signs[place] += 1;
            if self.signs[place] == 1 && self.pre == 0 {
                self.before.push_str(sign);
            }
        } else if self.signs[place] > 0 {
            self.signs[place] -= 1;
            if self.signs[place] == 0 && self.pre == 0 && !withdrawn(&mut self.before, sign) {
                self.text.push_str(sign);
            }
        }
    }

    fn open_link(&mut self, tag: &StartTag<()>) {
        self.close_link();
        self.link = attribute(tag, b"href").and_then(|href| self.whole(&href));
        if self.link.is_some() && self.pre == 0 {
            self.before.push('[');
        }
    }

    fn close_link(&mut self) {
        let Some(href) = self.link.take() else { return };
        if self.pre == 0 && !withdrawn(&mut self.before, "[") {
            self.text.extend(["](", href.as_str(), ")"]);
        }
    }

    /// A link to follow: a page's own scripts, data and places within it are none.
    fn whole(&self, href: &str) -> Option<String> {
        let href = href.trim();
        if href.is_empty() || href.starts_with('#') {
            return None;
        }
        let url = match self.base {
            Some(base) => base.join(href).ok()?,
            None => Url::parse(href).ok()?,
        };
        let is_web = matches!(url.scheme(), "http" | "https");
        is_web.then(|| url.as_str().replace('(', "%28").replace(')', "%29"))
    }

    fn image(&mut self, tag: &StartTag<()>) {
        let words = attribute(tag, b"alt").unwrap_or_default();
        if !words.trim().is_empty() {
            self.text(&format!("![{}]", words.trim()));
        }
    }

    fn text(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if self.in_title {
            self.title.push_str(text);
            return;
        }
        if self.pre > 0 {
            self.text.push_str(text);
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

    /// Writes the white space that is owed, and the signs behind it.
    fn pay(&mut self) {
        let (owed, blank) = (std::mem::take(&mut self.owed), std::mem::take(&mut self.blank));
        let begins = self.text.is_empty();
        if owed > 0 && !begins {
            let there = self.text.bytes().rev().take_while(|byte| *byte == b'\n').count();
            self.text.extend(std::iter::repeat_n('\n', owed.saturating_sub(there)));
        } else if blank && !begins && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
        if owed > 0 || begins {
            let is_item = self.before.starts_with("- ")
                || self.before.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(". ");
            let depth = self.lists.len().saturating_sub(usize::from(is_item));
            self.text.extend(std::iter::repeat_n("> ", self.quotes.min(DEPTH)));
            self.text.extend(std::iter::repeat_n("  ", depth.min(DEPTH)));
        }
        self.text.push_str(&std::mem::take(&mut self.before));
    }

    fn finish(mut self) -> String {
        if self.pre > 0 {
            self.text.push_str("\n```");
        }
        let body = self.text.trim();
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() || body.starts_with(&format!("# {title}\n")) {
            return body.to_owned();
        }
        format!("{title}\n\n{body}").trim().to_owned()
    }
}

/// Takes a sign back that no word has followed.
fn withdrawn(before: &mut String, sign: &str) -> bool {
    let place = before.rfind(sign);
    place.inspect(|place| drop(before.drain(*place..*place + sign.len()))).is_some()
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.get(name).map(|value| String::from_utf8_lossy(&value.value).into_owned())
}

#[cfg(test)]
#[path = "web_page_tests.rs"]
mod tests;
