//! The query of a URL, byte for byte: which parameters are CloudFront's, and the URL without them.

use std::borrow::Cow;

/// The parameters that CloudFront takes for its own; no other may bear one of these names.
pub const SIGNING_PARAMETERS: [&str; 5] = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];

/// One parameter: its name, and its value (empty where there is no `=`), both as they stand.
pub(super) fn parameter(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

/// Whether a parameter, such as `Expires=1`, is one of CloudFront's own, by its whole name.
pub(super) fn is_signing(text: &str) -> bool {
    SIGNING_PARAMETERS.contains(&parameter(text).0)
}

/// The parameters of a URL, without its fragment.
pub(super) fn parameters(url: &str) -> impl Iterator<Item = &str> {
    let (_, query, _) = split(url);
    query.into_iter().flat_map(|query| query.split('&'))
}

/// The URL without CloudFront's signing parameters. Every other byte of it stays as it is, and so does its
/// order; the `?` goes where nothing follows it any more.
pub fn strip_signing_parameters(url: &str) -> Cow<'_, str> {
    strip(url, is_signing)
}

/// The URL without the parameters that `unwanted` names.
pub(super) fn strip(url: &str, unwanted: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let (base, Some(query), fragment) = split(url) else { return Cow::Borrowed(url) };
    if !query.split('&').any(&unwanted) {
        return Cow::Borrowed(url);
    }
    let mut clean = String::with_capacity(url.len());
    clean.push_str(base);
    let mut separator = '?';
    for kept in query.split('&').filter(|text| !unwanted(text)) {
        clean.push(separator);
        clean.push_str(kept);
        separator = '&';
    }
    clean.push_str(fragment);
    Cow::Owned(clean)
}

/// What stands before the `?`, the query after it, and the fragment with its `#`.
fn split(url: &str) -> (&str, Option<&str>, &str) {
    let (url, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    match url.split_once('?') {
        Some((base, query)) => (base, Some(query), fragment),
        None => (url, None, fragment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signing_parameters_go_and_all_else_stays() {
        for (url, clean) in [
            ("https://h/a", "https://h/a"),
            ("https://h/a?", "https://h/a?"),
            ("https://h/a?Expires=1&Signature=x&Key-Pair-Id=K", "https://h/a"),
            ("https://h/a?w=1&Expires=1&b=%7e+&&c#f?Expires=2", "https://h/a?w=1&b=%7e+&&c#f?Expires=2"),
            ("https://h/a?Policy=p&x", "https://h/a?x"),
            ("https://h/a?&Expires=1", "https://h/a?"),
            ("https://h/a?Expires", "https://h/a"),
            ("https://h/a?expires=1&MyPolicy=1&Policy2=", "https://h/a?expires=1&MyPolicy=1&Policy2="),
            ("https://h/Policy=1?a?Policy=1", "https://h/Policy=1?a?Policy=1"),
        ] {
            assert_eq!(strip_signing_parameters(url), clean);
        }
    }
}
