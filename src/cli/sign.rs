//! `signet sign`: links and cookies for given URLs.
//!
//! Each URL is signed byte for byte, by a policy of its own, or by one for all where `--resource` gives it.
//! A URL that is refused is named on stderr, the others are answered all the same, and the exit code is 1.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};

use clap::ArgGroup;

use super::output::visible;
use super::{CliError, Output, read_file};
use crate::cloudfront::{
    Grant, HashAlgorithm, KeyPairId, NonceMode, Policy, PolicyTerms, PrivateKey, Resource, SignableUrl,
    SourceIp, Window,
};
use crate::config::time;

/// The options of `signet sign`.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("end").required(true).args(["expires", "ttl"]))]
pub struct Args {
    /// File of the private key: RSA or ECDSA P-256, in PEM
    #[arg(long, value_name = "PEM")]
    private_key: PathBuf,
    /// Id of the public key in CloudFront
    #[arg(long, value_name = "ID")]
    key_pair_id: KeyPairId,
    /// When the link ends: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    expires: Option<u64>,
    /// Longest life of the link, 2 to 604800; it stays the same for half of that
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// When the link begins: Unix seconds or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    not_before: Option<u64>,
    /// The only IPv4 address or range that may use the link
    #[arg(long, value_name = "CIDR")]
    ip: Option<String>,
    /// SHA1 or SHA256 [default: SHA1 for RSA, SHA256 for ECDSA]
    #[arg(long)]
    hash: Option<HashAlgorithm>,
    /// Nonces of ECDSA: random (faster), or deterministic (the same link each time)
    #[arg(long, default_value = "random")]
    nonce: NonceMode,
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
    let signer = Signer::new(&args, out)?;
    let shared = match &args.resource {
        Some(pattern) => {
            let resource = Resource::pattern(pattern)
                .map_err(|error| CliError::about(format_args!("resource {pattern}"), error))?;
            Some(signer.grant(resource)?)
        }
        None => None,
    };
    if args.cookies {
        return print_cookies(&args, &signer, shared, out);
    }
    let mut tally = Tally::default();
    for url in &args.urls {
        if url == "-" {
            sign_lines(&signer, shared.as_ref(), &mut tally, out)?;
        } else {
            tally.note(signer.link(url, shared.as_ref())?, url, out)?;
        }
    }
    tally.finish()
}

/// Reads a private key, and passes on what an operator should know about it.
///
/// # Errors
/// [`CliError::Failed`] where the file can't be read, or is not a private key: it says what it is.
pub fn read_private_key(path: &Path, nonce: NonceMode, out: &mut Output) -> Result<PrivateKey, CliError> {
    let pem = read_file(path)?;
    let key = PrivateKey::from_pem(&pem, nonce)
        .map_err(|error| CliError::about(format_args!("private key {}", path.display()), error))?;
    if let Some(warning) = key.warning() {
        out.diagnose(&format!("warning: {warning}"));
    }
    Ok(key)
}

enum End {
    At(u64),
    Window(Window),
}

struct Signer {
    key: PrivateKey,
    key_pair_id: KeyPairId,
    hash: HashAlgorithm,
    end: End,
    not_before: Option<u64>,
    source_ip: Option<SourceIp>,
}

impl Signer {
    fn new(args: &Args, out: &mut Output) -> Result<Self, CliError> {
        let end = match (args.expires, args.ttl) {
            (Some(expires), None) => End::At(expires),
            (None, Some(ttl)) => {
                End::Window(Window::new(ttl).map_err(|error| CliError::Usage(error.to_string()))?)
            }
            _ => return Err(CliError::Usage("give either --expires or --ttl".to_owned())),
        };
        let source_ip = match &args.ip {
            Some(ip) => Some(ip.parse().map_err(|error| CliError::about(ip, error))?),
            None => None,
        };
        let key = read_private_key(&args.private_key, args.nonce, out)?;
        let hash = args.hash.unwrap_or(key.default_hash());
        Ok(Self {
            key,
            key_pair_id: args.key_pair_id.clone(),
            hash,
            end,
            not_before: args.not_before,
            source_ip,
        })
    }

    fn grant(&self, resource: Resource) -> Result<Grant, CliError> {
        let expires = match &self.end {
            End::At(expires) => *expires,
            End::Window(window) => window.expires(resource.as_str(), time::now()),
        };
        let terms = PolicyTerms { resource, expires, not_before: self.not_before, source_ip: self.source_ip };
        let policy = Policy::custom(terms).map_err(|error| CliError::Failed(error.to_string()))?;
        Grant::sign(policy, &self.key, self.key_pair_id.clone(), self.hash)
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
    args: &Args,
    signer: &Signer,
    shared: Option<Grant>,
    out: &mut Output,
) -> Result<(), CliError> {
    let mut urls = Vec::with_capacity(args.urls.len());
    for url in &args.urls {
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
