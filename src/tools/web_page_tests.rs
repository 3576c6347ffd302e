//! Pages as people read them, and pages that were made to hurt.

#[cfg(target_os = "linux")]
use std::time::Duration;

use proptest::proptest;
use url::Url;

use super::markdown;

fn plain(html: &str) -> String {
    markdown(html, None)
}

#[test]
fn a_page_as_people_read_it() {
    let html = r#"<!DOCTYPE html><html><head><title>The &amp; Page</title><style>p{}</style></head>
        <body><!-- <p>no</p> --><h1>Head<b>ing</b></h1><p>One
        two&nbsp;<a href="/x?a=1&amp;b=(2)">three</a>, <a href="javascript:x()">four</a>.<br>Five</p>
        <script>if (a < b) document.write("<p>no</p>")</script>
        <ul><li>first</li><li>second <img alt="pic" src=x><ol start=1><li>in<li>ner</ol></ul>
        <blockquote><p>said <em>so</em></p></blockquote>
        <table><tr><th>a</th><th>b</th></tr><tr><td>1<td><code>2</code></table>
        <pre>  keep
  this</pre>1 < 2 &lt; 3 &#8212; &#x41; &unknown; &notin; end<hr></body></html>"#;
    let base = Url::parse("https://a.example/d/").unwrap();
    insta::assert_snapshot!(markdown(html, Some(&base)), @r"
    The & Page

    # Head**ing**

    One two [three](https://a.example/x?a=1&b=%282%29), four.
    Five

    - first
    - second ![pic]
      1. in
      2. ner

    > said *so*

    a | b
    --- | ---
    1 | `2`

    ```
      keep
      this
    ```

    1 < 2 < 3 — A &unknown; ∉ end

    ---
    ");
}

#[test]
fn empty_signs_and_crossed_ones_leave_nothing_behind() {
    assert_eq!(plain("<b></b>a<a href='http://x/'></a><i> </i>b"), "a b");
    assert_eq!(plain("<a href=http://x/><b></a></b>c"), "c");
    assert_eq!(plain("<b><b>x</b></b></b>"), "**x**");
    assert_eq!(plain("<h1></h1><h2>x</h2>"), "## x");
    assert_eq!(plain("<a href='data:text/html,x'>y</a> <a href='#z'>z</a>"), "y z");
}

#[test]
fn what_never_ends_is_taken_as_it_is() {
    assert_eq!(plain("a<script>b"), "a");
    assert_eq!(plain("a<!-- b"), "a");
    assert_eq!(plain("a<p class='x"), "a");
    assert_eq!(plain("a < b <"), "a < b <");
    assert_eq!(plain("<head><title>T</title><body>text"), "T\n\ntext");
    assert_eq!(plain("<svg><svg>x</svg>y</svg>z"), "z");
    assert_eq!(plain("<pre>a"), "```\na\n```");
}

/// What never ends, and what nests.
const HOSTILE: [&str; 27] = [
    "<div>",
    "<ul><li>",
    "<blockquote>x",
    "<table><tr><td>",
    "<b>",
    "<a href=http://x/>",
    "<h1>",
    "<head><body>",
    "<a href='",
    "<script",
    "<script>",
    "<!--",
    "&#x",
    "&",
    "<p",
    "</",
    "<a =\"",
    "</b>",
    "<svg>",
    "<title>",
    "<pre>",
    "</pre>\n",
    "<a a a a a a>",
    "\0",
    "<br>x",
    "]]>",
    "<![CDATA[",
];

#[test]
fn hostile_pages_give_no_more_than_they_have() {
    for piece in HOSTILE {
        let page = piece.repeat(20_000);
        let length = markdown(&page, None).len();
        assert!(length <= page.len() * 12, "{piece}: {length} of {}", page.len());
    }
}

/// Eight times the length may cost eight times as much, with room for noise; a square would be 64.
#[cfg(target_os = "linux")]
#[test]
fn hostile_pages_cost_no_more_than_their_length() {
    const MOST: u32 = 24;
    let attributes = |count: usize| {
        (0..count).map(|number| format!(" a{number}=1")).collect::<Vec<_>>().concat()
    };
    let cost = |page: String| {
        let before = processor_time();
        markdown(&page, None);
        processor_time().saturating_sub(before)
    };
    let check = |name: &str, page: &dyn Fn(usize) -> String| {
        let (short, long) = (cost(page(4_000)), cost(page(32_000)));
        assert!(long <= short * MOST + Duration::from_millis(20), "{name}: {short:?} {long:?}");
    };
    for piece in HOSTILE {
        check(piece, &|count| piece.repeat(count));
    }
    check("attributes", &|count| format!("<p{}>x", attributes(count)));
}

/// Of this thread: what else the machine does is not in it.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "(<|>|/|!--|-->|a|p|pre|b|li|ul|td|tr|script|head|title|=|\"|'|&|#|;| |ü|\n){0,60}") {
        assert!(plain(&text).len() <= text.len() * 8 + 100);
    }
}
