//! Checks all groups, so that those that can't be served are known before their first request.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::connection_permits::{Owner, Work};
use super::tenants::{GROUPS, NAMED, members};
use super::{Mongo, group};
use crate::media::ApiKeyDigest;
use crate::service::ports::{LEAST_API_KEY_BYTES, StoreError};

/// The result of a check of all groups. Its texts name groups and never show an API key.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many groups there are.
    pub groups: usize,
    /// Groups that can't be served, at least by their API key: the reason, by the group's id.
    pub unservable: BTreeMap<String, String>,
    /// What should be changed in groups that are served.
    pub warnings: Vec<String>,
}

impl Mongo {
    /// Checks all groups. It gives its connection back after each batch.
    ///
    /// # Errors
    /// When they can't all be read.
    pub async fn survey(&self) -> Result<Survey, StoreError> {
        let cluster = &self.0.cluster;
        let groups = cluster.control(Owner::Node, Work::List, |database| async move {
            let groups = database.collection::<Document>(GROUPS);
            groups.find(doc! {}).projection(members()).batch_size(BATCH).max_time(cluster.max_time()).await
        });
        let (mut groups, mut found) = (groups.await?, Found::default());
        loop {
            let _permit = cluster.permit(Owner::Node, Work::List).await?;
            for _ in 0..BATCH {
                let Some(group) = cluster.bounded(groups.try_next()).await? else {
                    return Ok(found.survey());
                };
                found.add(&group, &cluster.options().control_database);
            }
        }
    }
}

/// What is known after some of the groups. A name that several groups have is none that a tenant can have.
#[derive(Default)]
struct Found {
    survey: Survey,
    /// Groups by the id of their tenant.
    ids: HashMap<String, Vec<String>>,
    /// Groups by `key`, including those that are no tenant for another reason.
    keys: HashMap<String, Vec<String>>,
    /// Groups by API key.
    api_keys: HashMap<ApiKeyDigest, Vec<String>>,
}

impl Found {
    fn add(&mut self, group: &Document, control_database: &str) {
        self.survey.groups += 1;
        let shown = group::shown_id(group);
        if let Ok(key) = group.get_str("key") {
            self.keys.entry(key.to_owned()).or_default().push(shown.clone());
        }
        let tenant = match group::tenant(group, control_database) {
            Ok(tenant) => tenant,
            Err(error) => {
                self.survey.unservable.insert(shown, error.to_string());
                return;
            }
        };
        self.ids.entry(tenant.id.as_str().to_owned()).or_default().push(shown.clone());
        let Some(digest) = tenant.api_key else { return };
        self.api_keys.entry(digest).or_default().push(shown.clone());
        let length = group.get_str("apiKey").unwrap_or_default().len();
        if length < LEAST_API_KEY_BYTES {
            self.survey.warnings.push(format!(
                "the apiKey of the group {shown} has {length} bytes: it can be guessed; give it {LEAST_API_KEY_BYTES} or more"
            ));
        }
    }

    fn survey(mut self) -> Survey {
        let (ids, keys) = (several(self.ids), several(self.keys));
        let api_keys = several(self.api_keys);
        let shared = [
            (ids, "have one id: neither is served until one of them has another"),
            (keys, "have one key: none of them is served until each has its own"),
            (api_keys, "have one apiKey: it opens none of them until each has its own"),
        ];
        for (groups, why) in shared {
            for of_one_name in groups {
                let others = of_one_name.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                let more = of_one_name.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                for group in of_one_name {
                    let line = format!("the group {group} can't be served: {others}{more} {why}");
                    self.survey.unservable.entry(group).or_insert(line);
                }
            }
        }
        self.survey
    }
}

/// The groups that share a name with others.
fn several<K>(by_name: HashMap<K, Vec<String>>) -> Vec<Vec<String>> {
    by_name.into_values().filter(|groups| groups.len() > 1).collect()
}

/// How many groups are read at a time.
const BATCH: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(groups: &[Document]) -> Survey {
        let mut found = Found::default();
        groups.iter().for_each(|group| found.add(group, "Vivreal"));
        found.survey()
    }

    #[test]
    fn each_group_that_can_not_be_served_is_named_with_its_reason() {
        let long = "0123456789abcdef";
        let found = survey(&[
            doc! { "_id": "good", "key": "a", "tier": "free", "apiKey": long },
            doc! { "_id": "gold", "key": "b", "tier": "gold" },
            doc! { "_id": "control", "key": "c", "dbKey": "vivreal" },
            doc! { "_id": "one", "key": "same", "tier": "free" },
            doc! { "_id": "two", "key": "same", "tier": "free" },
            doc! { "_id": "left", "key": "d", "tier": "free", "apiKey": "sk" },
            doc! { "_id": "right", "key": "e", "tier": "free", "apiKey": "sk" },
        ]);
        assert_eq!(found.groups, 7);
        let named = ["control", "gold", "left", "one", "right", "two"].map(|id| format!("\"{id}\""));
        assert_eq!(found.unservable.keys().collect::<Vec<_>>(), named.iter().collect::<Vec<_>>());
        for (group, line) in &found.unservable {
            assert!(
                line.starts_with(&format!("the group {group} can't be ")) && !line.contains("sk"),
                "{line}"
            );
        }
        assert_eq!(found.warnings.len(), 2, "{:#?}", found.warnings);
        assert!(found.warnings[0].contains("left") && found.warnings[0].contains("2 bytes"));
    }
}
