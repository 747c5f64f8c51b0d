//! Tenants in MongoDB: the contract, and what is its own.

use std::sync::Arc;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, bson, doc};
use signet::media::TenantId;
use signet::service::ports::{ApiKey, StoreError, TenantStore};

use crate::contract;
use crate::support::mongo::{Stand, group_of};

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_tenants() {
    let stand = Stand::shared().await;
    let mut tenants = contract::tenants::samples();
    for (tenant, key) in &mut tenants {
        stand.put_group(group_of(tenant, key.as_ref().map(ApiKey::expose))).await;
        // Each has a database: where none is written down, its tier's.
        tenant.db_key.get_or_insert_with(|| "general_shared".to_owned());
    }
    contract::tenants::all(Arc::new(stand.mongo.clone()), &tenants).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_an_object_id_is_found_by_its_digits() {
    let stand = Stand::shared().await;
    let id = ObjectId::new();
    stand
        .put_group(doc! { "_id": id, "key": "anna", "tier": "proplus", "frozen": "false", "apiKey": "sk" })
        .await;
    let tenant: TenantId = id.to_hex().parse().unwrap();
    let found = stand.mongo.find(&tenant).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.db_key.as_deref()), (tenant.as_str(), Some("pro_plus")));
    assert!(!found.frozen);
    assert_eq!(stand.mongo.find_by_api_key(&ApiKey::new("sk")).await.unwrap(), Some(found));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_a_tenant_is_an_error_that_names_it() {
    let stand = Stand::shared().await;
    stand.put_group(doc! { "_id": "g_gold", "key": "gold", "tier": "gold", "apiKey": "sk_gold" }).await;
    let asked = stand.mongo.find(&"g_gold".parse().unwrap()).await;
    for answer in [asked, stand.mongo.find_by_api_key(&ApiKey::new("sk_gold")).await] {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)));
        let said = error.to_string();
        assert!(said.contains("g_gold") && said.contains("tier") && !said.contains("sk_gold"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_groups_have_is_nobody_s() {
    let stand = Stand::shared().await;
    let id = ObjectId::new();
    let ids: [(Bson, &str); 2] = [(bson!(id), "anna"), (bson!(id.to_hex()), "ben")];
    for (id, key) in ids {
        stand.put_group(doc! { "_id": id, "key": key, "tier": "free", "apiKey": "sk_same" }).await;
    }
    for answer in [
        stand.mongo.find(&id.to_hex().parse().unwrap()).await,
        stand.mongo.find_by_api_key(&ApiKey::new("sk_same")).await,
    ] {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)));
        assert!(error.to_string().contains("more than one group") && !error.to_string().contains("sk_same"));
    }
}
