//! The names that a type goes by, and the types that share a container.

/// Other names of a type, and its canonical one.
const NAMES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("image/apng", "image/png"),
    ("image/heic", "image/heif"),
    ("image/heic-sequence", "image/heif"),
    ("image/heif-sequence", "image/heif"),
    ("image/x-ms-bmp", "image/bmp"),
    ("image/x-bmp", "image/bmp"),
    ("image/x-icon", "image/vnd.microsoft.icon"),
    ("image/tif", "image/tiff"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-mp3", "audio/mpeg"),
    ("audio/x-mpeg", "audio/mpeg"),
    ("audio/m4a", "audio/mp4"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/m4b", "audio/mp4"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/opus", "audio/ogg"),
    ("audio/vorbis", "audio/ogg"),
    ("video/ogg", "audio/ogg"),
    ("application/ogg", "audio/ogg"),
    ("audio/x-flac", "audio/flac"),
    ("audio/x-aac", "audio/aac"),
    ("audio/aacp", "audio/aac"),
    ("audio/x-aiff", "audio/aiff"),
    ("audio/mid", "audio/midi"),
    ("audio/x-midi", "audio/midi"),
    ("audio/webm", "video/webm"),
    ("audio/x-matroska", "video/x-matroska"),
    ("video/matroska", "video/x-matroska"),
    ("application/mp4", "video/mp4"),
    ("video/avi", "video/x-msvideo"),
    ("video/x-ms-asf", "video/x-ms-wmv"),
    ("audio/x-ms-wma", "video/x-ms-wmv"),
    ("application/x-pdf", "application/pdf"),
    ("text/rtf", "application/rtf"),
    ("application/x-zip-compressed", "application/zip"),
    ("application/x-gzip", "application/gzip"),
    ("application/x-rar-compressed", "application/vnd.rar"),
    ("application/x-msdownload", "application/vnd.microsoft.portable-executable"),
    ("application/wasm", "application/wasm"),
    ("application/font-woff", "font/woff"),
    ("application/font-woff2", "font/woff"),
    ("font/woff2", "font/woff"),
    ("application/font-sfnt", "font/sfnt"),
    ("font/ttf", "font/sfnt"),
    ("font/otf", "font/sfnt"),
];

/// What a declared type may show besides itself: the container that it shares.
const CONTAINERS: &[(&str, &[&str])] = &[
    // ISO base media: encoders write brands as they like, players don't mind.
    ("video/mp4", &["audio/mp4", "video/quicktime", "video/x-m4v"]),
    ("video/x-m4v", &["video/mp4"]),
    ("video/quicktime", &["video/mp4", "video/x-m4v"]),
    ("audio/mp4", &["video/mp4"]),
    ("video/3gpp", &["video/mp4"]),
    ("video/3gpp2", &["video/mp4"]),
    ("audio/3gpp", &["video/mp4"]),
    // WebM is Matroska with fewer codecs.
    ("video/x-matroska", &["video/webm"]),
    // An ID3 tag may stand before either.
    ("audio/aac", &["audio/mpeg"]),
    ("audio/flac", &["audio/mpeg"]),
    // A ZIP whose first members don't say what it is.
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["application/zip"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["application/zip"]),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["application/zip"]),
    ("application/vnd.oasis.opendocument.text", &["application/zip"]),
    ("application/vnd.oasis.opendocument.spreadsheet", &["application/zip"]),
    ("application/vnd.oasis.opendocument.presentation", &["application/zip"]),
    ("application/epub+zip", &["application/zip"]),
    // One container of old Office, which `infer` calls by one name.
    ("application/vnd.ms-excel", &["application/msword"]),
    ("application/vnd.ms-powerpoint", &["application/msword"]),
];

/// What runs where it is opened.
const EXECUTABLES: &[&str] = &[
    "application/vnd.microsoft.portable-executable",
    "application/x-executable",
    "application/x-mach-binary",
    "application/java",
    "application/vnd.android.dex",
    "application/vnd.android.dey",
    "application/wasm",
    "application/x-shockwave-flash",
    "text/x-shellscript",
];

/// The name that a type is compared by.
pub(super) fn canonical(name: &str) -> &str {
    NAMES.iter().find(|(other, _)| *other == name).map_or(name, |(_, canonical)| canonical)
}

/// Whether files of this type show what they are.
pub(super) fn has_magic(name: &str) -> bool {
    CONTAINERS.iter().any(|(known, _)| *known == name)
        || infer::is_mime_supported(name)
        || NAMES.iter().any(|(other, canonical)| *canonical == name && infer::is_mime_supported(other))
}

/// Whether a file that shows one type may be declared as another.
pub(super) fn agrees(declared: &str, found: &str) -> bool {
    let shared =
        CONTAINERS.iter().find(|(known, _)| *known == declared).map_or(&[][..], |(_, shared)| shared);
    declared == found
        || shared.contains(&found)
        // Whatever is in it, it is one.
        || (declared == "application/zip" && CONTAINERS.iter().any(|(known, shared)| *known == found && shared.contains(&declared)))
}

/// Whether a type is a program.
pub(super) fn is_executable(name: &str) -> bool {
    EXECUTABLES.contains(&name)
}

/// Whether a file of a type that nobody knows may show a known one: many formats are built on
/// archives or on pictures of their kind.
pub(super) fn may_be(declared: &str, found: &str) -> bool {
    let kind = |name: &str| match name.split('/').next().unwrap_or_default() {
        "audio" | "video" => Kind::Moving,
        "image" => Kind::Image,
        "font" => Kind::Font,
        "text" => Kind::Text,
        "application" => Kind::Application,
        _ => Kind::Other,
    };
    match (kind(declared), kind(found)) {
        (Kind::Application | Kind::Other, Kind::Application) => true,
        (declared, found) => declared == found,
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Moving,
    Image,
    Font,
    Text,
    Application,
    Other,
}
