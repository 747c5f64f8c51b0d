//! The query string, read strictly.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::problem::{Kind, Problem};

/// The parameters of a query. A route takes those that it knows; what is left is refused.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string as browsers write forms: `+` is a space.
    pub(super) fn of(query: Option<&str>) -> Result<Self, Problem> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a query string that others may have added to: what can't be read is skipped.
    pub(super) fn lenient(query: Option<&str>) -> Self {
        Self(query.unwrap_or_default().split('&').filter_map(|text| pair(text).ok()).collect())
    }

    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let Some(index) = self.0.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(index);
        if self.0.iter().any(|(given, _)| given == name) {
            return Err(invalid(name, "is given more than once"));
        }
        Ok(Some(value))
    }

    /// Takes a parameter out and parses it; `rule` says what it should be.
    pub(super) fn parse<T: FromStr>(&mut self, name: &str, rule: &'static str) -> Result<Option<T>, Problem> {
        self.take(name)?.map(|value| value.parse().map_err(|_| invalid(name, rule))).transpose()
    }

    /// Takes a parameter out that is `true` or `false`; `false` where it isn't given.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        Ok(self.parse(name, "must be true or false")?.unwrap_or(false))
    }

    /// Takes `visibility` out, and returns whether PUBLIC media alone is to be signed.
    pub(super) fn public_only(&mut self) -> Result<bool, Problem> {
        match self.take("visibility")?.as_deref() {
            None => Ok(false),
            Some("public") => Ok(true),
            Some(_) => {
                Err(invalid("visibility", "must be public; leave it out to have PRIVATE media signed too"))
            }
        }
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            Some((name, _)) => Err(invalid(name, "isn't known here")),
            None => Ok(()),
        }
    }
}

/// The problem of a wrong parameter.
pub(super) fn invalid(name: &str, rule: &str) -> Problem {
    let shown: String = name.chars().take(64).collect();
    Problem::new(Kind::InvalidQuery, format!("the query parameter {shown} {rule}")).with("parameter", shown)
}

fn pair(pair: &str) -> Result<(String, String), Problem> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned())
    };
    match (decode(name), decode(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(invalid(name, "isn't UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_taken_once() {
        let mut params = Params::of(Some("a=1+2%26&b&strict=true&limit=5")).unwrap();
        assert_eq!(params.take("a").unwrap().as_deref(), Some("1 2&"));
        assert_eq!(params.take("b").unwrap().as_deref(), Some(""));
        assert!(params.flag("strict").unwrap());
        assert!(!params.flag("report").unwrap());
        assert_eq!(params.parse::<usize>("limit", "must be a number").unwrap(), Some(5));
        assert!(params.finish().is_ok());
    }

    #[test]
    fn unknown_doubled_and_wrong_parameters_are_named() {
        assert!(Params::of(Some("x=1")).unwrap().finish().unwrap_err().detail().contains('x'));
        assert!(Params::of(Some("a=1&a=2")).unwrap().take("a").is_err());
        assert!(Params::of(Some("strict=yes")).unwrap().flag("strict").is_err());
        assert!(Params::of(Some("a=%ff")).is_err());
    }
}
