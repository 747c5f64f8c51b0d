//! Buckets of other accounts are neither used nor provisioned.
