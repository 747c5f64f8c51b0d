//! `signet sign`: links and cookies for given URLs.
//!
//! Each URL is signed byte for byte, by a policy of its own, or by one for all where `--resource` gives it.
//! A URL that is refused is named on stderr, the others are answered all the same, and the exit code is 1.

use std::io::{BufRead, stdin};

use super::key::{KeyArgs, SigningKey};
use super::output::visible;
use super::{CliError, Output};
use crate::cloudfront::{Grant, Policy, PolicyTerms, Resource, SignableUrl, SourceIp};
use crate::config::time;
use crate::service::links::Life;

/// The options of `signet sign`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
    /// When the link begins: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    not_before: Option<u64>,
    /// The only IPv4 address or range that may use the link
    #[arg(long, value_name = "CIDR")]
    ip: Option<String>,
    /// Sign this pattern once, and apply it to the URLs: `*` is any characters, `?` in the query one
    #[arg(long, value_name = "PATTERN")]
    resource: Option<String>,
    /// Print cookies instead of links; with --resource, no URL is needed
    #[arg(long)]
    cookies: bool,
    /// URLs to sign; `-` reads them from stdin, one a line
    #[arg(value_name = "URL")]
    urls: Vec<String>,
}

/// Signs what was asked for.
///
/// # Errors
/// [`CliError`] for wrong usage, a key or policy that can't be used, and after the last URL where any was
/// refused.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    if args.urls.is_empty() && !(args.cookies && args.resource.is_some()) {
        return Err(CliError::Usage("no URL is given".to_owned()));
    }
    let Args { key, not_before, ip, resource, cookies, urls } = args;
    let signer = Signer::new(key, not_before, ip.as_deref(), out)?;
    let shared = match &resource {
        Some(pattern) => {
            let resource = Resource::pattern(pattern)
                .map_err(|error| CliError::about(format_args!("resource {pattern}"), error))?;
            Some(signer.grant(resource)?)
        }
        None => None,
    };
    if cookies {
        return print_cookies(&urls, &signer, shared, out);
    }
    let mut tally = Tally::default();
    for url in &urls {
        if url == "-" {
            sign_lines(&signer, shared.as_ref(), &mut tally, out)?;
        } else {
            tally.note(signer.link(url, shared.as_ref())?, url, out)?;
        }
    }
    tally.finish()
}

struct Signer {
    key: SigningKey,
    not_before: Option<u64>,
    source_ip: Option<SourceIp>,
}

impl Signer {
    fn new(
        key: KeyArgs,
        not_before: Option<u64>,
        ip: Option<&str>,
        out: &mut Output,
    ) -> Result<Self, CliError> {
        let source_ip = match ip {
            Some(ip) => Some(ip.parse().map_err(|error| CliError::about(ip, error))?),
            None => None,
        };
        Ok(Self { key: key.read(out)?, not_before, source_ip })
    }

    fn grant(&self, resource: Resource) -> Result<Grant, CliError> {
        let expires = match &self.key.life {
            Life::Until(expires) => *expires,
            Life::Window(window) => window.expires(resource.as_str(), time::now()),
        };
        let terms = PolicyTerms { resource, expires, not_before: self.not_before, source_ip: self.source_ip };
        let policy = Policy::custom(terms).map_err(|error| CliError::Failed(error.to_string()))?;
        Grant::sign(policy, &self.key.private, self.key.id.clone(), self.key.hash)
            .map_err(|error| CliError::Failed(error.to_string()))
    }

    /// The link of a URL, or why this one URL is refused. An error ends the whole run: it would meet every URL.
    fn link(&self, url: &str, shared: Option<&Grant>) -> Result<Result<String, String>, CliError> {
        let url = match SignableUrl::parse(url) {
            Ok(url) => url,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let link = match shared {
            Some(grant) => grant.link(&url),
            None => self.grant(Resource::exact(&url))?.link(&url),
        };
        Ok(link.map_err(|error| error.to_string()))
    }
}

/// What became of the URLs so far.
#[derive(Default)]
struct Tally {
    seen: usize,
    refused: usize,
}

impl Tally {
    fn note(&mut self, link: Result<String, String>, name: &str, out: &mut Output) -> Result<(), CliError> {
        self.seen += 1;
        match link {
            Ok(link) => out.line(&link),
            Err(reason) => {
                self.refused += 1;
                out.diagnose(&format!("{}: {reason}", visible(name)));
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(), CliError> {
        match self.refused {
            0 => Ok(()),
            _ if self.seen == 1 => Err(CliError::Said),
            refused => Err(CliError::Failed(format!("refused {refused} of {} URLs", self.seen))),
        }
    }
}

/// Signs each line of stdin as it comes; empty lines are no URLs.
fn sign_lines(
    signer: &Signer,
    shared: Option<&Grant>,
    tally: &mut Tally,
    out: &mut Output,
) -> Result<(), CliError> {
    let mut input = stdin().lock();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| CliError::about("stdin", error))?;
        if read == 0 {
            break;
        }
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.is_empty() {
            continue;
        }
        // What is not UTF-8 holds U+FFFD from here on, and is refused as not ASCII.
        let url = String::from_utf8_lossy(bytes);
        tally.note(signer.link(&url, shared)?, &format!("line {number}: {url}"), out)?;
    }
    Ok(())
}

fn print_cookies(
    given: &[String],
    signer: &Signer,
    shared: Option<Grant>,
    out: &mut Output,
) -> Result<(), CliError> {
    let mut urls = Vec::with_capacity(given.len());
    for url in given {
        urls.push(SignableUrl::parse(url).map_err(|error| CliError::about(visible(url), error))?);
    }
    let grant = match (shared, urls.as_slice()) {
        (Some(grant), urls) => {
            let resource = grant.policy().resource();
            if let Some(url) = urls.iter().find(|url| !resource.matches(url.as_str())) {
                return Err(CliError::about(url, format_args!("the resource {resource} doesn't cover it")));
            }
            grant
        }
        (None, [url]) => signer.grant(Resource::exact(url))?,
        (None, _) => {
            let reason = "cookies are for one URL, or for one --resource";
            return Err(CliError::Usage(reason.to_owned()));
        }
    };
    for (name, value) in grant.cookies() {
        out.line(&format!("{name}={value}"))?;
    }
    Ok(())
}
