//! Pages as people read them, and pages that were made to hurt.

use std::time::Duration;
use std::time::Instant;

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

#[test]
fn hostile_pages_cost_no_more_than_their_length() {
    let started = Instant::now();
    for piece in [
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
    ] {
        let page = piece.repeat(100_000);
        let length = markdown(&page, None).len();
        assert!(length <= page.len() * 12, "{piece}: {length} of {}", page.len());
    }
    let attributes = (0..50_000).map(|number| format!(" a{number}=1")).collect::<Vec<_>>().concat();
    plain(&format!("<p{attributes}>x"));
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn any_text_is_taken(text in "(<|>|/|!--|-->|a|p|pre|b|li|ul|td|tr|script|head|title|=|\"|'|&|#|;| |ü|\n){0,60}") {
        assert!(plain(&text).len() <= text.len() * 8 + 100);
    }
}
