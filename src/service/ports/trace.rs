//! Where in a trace a request stands, in the words of W3C Trace Context.
//!
//! `traceparent` is `00-{trace id}-{span id}-{flags}`, lower-case hex of 2, 32, 16 and 2 digits. A later version may
//! go on after that; `ff` is none. `tracestate` is a list of what others keep there: it is handed on as it is.

use std::fmt;

/// A place in a trace: which trace, and below which span of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
    state: Option<Box<str>>,
}

/// Knows where in a trace what is done now stands.
pub trait CurrentTrace: fmt::Debug + Send + Sync + 'static {
    /// The place; `None` where no request asks for what is done.
    fn current(&self) -> Option<TraceContext>;
}

impl TraceContext {
    /// A place; `None` where an id is 0. `state` is a `tracestate`, and left out where it isn't one.
    #[must_use]
    pub fn new(trace_id: u128, span_id: u64, sampled: bool, state: Option<&str>) -> Option<Self> {
        let state = state.filter(|state| is_state(state)).map(Into::into);
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled, state })
    }

    /// Reads a `traceparent` and a `tracestate`. A wrong `tracestate` is left out; where the `traceparent` is wrong,
    /// there is nothing.
    #[must_use]
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let (version, rest) = (hex(parent.get(..2)?)?, parent.get(2..PARENT_BYTES)?);
        let more = parent.get(PARENT_BYTES..)?;
        if version == 0xff
            || (version == 0 && !more.is_empty())
            || !(more.is_empty() || more.starts_with('-'))
        {
            return None;
        }
        let mut parts = rest.strip_prefix('-')?.split('-');
        let mut part = |digits| hex(parts.next().filter(|part| part.len() == digits)?);
        let (trace_id, span_id, flags) = (part(32)?, u64::try_from(part(16)?).ok()?, part(2)?);
        Self::new(trace_id, span_id, flags & SAMPLED != 0, state)
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span that what comes next is below.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether whoever began the trace keeps it.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The `traceparent`.
    #[must_use]
    pub fn parent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }

    /// The `tracestate`, where there is one.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// A number in lower-case hex.
fn hex(text: &str) -> Option<u128> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.bytes().all(lower) { u128::from_str_radix(text, 16).ok() } else { None }
}

/// Whether this is a list of `key=value` that is worth handing on.
fn is_state(text: &str) -> bool {
    let members = || text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|m| !m.is_empty());
    let key = |key: &str| {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
        (1..=256).contains(&key.len()) && key.bytes().all(allowed)
    };
    let value = |value: &str| {
        (1..=256).contains(&value.len())
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=')
    };
    text.len() <= STATE_BYTES
        && (1..=STATE_MEMBERS).contains(&members().count())
        && members().all(|member| member.split_once('=').is_some_and(|(k, v)| key(k) && value(v)))
}

const PARENT_BYTES: usize = 55;
const SAMPLED: u128 = 1;
/// The longest `tracestate` that is handed on, in bytes; everybody has to take so many.
const STATE_BYTES: usize = 512;
const STATE_MEMBERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn parse(parent: &str) -> Option<TraceContext> {
        TraceContext::parse(parent, None)
    }

    #[test]
    fn what_is_read_is_written_again() {
        for flags in ["00", "01"] {
            let parent = format!("00-{TRACE}-{SPAN}-{flags}");
            let context = parse(&parent).unwrap();
            assert_eq!(context.parent(), parent);
            assert_eq!(context.is_sampled(), flags == "01");
            assert_eq!(format!("{:032x}", context.trace_id()), TRACE);
        }
    }

    #[test]
    fn unknown_flags_and_what_a_later_version_adds_are_left_out() {
        for (parent, flags) in [
            (format!("00-{TRACE}-{SPAN}-ff"), "01"),
            (format!("00-{TRACE}-{SPAN}-02"), "00"),
            (format!("cc-{TRACE}-{SPAN}-01"), "01"),
            (format!("01-{TRACE}-{SPAN}-01-what-the-future-holds"), "01"),
            (format!("fe-{TRACE}-{SPAN}-00-"), "00"),
        ] {
            assert_eq!(parse(&parent).unwrap().parent(), format!("00-{TRACE}-{SPAN}-{flags}"), "{parent}");
        }
    }

    #[test]
    fn anything_else_is_no_traceparent() {
        let zero = |digits| "0".repeat(digits);
        for parent in [
            String::new(),
            "00".into(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-00"),
            format!("01-{TRACE}-{SPAN}-01.x"),
            format!("01-{TRACE}-{SPAN}-0100"),
            format!("00-{}-{SPAN}-01", zero(32)),
            format!("00-{TRACE}-{}-01", zero(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("0A-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}0-01", &TRACE[1..]),
            format!("00-{TRACE}-{}-001", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-é{}-01", &SPAN[2..]),
            format!("é-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(parse(&parent), None, "{parent}");
        }
    }

    #[test]
    fn a_state_is_handed_on_where_it_is_one() {
        let state = |state: &str| {
            let context = TraceContext::parse(&format!("00-{TRACE}-{SPAN}-01"), Some(state)).unwrap();
            context.state().map(str::to_owned)
        };
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for good in ["a=1", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "t@v=x y", "a=1, ,b=2", &many(32)] {
            assert_eq!(state(good).as_deref(), Some(good));
        }
        for bad in ["", " ", "a", "a=", "A=1", "a=b=c", "a=é", "a=\u{1}", "=1", &many(33)] {
            assert_eq!(state(bad), None, "{bad}");
        }
        assert_eq!(state(&format!("a={}", "x".repeat(256))).map(|state| state.len()), Some(258));
        assert_eq!(state(&format!("a={}", "x".repeat(257))), None);
        let long = format!("a={0},b={0}", "x".repeat(256));
        assert_eq!(state(&long), None, "{}", long.len());
    }
}
