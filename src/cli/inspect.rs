//! `signet inspect`: why would CloudFront serve or refuse this link?
//!
//! Exit 0 where it would serve it, as far as it can be told without a public key.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::json;

use super::output::visible;
use super::{CliError, Output, read_file};
use crate::cloudfront::inspect::{
    Cause, Inspection, KeyLookup, Outcome, PolicyKind, Request, inspect, likely_causes,
};
use crate::cloudfront::{KeyPairId, PublicKey};
use crate::config::time;

/// The options of `signet inspect`.
#[derive(clap::Args)]
pub struct Args {
    /// File of the public key, to check the signature with
    #[arg(long, value_name = "PEM")]
    public_key: Option<PathBuf>,
    /// The only key pair id that the public key goes by [default: any]
    #[arg(long, value_name = "ID", requires = "public_key")]
    key_pair_id: Option<KeyPairId>,
    /// When the link is used: Unix seconds or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    at: Option<u64>,
    /// Address of the viewer
    #[arg(long, value_name = "ADDR")]
    ip: Option<IpAddr>,
    /// A Cookie header that comes with the URL
    #[arg(long, value_name = "HEADER")]
    cookie: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// The link
    url: String,
}

/// Prints what CloudFront makes of the link.
///
/// # Errors
/// [`CliError::Failed`] where it would refuse it, or the public key can't be used.
pub fn run(args: Args, out: &mut Output) -> Result<(), CliError> {
    let key = match &args.public_key {
        Some(path) => {
            let key = PublicKey::from_pem(&read_file(path)?)
                .map_err(|error| CliError::about(format_args!("public key {}", path.display()), error))?;
            Some(key)
        }
        None => None,
    };
    let lookup = |id: &str| {
        let named = args.key_pair_id.as_ref().is_none_or(|named| named.as_str() == id);
        key.as_ref().filter(|_| named)
    };
    let keys = key.is_some().then_some(&lookup as KeyLookup<'_, '_>);
    let cookies = args.cookie.as_deref().map(header_value);
    let at = args.at.unwrap_or_else(time::now);
    let request = Request { url: args.url.trim(), cookies, at, ip: args.ip };
    let inspection = inspect(&request, keys);
    let causes = likely_causes(&request, &inspection, keys);
    let text =
        if args.json { as_json(&request, &inspection, &causes) } else { as_text(&inspection, &causes, at) };
    out.line(&text)?;
    inspection.verdict.map_err(|refusal| CliError::Failed(format!("CloudFront would refuse it: {refusal}")))
}

/// A Cookie header, with or without its name.
fn header_value(header: &str) -> &str {
    match header.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("cookie") => value.trim(),
        _ => header,
    }
}

fn as_json(request: &Request<'_>, inspection: &Inspection, causes: &[Cause]) -> String {
    let answer = json!({
        "served": inspection.verdict.is_ok(),
        "refusal": inspection.verdict.err().map(|refusal| refusal.to_string()),
        "complete": inspection.is_complete(),
        "url": request.url,
        "at": request.at,
        "source": inspection.source,
        "keyPairId": inspection.key_pair_id,
        "hash": inspection.hash.map(|hash| hash.as_str()),
        "kind": inspection.kind,
        "policy": inspection.policy,
        "resource": inspection.resource,
        "notBefore": inspection.not_before,
        "expires": inspection.expires,
        "ip": inspection.source_ip.map(|ip| ip.to_string()),
        "checks": inspection.checks,
        "causes": causes.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    answer.to_string()
}

fn as_text(inspection: &Inspection, causes: &[Cause], at: u64) -> String {
    let mut lines = Vec::new();
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{name:<10} {}", visible(&value)));
        }
    };
    let moment = |seconds: u64| format!("{} ({seconds})", time::format(seconds));
    fact("key pair", inspection.key_pair_id.clone());
    fact("hash", inspection.hash.map(|hash| hash.to_string()));
    fact(
        "kind",
        inspection.kind.map(|kind| if kind == PolicyKind::Canned { "canned" } else { "custom" }.to_owned()),
    );
    fact("resource", inspection.resource.clone());
    fact("start", inspection.not_before.map(moment));
    fact("expiry", inspection.expires.map(moment));
    fact("ip", inspection.source_ip.map(|ip| ip.to_string()));
    fact("at", Some(moment(at)));
    if let Some(policy) = &inspection.policy {
        lines.push(format!("{:<10} {}", "policy", visible(policy)));
    }
    lines.push(String::new());
    for check in &inspection.checks {
        let outcome = match check.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "FAIL",
            Outcome::NotChecked => "  - ",
        };
        lines.push(format!("{outcome}  {:<10} {}", check.name, visible(&check.detail)));
    }
    lines.push(String::new());
    match inspection.verdict {
        Ok(()) if inspection.is_complete() => lines.push("CloudFront would serve it.".to_owned()),
        Ok(()) => lines.push("CloudFront would serve it, as far as it was checked.".to_owned()),
        Err(refusal) => lines.push(format!("CloudFront would refuse it: {refusal}")),
    }
    lines.extend(causes.iter().map(|cause| format!("likely cause: {}", visible(&cause.to_string()))));
    lines.join("\n")
}
