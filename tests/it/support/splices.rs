//! What signing did to a document, found without the scanner under test: both texts are walked
//! token by token, and whatever differs must be a value that stands where the other one stands, or
//! an output member put in at the end of an object. So every other byte is proven the same.
//!
//! 1. [`changes`]: the differences, each with its place.
//! 2. [`Change::links`]: the links in what was put in, after a check that nothing else is.
//! 3. [`encode`]: object keys as links write them.

use serde_json::Value;

/// A place where two documents differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the value is that was replaced, or the object that got an output member (RFC 6901).
    pub pointer: String,
    /// The value as it stood, raw; `None` where a member was put in.
    pub before: Option<String>,
    /// The value as it stands now, raw.
    pub after: String,
}

/// All places where two documents differ. Panics where they differ in any other way.
pub fn changes(before: &[u8], after: &[u8]) -> Vec<Change> {
    let (before, after) = (text(before), text(after));
    let (a, b) = (tokens(before), tokens(after));
    let (mut i, mut j) = (0, 0);
    let mut place = Place::default();
    let mut changes = Vec::new();
    while i < a.len() || j < b.len() {
        let (old, new) = (a.get(i).copied().unwrap_or(""), b.get(j).copied().unwrap_or(""));
        let is_output = place.is_output() && a[..i].iter().rfind(|t| !t.trim().is_empty()) == Some(&":");
        if old == new && !(is_output && old == "{") {
            place.see(old, a.get(i + 1..).unwrap_or_default());
            (i, j) = (i + 1, j + 1);
        } else if b[j..].starts_with(&[",", "\"currentFile\"", ":"]) {
            let end = value_end(&b, j + 3);
            let next = b[end..].iter().find(|token| !token.trim().is_empty());
            assert_eq!(next, Some(&"}"), "currentFile isn't the last member at {}", place.parent());
            let after = b[j + 3..end].concat();
            changes.push(Change { pointer: place.parent(), before: None, after });
            j = end;
        } else {
            let (old_end, new_end) = (value_end(&a, i), value_end(&b, j));
            assert!(old_end > i && new_end > j, "{}: {old:?} became {new:?}", place.pointer());
            let (before, after) = (a[i..old_end].concat(), b[j..new_end].concat());
            if before != after {
                changes.push(Change { pointer: place.pointer(), before: Some(before), after });
            }
            (i, j) = (old_end, new_end);
        }
    }
    changes
}

impl Change {
    /// The links that were put in, source first. Panics where anything but links was put in.
    pub fn links(&self) -> Vec<String> {
        let after: Value = serde_json::from_str(&self.after).unwrap();
        let before: Value = self.before.as_deref().map_or(Value::Null, |text| {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.pointer))
        });
        match (&before, &after) {
            (Value::String(id), Value::Object(members)) if id.starts_with("med_") => {
                let known = ["id", "url", "expiresAt"];
                assert!(
                    members.len() == 3 && known.iter().all(|name| members.contains_key(*name)),
                    "{after}"
                );
                assert_eq!(&members["id"], id);
                vec![string(&members["url"])]
            }
            (_, Value::Object(members)) => {
                assert!(members.keys().all(|name| ["name", "source", "srcset"].contains(&name.as_str())));
                let srcset = members.get("srcset").map(string).unwrap_or_default();
                let mut links = vec![string(&members["source"])];
                for candidate in srcset.split(", ").filter(|candidate| !candidate.is_empty()) {
                    let (link, width) = candidate.split_once(' ').unwrap();
                    let bare = link.split('?').next().unwrap();
                    assert!(bare.contains(&format!(".{}.", width.strip_suffix('w').unwrap())), "{candidate}");
                    links.push(link.to_owned());
                }
                links
            }
            (Value::String(old), Value::String(new)) if new.contains('<') => markup(old, new),
            (Value::String(old), Value::String(new)) => {
                assert!(old.starts_with("med_") || unsigned(old) == unsigned(new), "{old} became {new}");
                vec![new.clone()]
            }
            _ => panic!("{}: {before} became {after}", self.pointer),
        }
    }
}

/// The links in markup, after a check that it differs in them alone: in the signatures of URLs,
/// or in a `src` that was put in.
fn markup(old: &str, new: &str) -> Vec<String> {
    let (_, before) = urls(old);
    let (links, mut after) = urls(new);
    for link in &links {
        let put_in = format!(" src=\"{}\"", unsigned(link));
        if after.matches(&put_in).count() > before.matches(&put_in).count() {
            after = after.replacen(&put_in, "", 1);
        }
    }
    assert_eq!(before, after);
    links.into_iter().filter(|link| link.contains("Signature=")).collect()
}

/// The URLs in markup, decoded, and all of it with its URLs decoded and without signatures.
fn urls(markup: &str) -> (Vec<String>, String) {
    let (mut links, mut rest, mut bare) = (Vec::new(), markup, String::new());
    while let Some(start) = rest.find("http") {
        let length = rest[start..].find(|c: char| c.is_whitespace() || "\"'<>`".contains(c));
        let (url, tail) = rest[start..].split_at(length.unwrap_or(rest.len() - start));
        assert!(url.split('&').skip(1).all(|part| part.starts_with("amp;")), "{url} isn't encoded");
        let url = url.replace("&amp;", "&");
        bare.push_str(&rest[..start]);
        bare.push_str(&unsigned(&url));
        links.push(url);
        rest = tail;
    }
    (links, bare + rest)
}

/// A URL without the parameters of a signature.
pub fn unsigned(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let signing = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
    let kept = query.split('&').filter(|pair| !signing.contains(&pair.split('=').next().unwrap()));
    let kept: Vec<&str> = kept.collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// An object key as a link writes it: all but `A-Z a-z 0-9 - . _ ~` and the slashes encoded.
pub fn encode(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A document as a value; the one number of the fixtures that no `f64` holds is made smaller.
pub fn parse(document: &[u8]) -> Value {
    serde_json::from_str(&text(document).replace("1e400", "1e300")).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}

/// White space, structural characters, strings with their quotes, and all else up to the next of these.
fn tokens(json: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => 1 + string_length(&rest.as_bytes()[1..]),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ if first.is_ascii_whitespace() => run(rest, |c| c.is_ascii_whitespace()),
            _ => run(rest, |c| !c.is_ascii_whitespace() && !"{}[],:\"".contains(c)),
        };
        let (token, tail) = rest.split_at(length);
        tokens.push(token);
        rest = tail;
    }
    tokens
}

fn run(text: &str, within: impl Fn(char) -> bool) -> usize {
    text.find(|c| !within(c)).unwrap_or(text.len())
}

/// The length of a string's content and its last quote.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Where the value ends that begins at a token; the token itself where none begins there.
fn value_end(tokens: &[&str], start: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match *token {
            "{" | "[" => depth += 1,
            "}" | "]" if depth == 0 => return start,
            "}" | "]" => depth -= 1,
            "," | ":" if depth == 0 => return start,
            _ if depth == 0 && token.trim().is_empty() => return start,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    start
}

/// Where the walk is: the segments of containers, and of the value that comes next.
#[derive(Default)]
struct Place {
    segments: Vec<Segment>,
}

enum Segment {
    Member(String),
    Item(usize),
}

impl Place {
    /// Takes a token; `next` tells whether a string is a member's name.
    fn see(&mut self, token: &str, next: &[&str]) {
        match token {
            "{" => self.segments.push(Segment::Member(String::new())),
            "[" => self.segments.push(Segment::Item(0)),
            "}" | "]" => drop(self.segments.pop()),
            "," => {
                if let Some(Segment::Item(index)) = self.segments.last_mut() {
                    *index += 1;
                }
            }
            _ if token.starts_with('"') => {
                let colon = next.iter().find(|token| !token.trim().is_empty()) == Some(&":");
                if let (true, Some(Segment::Member(name))) = (colon, self.segments.last_mut()) {
                    *name = serde_json::from_str(token).unwrap();
                }
            }
            _ => {}
        }
    }

    /// Whether the value that comes next, if one does, is an output member's: it is replaced whole.
    fn is_output(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Member(name)) if name == "currentFile")
    }

    fn pointer(&self) -> String {
        self.segments.iter().map(Segment::text).collect()
    }

    fn parent(&self) -> String {
        let length = self.segments.len().saturating_sub(1);
        self.segments[..length].iter().map(Segment::text).collect()
    }
}

impl Segment {
    fn text(&self) -> String {
        match self {
            Self::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Item(index) => format!("/{index}"),
        }
    }
}
