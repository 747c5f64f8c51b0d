//! One document.

use std::io::{ErrorKind, Read};
use std::sync::atomic::Ordering;

use tokio::time::{MissedTickBehavior, interval};

use super::input::Input;
use super::progress::{PERIOD, Progress};
use super::totals::Totals;
use super::{Signer, tell_unsigned};
use crate::cli::{CliError, Output};

/// Reads and signs one document.
///
/// # Errors
/// Where it can't be read or signed.
pub async fn sign(
    signer: Signer,
    input: Input,
    mut progress: Progress,
    out: &mut Output,
) -> Result<(), CliError> {
    let document = read(input, &mut progress, out)?;
    let bytes = document.len() as u64;
    let mut signing = signer.start(document.into());
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let signed = loop {
        tokio::select! {
            signed = &mut signing => break signed.map_err(|error| CliError::about("signing", error))?,
            _ = tick.tick() => progress.show(out),
        }
    };
    let signed = signed.map_err(|error| {
        tell_unsigned(&error, "", out);
        CliError::failed(error)
    })?;
    let mut totals = Totals::default();
    totals.add(&signed);
    if signer.options.report {
        let mut answer = Vec::new();
        signer.answer(&signed, &mut answer);
        answer.push(b'\n');
        out.bytes(&answer)?;
    } else {
        signed.body.into_blocks().try_for_each(|block| out.bytes(&block))?;
    }
    totals.tell(bytes, progress.elapsed(), out);
    Ok(())
}

/// Reads all of it. What the document's reader refuses for its size may be longer than memory.
fn read(mut input: Input, progress: &mut Progress, out: &mut Output) -> Result<Vec<u8>, CliError> {
    let failed = |error: &dyn std::error::Error| CliError::about("input", error);
    let mut bytes = Vec::new();
    let expected = usize::try_from(input.length().unwrap_or(0)).unwrap_or(usize::MAX);
    bytes.try_reserve(expected.saturating_add(PIECE)).map_err(|error| failed(&error))?;
    loop {
        let start = bytes.len();
        bytes.try_reserve(PIECE).map_err(|error| failed(&error))?;
        bytes.resize(start + PIECE, 0);
        let read = match input.read(&mut bytes[start..]) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                bytes.truncate(start);
                continue;
            }
            Err(error) => return Err(failed(&error)),
        };
        bytes.truncate(start + read);
        if read == 0 {
            return Ok(bytes);
        }
        progress.counts().bytes.store(bytes.len() as u64, Ordering::Relaxed);
        progress.show(out);
    }
}

/// Bytes that are read between two looks at the clock.
const PIECE: usize = 1024 * 1024;
