//! A few pictures and a document that uses them, put in through the front door.

use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::file::write_private;
use super::identity::Identity;
use crate::app::StartError;
use crate::app::build::Node;
use crate::media::{AssetId, ContentType, ObjectKey, UploadRequest, Visibility};
use crate::service::auth::Caller;
use crate::service::layout::Place;
use crate::service::ports::{
    Clock, ObjectGate, ObjectStore, Presigned, SignedRequest, SystemClock, UploadTerms,
};
use crate::service::{Scopes, Sending};

/// A picture, and its smaller copies by width.
struct Picture {
    name: &'static str,
    alt: &'static str,
    bytes: &'static [u8],
    smaller: &'static [(u32, &'static [u8])],
}

const HARBOUR: Picture = Picture {
    name: "harbour.jpg",
    alt: "Three boats in a harbour at dusk",
    bytes: include_bytes!("seed/harbour.jpg"),
    smaller: &[
        (320, include_bytes!("seed/harbour.jpg.320.jpg")),
        (640, include_bytes!("seed/harbour.jpg.640.jpg")),
    ],
};
const STAGE: Picture = Picture {
    name: "stage.jpg",
    alt: "A microphone on an empty stage",
    bytes: include_bytes!("seed/stage.jpg"),
    smaller: &[
        (320, include_bytes!("seed/stage.jpg.320.jpg")),
        (640, include_bytes!("seed/stage.jpg.640.jpg")),
    ],
};
const MUG: Picture =
    Picture { name: "mug.jpg", alt: "A red mug", bytes: include_bytes!("seed/mug.jpg"), smaller: &[] };

/// Where content documents keep their files in Vivreal's layout.
const FOLDER: &str = "groupObjects/68bfac783bc7c024975c90cb/1757391992521";

/// Puts the pictures in and writes `content.json`, unless that is there from an earlier start.
///
/// # Errors
/// Where something can't be stored or written.
pub async fn seed(
    data: &Path,
    node: &Node,
    objects: &dyn ObjectStore,
    identity: &Identity,
) -> Result<(), StartError> {
    let content = data.join("content.json");
    if content.exists() {
        return Ok(());
    }
    let pictures = data.join("pictures");
    for picture in [HARBOUR, STAGE, MUG] {
        let path = pictures.join(picture.name);
        write_private(&path, picture.bytes)
            .map_err(|error| StartError::system(format!("writing {}", path.display()), error))?;
    }
    let seeding =
        |error: Box<dyn std::error::Error + Send + Sync>| StartError::system("storing the pictures", error);
    let gate = node.gate.as_deref().ok_or_else(|| seeding("there is no local object store".into()))?;
    let caller = Caller { tenant: std::sync::Arc::new(identity.tenant()), scopes: Scopes::ALL };
    let garden = Garden { node, objects, gate, place: node.place(&caller.tenant), caller };
    let hero = garden.asset(&HARBOUR, Visibility::Public).await.map_err(seeding)?;
    let portrait = garden.asset(&STAGE, Visibility::Private).await.map_err(seeding)?;
    for picture in [HARBOUR, STAGE, MUG] {
        garden.file(&picture).await.map_err(seeding)?;
    }
    let document = document(hero, portrait);
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| StartError::system("writing the document", error))?;
    write_private(&content, text + "\n")
        .map_err(|error| StartError::system(format!("writing {}", content.display()), error))
}

struct Garden<'a> {
    node: &'a Node,
    objects: &'a dyn ObjectStore,
    gate: &'a dyn ObjectGate,
    place: Place,
    caller: Caller,
}

type Seeded<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Garden<'_> {
    /// A picture by ticket, PUT and finalize, with its derivatives beside it.
    async fn asset(&self, picture: &Picture, visibility: Visibility) -> Seeded<AssetId> {
        let mut metadata = meta(picture);
        metadata.insert("alt".into(), picture.alt.into());
        let request = UploadRequest {
            filename: picture.name.to_owned(),
            content_type: "image/jpeg".to_owned(),
            size_bytes: picture.bytes.len() as u64,
            visibility: Some(visibility),
            checksum: None,
            metadata,
        };
        let uploads = &self.node.services.uploads;
        let ticket = uploads.ticket(&self.caller, request, None).await?;
        let Sending::Whole(request) = ticket.sending else {
            return Err("the pictures are too small for parts".into());
        };
        self.put(&request, picture.bytes).await?;
        let view = uploads.finalize(&self.caller, ticket.asset_id).await?;
        self.derivatives(picture, &view.asset.key).await?;
        Ok(ticket.asset_id)
    }

    /// A picture by its object key, as content documents name it.
    async fn file(&self, picture: &Picture) -> Seeded<()> {
        let key = ObjectKey::parse(format!("{FOLDER}/{}", picture.name))?;
        self.object(&key, picture.bytes).await?;
        self.derivatives(picture, &key).await
    }

    async fn derivatives(&self, picture: &Picture, key: &ObjectKey) -> Seeded<()> {
        for (width, bytes) in picture.smaller {
            self.object(&key.derivative(*width, "jpg")?, bytes).await?;
        }
        Ok(())
    }

    async fn object(&self, key: &ObjectKey, bytes: &'static [u8]) -> Seeded<()> {
        let location = self.place.location(key);
        if self.objects.head(&location).await?.is_some() {
            return Ok(());
        }
        let content_type = ContentType::parse("image/jpeg").ok_or("image/jpeg is a type")?;
        let terms = UploadTerms { content_type, size_bytes: bytes.len() as u64, checksum: None };
        let presigned = self.objects.presign_put(&location, &terms, SystemClock.now(), 60).await?;
        self.put(&presigned, bytes).await
    }

    async fn put(&self, presigned: &Presigned, bytes: &'static [u8]) -> Seeded<()> {
        let (_, rest) = presigned.url.split_once("://").ok_or("a presigned URL is absolute")?;
        let path = rest.find('/').map(|slash| &rest[slash..]).ok_or("a presigned URL has a path")?;
        let mut headers = presigned.headers.clone();
        headers.push(("content-length".into(), bytes.len().to_string()));
        let request = SignedRequest { path_and_query: path.to_owned(), headers };
        let body = Box::pin(stream::once(async move { Ok(Bytes::from_static(bytes)) }));
        self.gate.put(request, body, SystemClock.now()).await?;
        Ok(())
    }
}

fn meta(picture: &Picture) -> Map<String, Value> {
    let mut meta = Map::new();
    if !picture.smaller.is_empty() {
        let widths: Vec<u32> = picture.smaller.iter().map(|(width, _)| *width).collect();
        meta.insert("derivatives".into(), widths.into());
        meta.insert("derivativeFormat".into(), "jpg".into());
    }
    meta
}

/// A page with a reference, a gallery inside a carousel, and rich text.
fn document(hero: AssetId, portrait: AssetId) -> Value {
    let descriptor = |picture: &Picture| {
        let key = format!("{FOLDER}/{}", picture.name);
        json!({ "name": picture.name, "key": key, "type": "image/jpeg", "meta": meta(picture) })
    };
    json!({
        "success": true,
        "data": {
            "title": "Harbour nights",
            "hero": hero,
            "portrait": portrait,
            "carousel": { "slides": [[descriptor(&HARBOUR), descriptor(&STAGE)], [descriptor(&MUG)]] },
            "body": format!(
                "<p>Tea is served in <img data-media-key=\"{FOLDER}/mug.jpg\" alt=\"a red mug\">, as ever.</p>"
            ),
            "price": 19.90
        },
        "error": null
    })
}
