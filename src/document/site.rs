//! Sites, and the edits that sign them.

use super::found::Span;
use super::markup;

/// What kind of place media stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An object that describes a file.
    Descriptor,
    /// A string that is an asset id, or an object made from one.
    Reference,
    /// A string that is a URL on a media host.
    Url,
    /// A string that is an object key, in a member that the profile names.
    Key,
    /// A string of HTML with media in its attributes.
    Html,
    /// A media host anywhere else in a string.
    Text,
}

impl Kind {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Descriptor => "descriptor",
            Self::Reference => "reference",
            Self::Url => "url",
            Self::Key => "key",
            Self::Html => "html",
            Self::Text => "text",
        }
    }

    /// The member of a report's row that holds the [`subject`](super::Row::subject).
    pub fn subject(self) -> Option<&'static str> {
        match self {
            Self::Descriptor | Self::Key => Some("key"),
            Self::Reference => Some("id"),
            Self::Url => Some("url"),
            Self::Html | Self::Text => None,
        }
    }
}

/// A place in the document where media stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    /// Where the value begins.
    pub start: u32,
    pub kind: Kind,
    /// The first thing that it wants.
    pub want: u32,
    /// How many things it wants; of text, how many sites this stands for.
    pub count: u32,
    /// A descriptor whose derivatives can't be read.
    pub invalid_derivatives: bool,
}

/// A change of the input, made where its want has links.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edit {
    /// What is replaced; empty where something is put in.
    pub span: Span,
    pub want: u32,
    pub form: Form,
}

/// How a link is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As the content of a string.
    Text,
    /// As a reference object.
    Object,
    /// As the value of the output member, with this name.
    Output(Option<Span>),
    /// As the output member, with this name.
    Member(Option<Span>),
    /// Into a string of HTML.
    Html(markup::Form),
}
