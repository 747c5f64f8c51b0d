//! Where in the input the next `<` and the next media host are: one comparison for most strings.

use memchr::{memchr, memmem::Finder};

use super::found::Span;
use super::rules::MediaHost;
use super::steps;

/// The next place of each thing to look for, found by one search ahead of the walk.
pub(super) struct Needles<'r> {
    hosts: Vec<(Finder<'r>, usize)>,
    tag: usize,
    /// The smallest of all places.
    next: usize,
}

impl<'r> Needles<'r> {
    pub(super) fn new(hosts: &'r [MediaHost]) -> Self {
        // Every place is still unknown: it is "found" at 0, so the first string makes it searched.
        let hosts = hosts.iter().map(|host| host.authority().as_bytes()).filter(|host| !host.is_empty());
        Self { hosts: hosts.map(|host| (Finder::new(host), 0)).collect(), tag: 0, next: 0 }
    }

    /// Whether one of them is in the span. Spans must come in the order of the input.
    #[inline(always)]
    pub(super) fn reach(&mut self, input: &[u8], span: Span) -> bool {
        self.next < span.end as usize && self.search(input, span)
    }

    #[cold]
    fn search(&mut self, input: &[u8], span: Span) -> bool {
        let start = span.start as usize;
        let rest = input.get(start..).unwrap_or_default();
        if self.tag < start {
            let tag = memchr(b'<', rest);
            steps::count(tag.unwrap_or(rest.len()));
            self.tag = tag.map_or(usize::MAX, |at| start + at);
        }
        self.next = self.tag;
        for (finder, place) in &mut self.hosts {
            if *place < start {
                let found = finder.find(rest);
                steps::count(found.unwrap_or(rest.len()));
                *place = found.map_or(usize::MAX, |at| start + at);
            }
            self.next = self.next.min(*place);
        }
        self.next < span.end as usize
    }
}
