//! Links and requests, and what becomes of them on their way.

use std::net::Ipv4Addr;

use super::verifier::Viewer;

/// A generator of numbers that gives the same ones for a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Changes a request in one way: its URL, its cookies, its time, or who sends it. `others` are
/// requests from which parts may come.
pub fn mutate(viewer: &mut Viewer, others: &[Viewer], dice: &mut Dice) {
    match dice.below(10) {
        0 => viewer.at = shifted(viewer.at, dice),
        1 => viewer.ip = Ipv4Addr::from_bits(viewer.ip.to_bits() ^ 1 << dice.below(32)),
        2..=4 if viewer.cookies.is_some() => {
            let cookies = viewer.cookies.take().unwrap_or_default();
            let other = dice.pick(others).cookies.clone().unwrap_or_default();
            viewer.cookies = match dice.below(8) {
                0 => None,
                1 => Some(byte_changed(&cookies, dice)),
                2 => Some(format!("theme=dark;{cookies} ;a=\"b\"")),
                3 => Some(cookies.replace("CloudFront-", "cloudfront-")),
                _ => Some(pairs_changed(&cookies, "; ", &other, dice)),
            };
        }
        5 | 6 => viewer.url = path_changed(&viewer.url, dice),
        7 => viewer.url = byte_changed(&viewer.url, dice),
        _ => {
            let other = dice.pick(others).url.clone();
            let (_, other) = other.split_once('?').unwrap_or_default();
            let (base, query) = viewer.url.split_once('?').unwrap_or((&viewer.url, ""));
            let query = pairs_changed(query, "&", other, dice);
            viewer.url = if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") };
        }
    }
}

fn shifted(at: u64, dice: &mut Dice) -> u64 {
    let by = *dice.pick(&[1, 60, 99, 100, 101, 199, 200, 3_600, 86_400, u64::MAX / 2]);
    if dice.below(2) == 0 { at.saturating_add(by) } else { at.saturating_sub(by) }
}

/// One byte flipped, left out, or put in.
fn byte_changed(text: &str, dice: &mut Dice) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = dice.below(bytes.len());
    let byte = b'!' + dice.below(94) as u8;
    match (dice.below(4), bytes.get(at).copied()) {
        (0, Some(old)) => bytes[at] = old ^ 1 << dice.below(7),
        (1, Some(_)) => drop(bytes.remove(at)),
        (2, Some(_)) => bytes[at] = byte,
        _ => bytes.insert(at, byte),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Pairs in another order, twice, gone, of another link, or written otherwise.
fn pairs_changed(text: &str, between: &str, other: &str, dice: &mut Dice) -> String {
    let mut pairs: Vec<String> = text.split(between).map(str::to_owned).collect();
    let others: Vec<&str> = other.split(between).collect();
    let at = dice.below(pairs.len());
    match dice.below(10) {
        0 => pairs.rotate_left(at),
        1 => {
            let to = dice.below(pairs.len());
            pairs.swap(at, to);
        }
        2 => pairs.push(pairs[at].clone()),
        3 => drop(pairs.remove(at)),
        4 => pairs.push((*dice.pick(&others)).to_owned()),
        5 => pairs[at] = (*dice.pick(&others)).to_owned(),
        6 => {
            let put =
                *dice.pick(&["w=1", "", "=", "Hash-Algorithm=SHA1", "Hash-Algorithm=SHA256", "expires=1"]);
            pairs.insert(at, put.to_owned());
        }
        7 => {
            let (name, value) = pairs[at].split_once('=').unwrap_or((&pairs[at], ""));
            let cased =
                if dice.below(2) == 0 { name.to_ascii_lowercase() } else { name.to_ascii_uppercase() };
            pairs[at] = format!("{cased}={value}");
        }
        8 => {
            let (from, to) =
                *dice.pick(&[("~", "%7E"), ("_", "="), ("-", "+"), ("~", "/"), ("=", "=0"), ("_", "%5F")]);
            pairs[at] = pairs[at].replace(from, to);
        }
        _ => pairs[at] = byte_changed(&pairs[at], dice),
    }
    pairs.join(between)
}

/// The part before the query spelled otherwise, or another one.
fn path_changed(url: &str, dice: &mut Dice) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let base = match dice.below(14) {
        0 => base.replace("https", "http"),
        1 => base.replacen("http:", "https:", 1),
        2 => base.replace("media.", "MEDIA."),
        3 => base.replace("a.png", "%61.png"),
        4 => base.replace("%20", "+"),
        5 => base.replace("%c3%a9", "%C3%A9").replace("%2A", "%2a"),
        6 => base.replace("/a", "//a"),
        7 => base.replace("/a", "/x/../a"),
        8 => base.replace("/a", "/%2e%2E/a"),
        9 => base.replace("/a", "/.%5c/a"),
        10 => format!("{base}.320.jpg"),
        11 => format!("{base}/deeper/b"),
        12 => format!("{base}#top"),
        _ => byte_changed(base, dice),
    };
    match query {
        Some(query) => format!("{base}?{query}"),
        None => base,
    }
}
