//! Step 3: copies the input with the links put in. Only what is put in is encoded.

use std::borrow::Cow;
use std::ops::Range;

use super::answer::{Answer, Links, Reason, Want};
use super::date::rfc3339;
use super::found::Span;
use super::literal::encode;
use super::markup;
use super::profile::Profile;
use super::roles::REFERENCE_MEMBERS;
use super::site::{Edit, Form, Kind, Site};

/// A document with its links in it, and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The document; borrowed where nothing changes.
    pub bytes: Cow<'a, [u8]>,
    /// How many sites there are.
    pub found: usize,
    /// How many of them are signed.
    pub signed: usize,
    /// How many of them are not, or not wholly.
    pub unsigned: usize,
    /// When the first link in it expires, in seconds since the Unix epoch.
    pub expires: Option<u64>,
}

/// The member names that are written, as JSON.
#[derive(Debug)]
pub(super) struct Output {
    /// `,"currentFile":`
    member: Vec<u8>,
    /// `"source":"`
    source: Vec<u8>,
    /// `,"src":"`, where it is wanted.
    src: &'static [u8],
    /// `,"srcset":"`
    srcset: Vec<u8>,
}

impl Output {
    pub(super) fn new(profile: &Profile) -> Self {
        let quoted = |before: &str, name: &str, after: &str| {
            let mut out = Vec::with_capacity(name.len() + 8);
            out.extend_from_slice(before.as_bytes());
            encode(&mut out, name);
            out.extend_from_slice(after.as_bytes());
            out
        };
        Self {
            member: quoted(",\"", &profile.output, "\":"),
            source: quoted("\"", &profile.source, "\":\""),
            src: if profile.write_src { b"\",\"src\":\"" } else { b"" },
            srcset: quoted("\",\"", &profile.srcset, "\":\""),
        }
    }

    /// Writes what follows the name.
    fn write(&self, out: &mut Vec<u8>, links: &Links) {
        out.extend_from_slice(&self.source);
        put(out, links, links.link());
        if !self.src.is_empty() {
            out.extend_from_slice(self.src);
            put(out, links, links.link());
        }
        if !links.srcset().is_empty() {
            out.extend_from_slice(&self.srcset);
            put(out, links, links.srcset());
        }
        out.extend_from_slice(b"\"}");
    }
}

/// Appends a part of the links as the content of a string.
fn put(out: &mut Vec<u8>, links: &Links, part: &str) {
    if links.is_plain() { out.extend_from_slice(part.as_bytes()) } else { encode(out, part) }
}

/// The answer to a want; one that was not given is no link.
pub(super) fn answer(answers: &[Answer], want: u32) -> Result<&Links, Reason> {
    match answers.get(want as usize) {
        Some(answer) => answer.as_ref().map_err(|reason| *reason),
        None => Err(Reason::Unknown),
    }
}

/// What is copied, and what is put in.
pub(super) struct Splice<'s, 'a> {
    pub input: &'a [u8],
    /// In the order of their spans.
    pub edits: &'s [Edit],
    pub wants: &'s [Want<'a>],
    pub answers: &'s [Answer],
    pub output: &'s Output,
}

impl<'a> Splice<'_, 'a> {
    /// Copies the input with the links of the answers in it.
    pub(super) fn bytes(&self) -> Cow<'a, [u8]> {
        if !self.edits.iter().any(|edit| answer(self.answers, edit.want).is_ok()) {
            return Cow::Borrowed(self.input);
        }
        let mut out = Vec::with_capacity(self.input.len() + room(self.answers) + self.edits.len() * 64);
        self.copy(&mut out, Span::new(0, self.input.len()), 0..self.edits.len());
        Cow::Owned(out)
    }

    /// Copies a part of the input with the edits in it.
    fn copy(&self, out: &mut Vec<u8>, part: Span, edits: Range<usize>) {
        let mut rest = part;
        for (at, edit) in edits.clone().zip(self.edits.get(edits).unwrap_or_default()) {
            let Ok(links) = answer(self.answers, edit.want) else {
                continue;
            };
            out.extend_from_slice(Span { end: edit.span.start, ..rest }.of(self.input));
            rest.start = edit.span.end;
            match edit.form {
                Form::Text => put(out, links, links.link()),
                Form::Object => {
                    if let Some(Want::Asset { id }) = self.wants.get(edit.want as usize) {
                        reference(out, id, links);
                    }
                }
                Form::Member(name) => {
                    out.extend_from_slice(&self.output.member);
                    self.file(out, at, name, links);
                }
                Form::Output(name) => self.file(out, at, name, links),
                Form::Html(form) => html(out, form, links.link()),
            }
        }
        out.extend_from_slice(rest.of(self.input));
    }

    /// Writes the value of the output member, which is an edit. The name is the one that the descriptor
    /// will have: where it is media itself, it is signed here as it is there.
    fn file(&self, out: &mut Vec<u8>, at: usize, name: Option<Span>, links: &Links) {
        out.push(b'{');
        if let Some(name) = name {
            let edits = self.within(name, at);
            let mut signed =
                self.edits[edits.clone()].iter().filter(|edit| answer(self.answers, edit.want).is_ok());
            if !signed.any(|edit| matches!(edit.form, Form::Object)) {
                out.extend_from_slice(b"\"name\":\"");
                self.copy(out, name, edits);
                out.extend_from_slice(b"\",");
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
        first..first + count
    }
}

/// How many bytes the links take, with some room for what is around them.
fn room(answers: &[Answer]) -> usize {
    answers.iter().flatten().map(Links::bytes).sum()
}

fn reference(out: &mut Vec<u8>, id: &str, links: &Links) {
    let expires = rfc3339(links.expires());
    let values = [id, links.link(), expires.as_str()];
    for (before, (name, value)) in
        [b"{\"", b",\"", b",\""].into_iter().zip(REFERENCE_MEMBERS.into_iter().zip(values))
    {
        out.extend_from_slice(before);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":\"");
        encode(out, value);
        out.push(b'"');
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
pub(super) fn reason(site: &Site, answers: &[Answer]) -> Option<Reason> {
    match site.kind {
        Kind::Text => Some(Reason::Unsupported),
        _ => (site.want..site.want + site.count).find_map(|want| answer(answers, want).err()),
    }
}

/// How many sites are found, and how many of them are unsigned.
pub(super) fn count(sites: &[Site], answers: &[Answer]) -> (usize, usize) {
    sites.iter().fold((0, 0), |(found, unsigned), site| {
        let sites = if site.kind == Kind::Text { site.count as usize } else { 1 };
        (found + sites, unsigned + if reason(site, answers).is_some() { sites } else { 0 })
    })
}
