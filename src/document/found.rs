//! What the walk leaves for the later steps: spans of the input, in 32 bits each.

/// A part of the input, without its quotes where it is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        // The input is below 4 GiB: `scan` has looked.
        Self { start: start as u32, end: end as u32 }
    }

    /// The content of a string, without its quotes.
    pub(super) fn inner(self) -> Self {
        Self { start: self.start + 1, end: self.end - 1 }
    }

    /// These bytes of the input.
    pub(super) fn of(self, input: &[u8]) -> &[u8] {
        input.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// This text of the input.
    pub(super) fn text(self, input: &str) -> &str {
        input.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A value that may be a site.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// A string that needs a closer look.
    Text(Text),
    /// An object that is a descriptor.
    Descriptor(Descriptor),
    /// An object that is a reference: where it is, and its id.
    Reference { object: Span, id: Span },
}

impl Found {
    /// Where the value begins.
    pub(super) fn start(&self) -> u32 {
        match self {
            Self::Text(text) => text.span.start - 1,
            Self::Descriptor(descriptor) => descriptor.start,
            Self::Reference { object, .. } => object.start,
        }
    }
}

/// A string that needs a closer look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub span: Span,
    pub escapes: bool,
    /// An asset id in it is a reference.
    pub reference: bool,
    /// It is an object key.
    pub key: bool,
}

/// A descriptor: the spans of its last members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptor {
    pub start: u32,
    pub key: Span,
    /// The key holds escapes.
    pub escapes: bool,
    /// The name, where it is a string.
    pub name: Option<Span>,
    /// Values of any type.
    pub derivatives: Option<Span>,
    pub format: Option<Span>,
    /// The value that is replaced; the end of the last member, twice, where there is none.
    pub output: Span,
}
