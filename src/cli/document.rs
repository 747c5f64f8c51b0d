//! `signet document`: signs a content document, or many of them a line each, without a server.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::json;
use tokio::runtime::Runtime;

use super::key::{KeyArgs, SigningKey};
use super::{CliError, Output, runtime};
use crate::app::offline::Offline;
use crate::app::profiles;
use crate::document::References;
use crate::service::documents::{DocumentError, DocumentOptions, Documents, SignedDocument};
use crate::service::key_ring::RingKey;
use crate::service::layout::Place;
use crate::service::links::GrantScope;

/// The options of `signet document`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
    /// Origin of the links, such as https://media.example.com
    #[arg(long, value_name = "URL")]
    base: String,
    /// Path under the base that holds all media, such as vivreal-demo
    #[arg(long, value_name = "PATH")]
    bucket: String,
    /// Host whose URLs are signed anew [default: the base's]; may be given several times
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// What counts as media: vivreal, foundation, or a TOML file with the fields of [documents.profiles.NAME]
    #[arg(long, value_name = "NAME|FILE", default_value = "vivreal")]
    profile: String,
    /// What one signature covers: a URL, or a file with its derivatives
    #[arg(long, value_enum, default_value = "url")]
    grant_scope: Scope,
    /// What becomes of asset ids; there is no store here, so only `leave` can do something
    #[arg(long, value_enum, default_value = "leave")]
    references: ReferencesArg,
    /// Fail where anything stays unsigned
    #[arg(long)]
    strict: bool,
    /// Put the document into a report that names each piece of media
    #[arg(long)]
    report: bool,
    /// Read and write a document a line
    #[arg(long)]
    ndjson: bool,
    /// File to read; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Scope {
    Url,
    Asset,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ReferencesArg {
    Inline,
    Object,
    Leave,
}

/// Signs the document, or each line.
///
/// # Errors
/// [`CliError`] for wrong usage, input that can't be signed, and, with `--strict`, unsigned media.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(stdin())
    } else {
        Box::new(File::open(&args.file).map_err(|error| CliError::about(args.file.display(), error))?)
    };
    let (report, strict) = (args.report, args.strict);
    let ndjson = args.ndjson;
    let (documents, place) = offline(args, out)?;
    let options = DocumentOptions { report, strict, ..DocumentOptions::default() };
    let job = Job { runtime: runtime()?, documents, place, options, totals: Totals::default() };
    if ndjson { job.lines(BufReader::new(input), out) } else { job.whole(input, out) }
}

fn offline(args: Args, out: &mut Output) -> Result<(Documents, Place), CliError> {
    let profile = profiles::of_argument(&args.profile).map_err(CliError::failed)?;
    let SigningKey { private, id, hash, life } = args.key.read(out)?;
    let offline = Offline {
        key: RingKey { public: private.public_key(), id, private, hash, not_before: 0, retire_at: None },
        life,
        scope: match args.grant_scope {
            Scope::Url => GrantScope::Url,
            Scope::Asset => GrantScope::Asset,
        },
        base: args.base,
        bucket: args.bucket,
        hosts: args.hosts,
        profile,
        references: match args.references {
            ReferencesArg::Inline => References::Inline,
            ReferencesArg::Object => References::Object,
            ReferencesArg::Leave => References::Leave,
        },
    };
    offline.build().map_err(|error| CliError::Usage(error.to_string()))
}

struct Job {
    runtime: Runtime,
    documents: Documents,
    place: Place,
    options: DocumentOptions,
    totals: Totals,
}

/// What was found and signed in all.
#[derive(Default)]
struct Totals {
    found: usize,
    signed: usize,
}

impl Job {
    fn whole(mut self, mut input: impl Read, out: &mut Output) -> Result<(), CliError> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(|error| CliError::about("input", error))?;
        let signed = self.sign(bytes.into()).map_err(|error| {
            tell_unsigned(&error, "", out);
            CliError::failed(error)
        })?;
        if self.options.report {
            out.bytes(&wrapped(&signed))?;
            out.bytes(b"\n")?;
        } else {
            out.bytes(&signed.bytes)?;
        }
        self.totals.tell(out);
        Ok(())
    }

    fn lines(mut self, mut input: impl BufRead, out: &mut Output) -> Result<(), CliError> {
        let (mut number, mut failed) = (0_u64, 0_u64);
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).map_err(|error| CliError::about("input", error))? > 0 {
            number += 1;
            let end: &[u8] = if line.ends_with(b"\n") { b"\n" } else { b"" };
            let document = Bytes::copy_from_slice(&line[..line.len() - end.len()]);
            line.clear();
            if document.iter().all(u8::is_ascii_whitespace) {
                out.bytes(&document)?;
            } else {
                match self.sign(document) {
                    Ok(signed) if self.options.report => out.bytes(&wrapped(&signed))?,
                    Ok(signed) => out.bytes(&signed.bytes)?,
                    Err(error) => {
                        failed += 1;
                        tell_unsigned(&error, &format!("line {number}: "), out);
                        out.diagnose(&format!("line {number}: {error}"));
                        let problem = json!({
                            "type": "about:blank",
                            "title": "The document can't be signed",
                            "detail": error.to_string(),
                        });
                        out.bytes(problem.to_string().as_bytes())?;
                    }
                }
            }
            out.bytes(end)?;
        }
        self.totals.tell(out);
        if failed > 0 {
            return Err(CliError::Failed(format!("{failed} of {number} lines can't be signed")));
        }
        Ok(())
    }

    fn sign(&mut self, input: Bytes) -> Result<SignedDocument, DocumentError> {
        let signing = self.documents.sign_at(&self.place, None, input, self.options);
        let signed = self.runtime.block_on(signing)?;
        self.totals.found += signed.found;
        self.totals.signed += signed.signed;
        Ok(signed)
    }
}

/// With `--strict`, each unsigned site gets a line.
fn tell_unsigned(error: &DocumentError, place: &str, out: &mut Output) {
    if let DocumentError::Unsigned { rows, .. } = error {
        for row in rows {
            out.diagnose(&format!("{place}unsigned: {row}"));
        }
    }
}

impl Totals {
    fn tell(&self, out: &mut Output) {
        let Self { found, signed } = self;
        out.diagnose(&format!("found {found}, signed {signed}, unsigned {}", found - signed));
    }
}

/// The report around a document, whose bytes stay as they are.
fn wrapped(signed: &SignedDocument) -> Vec<u8> {
    let media = serde_json::Value::Array(signed.rows.clone()).to_string();
    let mut wrapped = Vec::with_capacity(signed.bytes.len() + media.len() + 32);
    wrapped.extend_from_slice(b"{\"document\":");
    wrapped.extend_from_slice(&signed.bytes);
    wrapped.extend_from_slice(b",\"media\":");
    wrapped.extend_from_slice(media.as_bytes());
    wrapped.extend_from_slice(b"}");
    wrapped
}
