//! Signet signs media links at the edge, in front of a CloudFront distribution.
//!
//! - [`cloudfront`]: keys, policies, windows, grants, inspection. Pure.
//! - [`cli`]: the commands.

pub mod cli;
pub mod cloudfront;
