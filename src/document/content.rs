//! What kind of content an HTML parser is in, as far as it decides how the next bytes are read.
//!
//! A tokenizer alone doesn't know whether `<style>` begins a raw text, or `<![CDATA[` a section: that depends on
//! the tree that the parser builds ([13.2.6](https://html.spec.whatwg.org/multipage/parsing.html#tree-construction)).
//! A whole tree builder isn't linear, so this follows the tree only while it is certain. Where it isn't, both
//! readings are possible, and the tokenizer goes on only where both come to the same tags (see `html`).

use html5gum::State;

/// The kind of content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The current node is an HTML element, and no `select`, `svg` or `math` is open.
    Html,
    /// The current node is a `select`, or an option in it.
    Select,
    /// The current node is an element of SVG or MathML.
    Foreign {
        /// The names of those that are open, the `svg` or `math` first.
        open: Vec<Box<[u8]>>,
        /// Whether the last of them may hold HTML.
        point: bool,
    },
    /// It may be any of these.
    Unsure,
}

/// How the bytes after a start tag are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// As tags.
    Tags,
    /// As a text, in this state of the tokenizer.
    Text(State),
    /// As a text where scripts run, as tags elsewhere.
    Noscript,
    /// As tags or as a text that ends with the element.
    Either,
    /// As tags or as a text that never ends.
    Unknown,
}

/// How `<![CDATA[` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cdata {
    /// As a comment.
    Comment,
    /// As a section.
    Section,
    /// As one of both.
    Either,
}

/// The greatest number of open elements that are followed.
const MOST_OPEN: usize = 256;

/// Start tags that end foreign content.
const BREAKOUT: [&[u8]; 44] = [
    b"b",
    b"big",
    b"blockquote",
    b"body",
    b"br",
    b"center",
    b"code",
    b"dd",
    b"div",
    b"dl",
    b"dt",
    b"em",
    b"embed",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"hr",
    b"i",
    b"img",
    b"li",
    b"listing",
    b"menu",
    b"meta",
    b"nobr",
    b"ol",
    b"p",
    b"pre",
    b"ruby",
    b"s",
    b"small",
    b"span",
    b"strong",
    b"strike",
    b"sub",
    b"sup",
    b"table",
    b"tt",
    b"u",
    b"ul",
    b"var",
];

/// Elements of SVG and MathML that may hold HTML.
const POINTS: [&[u8]; 9] =
    [b"annotation-xml", b"desc", b"foreignobject", b"mi", b"mn", b"mo", b"ms", b"mtext", b"title"];

impl Content {
    /// Follows a start tag.
    pub(super) fn start(&mut self, name: &[u8], self_closing: bool) -> Next {
        match self {
            Self::Html => match name {
                b"svg" | b"math" if self_closing => Next::Tags,
                b"svg" | b"math" => {
                    *self = Self::Foreign { open: vec![name.into()], point: false };
                    Next::Tags
                }
                b"select" => {
                    *self = Self::Select;
                    Next::Tags
                }
                // All that follows may be ignored.
                b"frameset" => {
                    *self = Self::Unsure;
                    Next::Tags
                }
                b"noscript" => Next::Noscript,
                name => text_of(name).map_or(Next::Tags, Next::Text),
            },
            Self::Select => match name {
                b"option" | b"optgroup" | b"hr" => Next::Tags,
                // Parsers differ: such tags were ignored until 2025.
                _ => self.doubt(name),
            },
            Self::Foreign { open, point } => match name {
                _ if *point => self.doubt(name),
                // Depends on its attributes.
                b"font" => self.doubt(name),
                name if BREAKOUT.contains(&name) => {
                    *self = Self::Html;
                    self.start(name, self_closing)
                }
                _ if self_closing => Next::Tags,
                name if open.len() < MOST_OPEN => {
                    *point = POINTS.contains(&name);
                    open.push(name.into());
                    Next::Tags
                }
                _ => self.doubt(name),
            },
            Self::Unsure => self.doubt(name),
        }
    }

    /// Follows an end tag.
    pub(super) fn end(&mut self, name: &[u8]) {
        match self {
            Self::Html | Self::Unsure => {}
            Self::Select => match name {
                b"select" => *self = Self::Html,
                b"option" | b"optgroup" => {}
                _ => *self = Self::Unsure,
            },
            Self::Foreign { open, point } => match open.iter().rposition(|open| **open == *name) {
                Some(0) => *self = Self::Html,
                Some(at) => {
                    open.truncate(at);
                    *point = false;
                }
                None => *self = Self::Unsure,
            },
        }
    }

    /// Says how `<![CDATA[` is read here.
    pub(super) fn cdata(&self) -> Cdata {
        match self {
            Self::Html | Self::Select => Cdata::Comment,
            Self::Foreign { .. } => Cdata::Section,
            Self::Unsure => Cdata::Either,
        }
    }

    /// Gives up following the tree, with a start tag that may mean two things.
    fn doubt(&mut self, name: &[u8]) -> Next {
        *self = Self::Unsure;
        match (name, text_of(name)) {
            (b"noscript", _) => Next::Noscript,
            (_, Some(State::PlainText)) => Next::Unknown,
            (_, Some(_)) => Next::Either,
            (_, None) => Next::Tags,
        }
    }
}

/// The state of the tokenizer for the content of an HTML element that holds text alone.
fn text_of(name: &[u8]) -> Option<State> {
    match name {
        b"textarea" | b"title" => Some(State::RcData),
        b"script" => Some(State::ScriptData),
        b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" => Some(State::RawText),
        b"plaintext" => Some(State::PlainText),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content after these tags: `/` before a name is an end tag, after it a self-closing one.
    fn after(tags: &str) -> Content {
        let mut content = Content::Html;
        for tag in tags.split_whitespace() {
            match tag.strip_prefix('/') {
                Some(name) => content.end(name.as_bytes()),
                None => {
                    let name = tag.trim_end_matches('/');
                    content.start(name.as_bytes(), name != tag);
                }
            }
        }
        content
    }

    #[test]
    fn the_tree_is_followed_while_it_is_certain() {
        for tags in [
            "p style /style",
            "svg /svg",
            "svg/",
            "svg path/ g a /g /svg",
            "svg title /title /svg",
            "svg g p",
            "math mi /mi mo /math",
            "select option /option option optgroup hr /select",
            "svg svg /svg /svg",
            "svg mi/ g /svg",
            "/svg /math /p",
        ] {
            assert_eq!(after(tags), Content::Html, "{tags}");
        }
        for tags in ["svg g", "svg style", "svg title /title", "math svg", "svg desc", "svg style /style a/"]
        {
            assert_eq!(after(tags).cdata(), Cdata::Section, "{tags}");
        }
        for tags in [
            "svg foreignobject p",
            "svg title b",
            "math annotation-xml svg",
            "svg /p",
            "svg g /div",
            "svg font",
            "select p",
            "select /p",
            "select select",
            "frameset",
            "svg desc p /desc /svg",
        ] {
            assert_eq!(after(tags), Content::Unsure, "{tags}");
        }
        assert_eq!(after(&"svg ".repeat(MOST_OPEN + 1)), Content::Unsure);
    }

    #[test]
    fn what_follows_a_tag_depends_on_where_it_stands() {
        let next = |before: &str, name: &str| after(before).start(name.as_bytes(), false);
        assert_eq!(next("", "style"), Next::Text(State::RawText));
        assert_eq!(next("svg", "style"), Next::Tags);
        assert_eq!(next("svg p", "style"), Next::Text(State::RawText));
        assert_eq!(next("svg desc", "style"), Next::Either);
        assert_eq!(next("select", "xmp"), Next::Either);
        assert_eq!(next("frameset", "plaintext"), Next::Unknown);
        assert_eq!((next("", "noscript"), next("svg", "noscript")), (Next::Noscript, Next::Tags));
        assert_eq!(next("frameset", "noscript"), Next::Noscript);
        assert_eq!(next("svg", "plaintext"), Next::Tags);
    }
}
