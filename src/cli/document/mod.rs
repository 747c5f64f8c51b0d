//! `signet document`: signs a content document, or many of them a line each, without a server.
//!
//! 1. [`Args`] say how; `input` is what is read.
//! 2. `whole`: one document. `lines`: a document a line.
//! 3. `progress`: what a terminal shows meanwhile. `totals`: what is said at the end.

mod input;
mod lines;
mod progress;
mod totals;
mod whole;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use self::input::Input;
use self::progress::{Counts, Progress};
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
    /// Sign PUBLIC media alone: what lies under private/ stays unsigned
    #[arg(long, value_enum)]
    visibility: Option<VisibilityArg>,
    /// Fail where anything stays unsigned
    #[arg(long)]
    strict: bool,
    /// Put the document into a report that names each piece of media
    #[arg(long)]
    report: bool,
    /// Read and write a document a line
    #[arg(long)]
    ndjson: bool,
    /// Longest line of --ndjson, in bytes; a longer one is answered by a problem
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024, requires = "ndjson")]
    max_line: usize,
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

#[derive(Clone, Copy, clap::ValueEnum)]
enum VisibilityArg {
    Public,
}

/// Signs the document, or each line.
///
/// # Errors
/// [`CliError`] for wrong usage, input that can't be signed, and, with `--strict`, unsigned media.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    let input = Input::open(&args.file)?;
    let options = DocumentOptions {
        report: args.report,
        strict: args.strict,
        public_only: matches!(args.visibility, Some(VisibilityArg::Public)),
        ..DocumentOptions::default()
    };
    let (ndjson, max_line) = (args.ndjson, args.max_line);
    let counts = Arc::new(Counts::default());
    let (documents, place) = offline(args, Arc::clone(&counts), out)?;
    let signer = Signer { documents: Arc::new(documents), place: Arc::new(place), options };
    let progress = Progress::new(counts, input.length(), ndjson);
    let runtime = runtime()?;
    if ndjson {
        runtime.block_on(lines::sign(signer, input, max_line, progress, out))
    } else {
        runtime.block_on(whole::sign(signer, input, progress, out))
    }
}

fn offline(args: Args, counts: Arc<Counts>, out: &mut Output) -> Result<(Documents, Place), CliError> {
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
        meter: counts,
        references: match args.references {
            ReferencesArg::Inline => References::Inline,
            ReferencesArg::Object => References::Object,
            ReferencesArg::Leave => References::Leave,
        },
    };
    offline.build().map_err(|error| CliError::Usage(error.to_string()))
}

/// What signs, for several documents at a time.
struct Signer {
    documents: Arc<Documents>,
    place: Arc<Place>,
    options: DocumentOptions,
}

type Signed = Result<SignedDocument, DocumentError>;

impl Signer {
    /// Begins to sign a document, on whichever core is free.
    fn start(&self, input: Bytes) -> JoinHandle<Signed> {
        let (documents, place, options) =
            (Arc::clone(&self.documents), Arc::clone(&self.place), self.options);
        tokio::spawn(async move { documents.sign_at(&place, None, input, options).await })
    }

    /// Appends what is answered for a document: the document, or the report around it.
    fn answer(&self, signed: &SignedDocument, answer: &mut Vec<u8>) {
        if !self.options.report {
            signed.body.append_to(answer);
            return;
        }
        let media = serde_json::Value::Array(signed.rows.clone()).to_string();
        answer.reserve(signed.body.len() + media.len() + 32);
        answer.extend_from_slice(b"{\"document\":");
        signed.body.append_to(answer);
        answer.extend_from_slice(b",\"media\":");
        answer.extend_from_slice(media.as_bytes());
        answer.extend_from_slice(b"}");
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
