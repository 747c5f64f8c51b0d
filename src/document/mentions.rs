//! Where media hosts stand in a text, found as they are asked for.

use std::ops::Range;

use memchr::memmem::{FindIter, Finder};

use super::rules::MediaHost;
use super::steps;

/// Finds media hosts in texts.
pub(super) struct MentionFinder<'r> {
    hosts: Vec<Finder<'r>>,
}

impl<'r> MentionFinder<'r> {
    pub(super) fn new(hosts: &'r [MediaHost]) -> Self {
        let hosts = hosts.iter().map(|host| host.authority().as_bytes()).filter(|host| !host.is_empty());
        Self { hosts: hosts.map(Finder::new).collect() }
    }

    /// Returns where media hosts stand in a text, in their order: the longest where several begin, and none
    /// inside another.
    pub(super) fn mentions<'t>(&'t self, text: &'t str) -> Mentions<'t> {
        let host = |finder: &'t Finder<'r>| {
            let length = finder.needle().len();
            let mut places = finder.find_iter(text.as_bytes());
            let next = next(&mut places, length);
            Host { places, length, next }
        };
        Mentions { hosts: self.hosts.iter().map(host).collect(), end: 0 }
    }
}

/// The places of media hosts in a text.
pub(super) struct Mentions<'t> {
    hosts: Vec<Host<'t>>,
    /// The end of the last one that was given.
    end: usize,
}

struct Host<'t> {
    places: FindIter<'t, 't>,
    length: usize,
    next: Option<Range<usize>>,
}

impl Iterator for Mentions<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let first = |host: &&mut Host<'_>| {
                host.next.as_ref().map_or((usize::MAX, 0), |place| (place.start, usize::MAX - place.end))
            };
            steps::count(self.hosts.len());
            let host = self.hosts.iter_mut().min_by_key(first)?;
            let place = host.next.take()?;
            host.next = next(&mut host.places, host.length);
            if place.start >= self.end {
                self.end = place.end;
                return Some(place);
            }
        }
    }
}

fn next(places: &mut FindIter<'_, '_>, length: usize) -> Option<Range<usize>> {
    places.next().map(|at| at..at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_hosts_is_found_once() {
        let hosts = ["m.io", "m.io:80", "a.m.io", "x.y"].map(MediaHost::host);
        let finder = MentionFinder::new(&hosts);
        let found =
            |text: &str| finder.mentions(text).map(|place| text[place].to_owned()).collect::<Vec<_>>();
        assert_eq!(found("m.io:80 x.y, m.io a.m.io:80m.io"), ["m.io:80", "x.y", "m.io", "a.m.io", "m.io"]);
        assert!(found("").is_empty() && found("m.i o").is_empty());
        assert_eq!(MentionFinder::new(&[]).mentions("m.io").count(), 0);
    }
}
