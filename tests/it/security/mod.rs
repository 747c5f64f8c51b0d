//! What an attacker may try. Each test attacks the program over its sockets, the way the audit did that found the hole;
//! the table in `docs/security.md` names the test that shows what stops each attack.

mod buckets;
mod connections;
mod data_folder;
mod deletion;
mod deletion_lookup;
mod derivatives;
mod document_scan;
mod html_injection;
mod http_rules;
mod left_places;
mod memory;
mod object_responses;
mod private_content;
mod record_retention;
mod scopes;
mod shared_roots;
mod shutdown;
mod strangers;
mod upload_drafts;
