//! Markdown of users as HTML.
//!
//! Rules:
//! 1. HTML in the text is shown as text, and an image as its description.
//! 2. A link opens a web page or a mail in another tab. Other links are shown as text.
//! 3. A heading is a line in bold type, because the page has its own headings.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::format;

/// The maximum number of characters; the rest is cut off.
const MAX: usize = 4_000;

pub(crate) fn markdown(text: &str) -> Markup {
    let cut = format::cut(text, MAX);
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut shown = String::from("<div class=\"md\" dir=\"auto\">");
    // Whether each open link has an element.
    let mut links = Vec::new();
    for event in Parser::new_ext(&cut, options) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let is_safe = is_safe(&dest_url);
                links.push(is_safe);
                if is_safe {
                    let url = escaped(&dest_url);
                    let rel = "noopener noreferrer nofollow";
                    let _infallible =
                        write!(shown, "<a href=\"{url}\" target=\"_blank\" rel=\"{rel}\">");
                }
            }
            Event::End(TagEnd::Link) => {
                shown.push_str(if links.pop() == Some(true) { "</a>" } else { "" });
            }
            Event::Start(tag) => shown.push_str(opening(&tag)),
            Event::End(tag) => shown.push_str(closing(tag)),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                shown.push_str(&escaped(&text));
            }
            Event::Code(code) => {
                shown.extend(["<code>", &escaped(&code), "</code>"]);
            }
            Event::SoftBreak | Event::HardBreak => shown.push_str("<br>"),
            Event::Rule => shown.push_str("<hr>"),
            Event::TaskListMarker(is_done) => {
                shown.push_str(if is_done { "\u{2611} " } else { "\u{2610} " });
            }
            _ => {}
        }
    }
    shown.push_str("</div>");
    PreEscaped(shown)
}

fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

fn is_safe(url: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| {
        url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    })
}

fn opening(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Paragraph => "<p>",
        Tag::Heading { .. } => "<p><b>",
        Tag::BlockQuote(_) => "<blockquote>",
        Tag::CodeBlock(_) => "<pre>",
        Tag::List(None) => "<ul>",
        Tag::List(Some(_)) => "<ol>",
        Tag::Item => "<li>",
        Tag::Emphasis => "<em>",
        Tag::Strong => "<strong>",
        Tag::Strikethrough => "<s>",
        _ => "",
    }
}

fn closing(tag: TagEnd) -> &'static str {
    match tag {
        TagEnd::Paragraph => "</p>",
        TagEnd::Heading(_) => "</b></p>",
        TagEnd::BlockQuote(_) => "</blockquote>",
        TagEnd::CodeBlock => "</pre>",
        TagEnd::List(false) => "</ul>",
        TagEnd::List(true) => "</ol>",
        TagEnd::Item => "</li>",
        TagEnd::Emphasis => "</em>",
        TagEnd::Strong => "</strong>",
        TagEnd::Strikethrough => "</s>",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let html = markdown(text).into_string();
        let inner = html.strip_prefix("<div class=\"md\" dir=\"auto\">").unwrap();
        inner.strip_suffix("</div>").unwrap().to_owned()
    }

    #[test]
    fn text_lists_and_links_are_formatted() {
        assert_eq!(shown("packed"), "<p>packed</p>");
        assert_eq!(
            shown("# Parcel\n- **2** of `3`\n- see [here](https://example.com/?a=1&b=2)"),
            "<p><b>Parcel</b></p><ul><li><strong>2</strong> of <code>3</code></li>\
             <li>see <a href=\"https://example.com/?a=1&amp;b=2\" target=\"_blank\" \
             rel=\"noopener noreferrer nofollow\">here</a></li></ul>"
        );
    }

    #[test]
    fn what_could_act_is_text() {
        assert_eq!(shown("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert_eq!(shown("a <b onclick=x>b</b>"), "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>");
        assert_eq!(shown("[x](javascript:alert(1))"), "<p>x</p>");
        assert_eq!(shown("[x](/api/v1/batches)"), "<p>x</p>");
        assert_eq!(shown("![logo](https://example.com/a.png)"), "<p>logo</p>");
        let quoted = shown("[x](https://e/\"onclick=\"y)");
        assert!(
            quoted.starts_with("<p><a href=\"https://e/&quot;onclick=&quot;y\" target="),
            "{quoted}"
        );
    }

    /// Every opened element is closed, however deep they are.
    #[test]
    fn elements_are_closed() {
        for text in ["> ".repeat(3000), "*".repeat(5000), "- ".repeat(2000), "[".repeat(5000)] {
            let html = shown(&text);
            let opened = html.matches("<blockquote>").count() + html.matches("<ul>").count();
            let closed = html.matches("</blockquote>").count() + html.matches("</ul>").count();
            assert_eq!(opened, closed);
        }
    }
}
