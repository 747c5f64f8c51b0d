//! The key pairs, and what CloudFront has to know of them, in words.

use std::fmt::Write;

use crate::config::{Settings, time};
use crate::service::key_ring::{KeyRing, RingKey};

/// What `signet check` says of the key ring. `now` is in seconds since the Unix epoch.
pub fn report(ring: &KeyRing, settings: &Settings, now: u64) -> String {
    let mut report = String::new();
    // Writing to a String can't fail.
    for key in ring.keys() {
        let warning = key.private.warning().map(|text| format!(" ({text})")).unwrap_or_default();
        let turn = turn(&key, ring, now);
        let _ = writeln!(
            report,
            "key pair    ok  {} {} {}, {turn}{warning}",
            key.id,
            key.private.algorithm(),
            key.hash
        );
        let stated =
            settings.signing.keys.iter().any(|of| of.id == key.id.as_str() && of.public_key_file.is_some());
        let matches = if stated {
            "the private key matches public_key_file. "
        } else {
            "the public key isn't checked: set public_key_file, or compare. "
        };
        let _ = writeln!(
            report,
            "            {matches}CloudFront must have this public key under that id:\n{}",
            key.public.to_pem().trim_end()
        );
    }
    if let Some(dark) = ring.dark_from(now) {
        let _ = writeln!(
            report,
            "warning     from {} on no key pair is active: every link would be a 503",
            time::format(dark)
        );
    }
    for key in ring.keys().iter().filter(|key| key.not_before > now) {
        let _ = write!(report, "{}", steps(key, ring, settings.longest_life(), now));
    }
    report.trim_end().to_owned()
}

fn turn(key: &RingKey, ring: &KeyRing, now: u64) -> String {
    let signs = ring.active(now);
    let end = key.retire_at.map(|end| format!(" until {}", time::format(end))).unwrap_or_default();
    match signs {
        Some(signs) if signs.id == key.id => format!("signs now{end}"),
        _ if key.not_before > now => format!("signs from {} on{end}", time::format(key.not_before)),
        Some(signs) if key.is_active(now) => format!("stands by{end}, as {} is newer", signs.id),
        _ => format!("signed{end}"),
    }
}

/// How a pair that waits takes over without one bad link.
fn steps(key: &RingKey, ring: &KeyRing, life: u64, now: u64) -> String {
    let id = &key.id;
    let start = time::format(key.not_before);
    let old = ring.active(now).map_or_else(|| "the old pair".to_owned(), |old| old.id.to_string());
    format!(
        "rotation    {old} → {id}, in this order:\n\
         \x20           1. CloudFront: create the public key {id}, add it to the key group beside {old}\n\
         \x20           2. wait until the distribution is deployed; that must be before {start}:\n\
         \x20              otherwise move not_before of {id}\n\
         \x20           3. {start}: every node signs with {id} from then on\n\
         \x20           4. {life} s later no link of {old} is alive: take {old} out of the settings,\n\
         \x20              then out of the key group\n"
    )
}
