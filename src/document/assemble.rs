//! Step 2: a closer look at what the walk has found: sites, what they want, and the edits that sign them.

use super::answer::{Derivatives, Want};
use super::budget::Budget;
use super::error::ScanError;
use super::found::{Descriptor, Found, Span, Text};
use super::literal::{Decoded, decode};
use super::mentions::MentionFinder;
use super::rules::{MediaHost, References, Rules};
use super::site::{Edit, Form, Kind, Site};
use super::{asset, descriptor, markup, steps};

/// Sites in the order of the document, with what they want and their edits.
pub(super) struct Assembly<'a, 'r> {
    input: &'a str,
    rules: &'r Rules,
    finder: MentionFinder<'r>,
    budget: Budget<'r>,
    /// The derivatives of the last descriptor, and how they and their format are written: the next one's
    /// are mostly the same.
    derivatives: Result<Option<Derivatives>, ()>,
    written: [Option<&'a [u8]>; 2],
    pub sites: Vec<Site>,
    pub wants: Vec<Want<'a>>,
    pub edits: Vec<Edit>,
}

impl<'a, 'r> Assembly<'a, 'r> {
    /// Looks at everything that was found.
    ///
    /// # Errors
    /// More links are found than the budget allows, or the scan was cancelled.
    pub(super) fn new(
        input: &'a str,
        rules: &'r Rules,
        budget: Budget<'r>,
        mut found: Vec<Found>,
    ) -> Result<Self, ScanError> {
        // Objects were found where they end; sites are told in the order in which values begin.
        found.sort_by_key(|found| {
            steps::count(1);
            found.start()
        });
        // Not everything that was found is a site, and no more sites than the budget allows are.
        let room = found.len().min(budget.limit());
        let mut assembly = Self {
            input,
            rules,
            finder: MentionFinder::new(&rules.hosts),
            budget,
            derivatives: Ok(None),
            written: [None; 2],
            sites: Vec::with_capacity(room),
            wants: Vec::with_capacity(room),
            edits: Vec::with_capacity(room),
        };
        for found in found {
            assembly.budget.check()?;
            match found {
                Found::Text(text) => assembly.text(text)?,
                Found::Descriptor(descriptor) => assembly.descriptor(descriptor)?,
                Found::Reference { object, id } => {
                    if rules.references == References::Object {
                        let id = decode(id.text(input));
                        assembly.site(
                            object.start,
                            Kind::Reference,
                            Want::Asset { id },
                            object,
                            Form::Object,
                        )?;
                    }
                }
            }
        }
        assembly.edits.sort_by_key(|edit| {
            steps::count(1);
            edit.span.start
        });
        Ok(assembly)
    }

    fn descriptor(&mut self, found: Descriptor) -> Result<(), ScanError> {
        let bytes = self.input.as_bytes();
        let written = [found.derivatives, found.format].map(|span| span.map(|span| span.of(bytes)));
        if written != self.written {
            self.written = written;
            self.derivatives = descriptor::derivatives(written[0], written[1]);
        }
        let derivatives = self.derivatives;
        let key = found.key.text(self.input);
        let want = Want::File {
            key: if found.escapes { decode(key) } else { key.into() },
            derivatives: derivatives.unwrap_or_default(),
        };
        let inserted = found.output.start == found.output.end;
        let form = if inserted { Form::Member(found.name) } else { Form::Output(found.name) };
        self.site(found.start, Kind::Descriptor, want, found.output, form)?;
        if let Some(site) = self.sites.last_mut() {
            site.invalid_derivatives = derivatives.is_err();
        }
        Ok(())
    }

    fn text(&mut self, found: Text) -> Result<(), ScanError> {
        let start = found.span.start - 1;
        let source = found.span.text(self.input);
        steps::count(source.len());
        let decoded = if found.escapes { Decoded::new(source) } else { Decoded::plain(source) };
        let text = decoded.text.as_ref();
        if asset::is_id(text.as_bytes()) {
            let whole = Span { start, end: found.span.end + 1 };
            let (span, form) = match self.rules.references {
                References::Inline => (found.span, Form::Text),
                References::Object => (whole, Form::Object),
                References::Leave => return Ok(()),
            };
            if !found.reference {
                return Ok(());
            }
            return self.site(start, Kind::Reference, Want::Asset { id: decoded.text }, span, form);
        }
        if found.key && descriptor::is_bare_key(text.as_bytes()) {
            let want = Want::File { key: decoded.text, derivatives: None };
            return self.site(start, Kind::Key, want, found.span, Form::Text);
        }
        let hosts = &self.rules.hosts;
        if is_url(text, hosts) {
            return self.site(start, Kind::Url, Want::Url { url: decoded.text }, found.span, Form::Text);
        }
        let mut mentions = self.finder.mentions(text).peekable();
        let mut parts = Vec::new();
        if markup::is_markup(text, mentions.peek().is_some()) {
            parts = markup::parts(text, hosts, &mut self.budget)?;
        }
        // Both in their order: each is passed once.
        let mut covered = parts.iter().map(|part| &part.range).peekable();
        let mut count = 0;
        for place in mentions {
            steps::count(1);
            while covered.next_if(|range| range.end <= place.start).is_some() {
                steps::count(1);
            }
            if covered.peek().is_none_or(|range| place.end <= range.start) {
                self.budget.take(1)?;
                count += 1;
            }
        }
        self.html(found.span.start, &decoded, parts);
        if count > 0 {
            self.sites.push(Site { start, kind: Kind::Text, want: 0, count, invalid_derivatives: false });
        }
        Ok(())
    }

    /// Adds a string of HTML whose content begins at `content`. Its parts are in the budget.
    fn html(&mut self, content: u32, decoded: &Decoded<'_>, parts: Vec<markup::Part<'a>>) {
        if parts.is_empty() {
            return;
        }
        let (want, count) = (self.wants.len() as u32, parts.len() as u32);
        self.sites.push(Site {
            start: content - 1,
            kind: Kind::Html,
            want,
            count,
            invalid_derivatives: false,
        });
        for part in parts {
            let place = |offset| content + decoded.source(offset) as u32;
            let span = Span { start: place(part.range.start), end: place(part.range.end) };
            let want = self.wants.len() as u32;
            // What is refused has no edit: nothing can change it.
            if !matches!(part.want, Want::Refused { .. }) {
                self.edits.push(Edit { span, want, form: Form::Html(part.form) });
            }
            self.wants.push(part.want);
        }
    }

    /// Adds a site that wants one thing.
    fn site(
        &mut self,
        start: u32,
        kind: Kind,
        want: Want<'a>,
        span: Span,
        form: Form,
    ) -> Result<(), ScanError> {
        let want = self.want(want)?;
        self.sites.push(Site { start, kind, want, count: 1, invalid_derivatives: false });
        self.edits.push(Edit { span, want, form });
        Ok(())
    }

    fn want(&mut self, want: Want<'a>) -> Result<u32, ScanError> {
        self.budget.take(want.links())?;
        self.wants.push(want);
        Ok(self.wants.len() as u32 - 1)
    }
}

/// Whether a string as a whole is a URL on a media host: it begins with one, and doesn't go on as text.
fn is_url(text: &str, hosts: &[MediaHost]) -> bool {
    let ends =
        |char: char| char.is_whitespace() || char.is_control() || matches!(char, '"' | '<' | '>' | '`');
    hosts.iter().any(|host| host.holds(text)) && !text.contains(ends)
}
