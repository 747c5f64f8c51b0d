//! Step 3: copies the input with the links put in. Only what is put in is encoded.

use std::borrow::Cow;

use super::answer::{Answer, Links, Reason, Want};
use super::date::rfc3339;
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

    /// Writes the value of the output member; `name` is a literal without its quotes.
    fn write(&self, out: &mut Vec<u8>, name: Option<&[u8]>, links: &Links) {
        out.push(b'{');
        if let Some(name) = name {
            out.extend_from_slice(b"\"name\":\"");
            out.extend_from_slice(name);
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(&self.source);
        encode(out, &links.link);
        if !self.src.is_empty() {
            out.extend_from_slice(self.src);
            encode(out, &links.link);
        }
        for (index, (width, link)) in links.derivatives.iter().enumerate() {
            out.extend_from_slice(if index == 0 { &self.srcset } else { b", " });
            encode(out, link);
            out.push(b' ');
            out.extend_from_slice(width.to_string().as_bytes());
            out.push(b'w');
        }
        out.extend_from_slice(b"\"}");
    }
}

/// The answer to a want; one that was not given is no link.
pub(super) fn answer(answers: &[Answer], want: u32) -> Result<&Links, Reason> {
    match answers.get(want as usize) {
        Some(answer) => answer.as_ref().map_err(|reason| *reason),
        None => Err(Reason::Unknown),
    }
}

/// Copies the input with the links of the answers in it.
pub(super) fn bytes<'a>(
    input: &'a [u8],
    edits: &[Edit],
    wants: &[Want<'a>],
    answers: &[Answer],
    output: &Output,
) -> Cow<'a, [u8]> {
    let mut out = Vec::new();
    let mut done = 0;
    for edit in edits {
        let Ok(links) = answer(answers, edit.want) else {
            continue;
        };
        if out.capacity() == 0 {
            out.reserve_exact(input.len() + room(answers) + edits.len() * 64);
        }
        out.extend_from_slice(input.get(done..edit.span.start as usize).unwrap_or_default());
        done = edit.span.end as usize;
        match edit.form {
            Form::Text => encode(&mut out, &links.link),
            Form::Object => {
                if let Some(Want::Asset { id }) = wants.get(edit.want as usize) {
                    reference(&mut out, id, links);
                }
            }
            Form::Member(name) => {
                out.extend_from_slice(&output.member);
                output.write(&mut out, name.map(|name| name.of(input)), links);
            }
            Form::Output(name) => output.write(&mut out, name.map(|name| name.of(input)), links),
            Form::Html(form) => html(&mut out, form, &links.link),
        }
    }
    if out.capacity() == 0 {
        return Cow::Borrowed(input);
    }
    out.extend_from_slice(input.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

/// How many bytes the links take, with some room for what is around them.
fn room(answers: &[Answer]) -> usize {
    let links = answers.iter().flatten();
    links
        .map(|links| {
            links.link.len() + links.derivatives.iter().map(|(_, link)| link.len() + 10).sum::<usize>()
        })
        .sum()
}

fn reference(out: &mut Vec<u8>, id: &str, links: &Links) {
    let expires = rfc3339(links.expires);
    let values = [id, links.link.as_str(), expires.as_str()];
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
