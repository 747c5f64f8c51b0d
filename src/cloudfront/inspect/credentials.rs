//! What a request brings along: five parameters, from its URL or else from its cookies.

use super::Source;
use crate::cloudfront::query;

/// The signing parameters of a request, each at most once.
#[derive(Clone, Copy, Default)]
pub(super) struct Credentials<'a> {
    pub expires: Option<&'a str>,
    pub policy: Option<&'a str>,
    pub signature: Option<&'a str>,
    pub key_pair_id: Option<&'a str>,
    pub hash: Option<&'a str>,
    /// The name of a parameter that is there twice.
    pub duplicate: Option<&'static str>,
}

impl<'a> Credentials<'a> {
    /// Those of the URL where it has any signing parameter, else those of the cookies.
    pub(super) fn of(url: &'a str, cookies: Option<&'a str>) -> Option<(Source, Self)> {
        let from_url = Self::collect(query::parameters(url).map(query::parameter));
        if let Some(credentials) = from_url {
            return Some((Source::Url, credentials));
        }
        let pairs = cookies?.split(';').filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            Some((name.strip_prefix("CloudFront-")?, value))
        });
        Self::collect(pairs).map(|credentials| (Source::Cookies, credentials))
    }

    /// `None` where no pair is a signing parameter.
    fn collect(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut found = Self::default();
        let mut any = false;
        for (name, value) in pairs {
            let (slot, name) = match name {
                "Expires" => (&mut found.expires, "Expires"),
                "Policy" => (&mut found.policy, "Policy"),
                "Signature" => (&mut found.signature, "Signature"),
                "Key-Pair-Id" => (&mut found.key_pair_id, "Key-Pair-Id"),
                "Hash-Algorithm" => (&mut found.hash, "Hash-Algorithm"),
                _ => continue,
            };
            any = true;
            if slot.replace(value).is_some() {
                found.duplicate = Some(name);
            }
        }
        any.then_some(found)
    }
}
