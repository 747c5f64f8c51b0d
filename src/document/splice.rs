//! Step 3: the input with the links put in, as pieces. Only what is put in is encoded.

use std::borrow::Cow;
use std::ops::Range;

use super::answer::{Answer, Links, Reason, Want};
use super::date::rfc3339;
use super::found::Span;
use super::literal::encode;
use super::markup;
use super::pieces::Pieces;
use super::profile::Profile;
use super::roles::REFERENCE_MEMBERS;
use super::site::{Edit, Form, Kind, Site};
use super::steps;

/// A document with its links in it, and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The input.
    pub(super) input: &'a [u8],
    /// The document.
    pub pieces: Pieces,
    /// How many sites there are.
    pub found: usize,
    /// How many of them are signed.
    pub signed: usize,
    /// How many of them are not, or not wholly.
    pub unsigned: usize,
    /// How many of those there are by reason, in the order of [`Reason::ALL`].
    pub reasons: Vec<(Reason, usize)>,
    /// When the first link in it expires, in seconds since the Unix epoch.
    pub expires: Option<u64>,
}

impl<'a> Signed<'a> {
    /// The document in one piece; borrowed where nothing has changed.
    #[must_use]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.pieces.is_changed() {
            Cow::Owned(self.pieces.to_vec(self.input))
        } else {
            Cow::Borrowed(self.input)
        }
    }
}

/// The member names that are written, as JSON, one after the other.
#[derive(Debug)]
pub(super) struct Output {
    text: Vec<u8>,
    /// `,"currentFile":{`
    member: Fixed,
    /// `{`
    open: Fixed,
    /// `"name":"`
    name: Fixed,
    /// `",`
    name_end: Fixed,
    /// `"source":"`
    source: Fixed,
    /// `","src":"`, where it is wanted.
    src: Option<Fixed>,
    /// `","srcset":"`
    srcset: Fixed,
    /// `"}`
    end: Fixed,
}

/// A part of the text: where it begins, and its length.
type Fixed = (usize, u32);

impl Output {
    pub(super) fn new(profile: &Profile) -> Self {
        let mut text = Vec::with_capacity(128);
        let mut put = |before: &str, name: &str, after: &str| {
            let start = text.len();
            text.extend_from_slice(before.as_bytes());
            encode(&mut text, name);
            text.extend_from_slice(after.as_bytes());
            (start, (text.len() - start) as u32)
        };
        Self {
            member: put(",\"", &profile.output, "\":{"),
            open: put("{", "", ""),
            name: put("\"", "name", "\":\""),
            name_end: put("\",", "", ""),
            source: put("\"", &profile.source, "\":\""),
            src: profile.write_src.then(|| put("\",\"", "src", "\":\"")),
            srcset: put("\",\"", &profile.srcset, "\":\""),
            end: put("\"}", "", ""),
            text,
        }
    }

    /// Writes what follows the name.
    fn write(&self, out: &mut Pieces, links: &Links) {
        let shared = links.is_plain().then(|| out.share(links));
        let link = |out: &mut Pieces| match shared {
            Some(index) => out.link(index),
            None => out.write(|out| encode(out, links.link())),
        };
        out.fixed(self.source);
        link(out);
        if let Some(src) = self.src {
            out.fixed(src);
            link(out);
        }
        if !links.srcset().is_empty() {
            out.fixed(self.srcset);
            match shared {
                Some(index) => out.srcset(index),
                None => out.write(|out| encode(out, links.srcset())),
            }
        }
        out.fixed(self.end);
    }
}

/// The answer to a want; one that was not given is no link, and what is refused has none.
pub(super) fn answer<'s>(wants: &[Want<'_>], answers: &'s [Answer], want: u32) -> Result<&'s Links, Reason> {
    match (wants.get(want as usize), answers.get(want as usize)) {
        (Some(Want::Refused { reason }), _) => Err(*reason),
        (_, Some(answer)) => answer.as_ref().map_err(|reason| *reason),
        (_, None) => Err(Reason::Unknown),
    }
}

/// What is taken, and what is put in.
pub(super) struct Splice<'s, 'a> {
    pub input: &'a [u8],
    /// In the order of their spans.
    pub edits: &'s [Edit],
    pub wants: &'s [Want<'a>],
    pub answers: &'s [Answer],
    pub output: &'s Output,
}

impl Splice<'_, '_> {
    /// The input with the links of the answers in it.
    pub(super) fn pieces(&self) -> Pieces {
        if !self.edits.iter().any(|edit| self.answer(edit).is_ok()) {
            return Pieces::unchanged(self.input.len());
        }
        let mut out = Pieces::new(&self.output.text, self.edits.len());
        self.copy(&mut out, Span::new(0, self.input.len()), 0..self.edits.len());
        out
    }

    fn answer(&self, edit: &Edit) -> Result<&Links, Reason> {
        steps::count(1);
        answer(self.wants, self.answers, edit.want)
    }

    /// Takes a part of the input with the edits in it.
    fn copy(&self, out: &mut Pieces, part: Span, edits: Range<usize>) {
        let mut rest = part;
        for (at, edit) in edits.clone().zip(self.edits.get(edits).unwrap_or_default()) {
            let Ok(links) = self.answer(edit) else {
                continue;
            };
            out.input(Span { end: edit.span.start, ..rest });
            rest.start = edit.span.end;
            match edit.form {
                Form::Text if links.is_plain() => {
                    let index = out.share(links);
                    out.link(index);
                }
                Form::Text => out.write(|out| encode(out, links.link())),
                Form::Object => {
                    if let Some(Want::Asset { id }) = self.wants.get(edit.want as usize) {
                        out.write(|out| reference(out, id, links));
                    }
                }
                Form::Member(name) => self.file(out, self.output.member, at, name, links),
                Form::Output(name) => self.file(out, self.output.open, at, name, links),
                Form::Html(form) => out.write(|out| html(out, form, links.link())),
            }
        }
        out.input(rest);
    }

    /// Writes the value of the output member, which is an edit. The name is the one that the descriptor
    /// will have: where it is media itself, it is signed here as it is there.
    fn file(&self, out: &mut Pieces, before: Fixed, at: usize, name: Option<Span>, links: &Links) {
        out.fixed(before);
        if let Some(name) = name {
            let edits = self.within(name, at);
            let mut signed = self.edits[edits.clone()].iter().filter(|edit| self.answer(edit).is_ok());
            if !signed.any(|edit| matches!(edit.form, Form::Object)) {
                out.fixed(self.output.name);
                self.copy(out, name, edits);
                out.fixed(self.output.name_end);
            }
        }
        self.output.write(out, links);
    }

    /// The edits of a string of the object that also holds the edit `near`: they are few steps away.
    fn within(&self, string: Span, near: usize) -> Range<usize> {
        let before = |edit: &Edit| edit.span.start + 1 < string.start;
        let mut first = near;
        while first > 0 && !before(&self.edits[first - 1]) {
            first -= 1;
        }
        first += self.edits[first..].iter().take_while(|edit| before(edit)).count();
        let count = self.edits[first..].iter().take_while(|edit| edit.span.start <= string.end).count();
        steps::count(near.abs_diff(first) + count);
        first..first + count
    }
}

/// All three members always, so that the object is known again: a link without an end has `null`.
fn reference(out: &mut Vec<u8>, id: &str, links: &Links) {
    let expires = links.expires().map(rfc3339);
    let values = [Some(id), Some(links.link()), expires.as_deref()];
    for (before, (name, value)) in
        [b"{\"", b",\"", b",\""].into_iter().zip(REFERENCE_MEMBERS.into_iter().zip(values))
    {
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        match value {
            Some(value) => {
                out.push(b'"');
                encode(out, value);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
}

/// Writes a link as HTML, and that as the content of a JSON string.
fn html(out: &mut Vec<u8>, form: markup::Form, link: &str) {
    use markup::Form;
    let mut text = String::with_capacity(link.len() + 32);
    text.push_str(match form {
        Form::Double | Form::Single => "",
        Form::Quoted => "\"",
        Form::Value => "=\"",
        Form::Attribute => " src=\"",
    });
    for char in link.chars() {
        match char {
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            // A value may stand in what is a text to other readers, such as `noscript`: no tag begins or ends in it.
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\'' if form == Form::Single => text.push_str("&#39;"),
            char => text.push(char),
        }
    }
    if !matches!(form, Form::Double | Form::Single) {
        text.push('"');
    }
    encode(out, &text);
}

/// The first reason why a site is unsigned, or not wholly signed.
pub(super) fn reason(site: &Site, wants: &[Want<'_>], answers: &[Answer]) -> Option<Reason> {
    steps::count(site.count as usize);
    match site.kind {
        Kind::Text => Some(Reason::Unsupported),
        _ => (site.want..site.want + site.count).find_map(|want| answer(wants, answers, want).err()),
    }
}

/// How many sites are found, and how many of them are unsigned, by reason.
pub(super) fn count(sites: &[Site], wants: &[Want<'_>], answers: &[Answer]) -> (usize, Vec<(Reason, usize)>) {
    let mut found = 0;
    let mut unsigned = Reason::ALL.map(|reason| (reason, 0));
    for site in sites {
        let sites = if site.kind == Kind::Text { site.count as usize } else { 1 };
        found += sites;
        if let Some(reason) = reason(site, wants, answers)
            && let Some((_, count)) = unsigned.iter_mut().find(|(other, _)| *other == reason)
        {
            *count += sites;
        }
    }
    (found, unsigned.into_iter().filter(|(_, count)| *count > 0).collect())
}
