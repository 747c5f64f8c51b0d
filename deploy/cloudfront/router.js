import cf from 'cloudfront';

// Sends each request of the media distribution to the bucket of its tenant: a CloudFront Function
// (cloudfront-js-2.0) at viewer request, on every behaviour. CloudFront has checked the signature before.
//
// 1. The first segment of the path is `{prefix}{tenant}`, or `{tenant}` where all tenants share a bucket.
// 2. What follows must be the key of a file: no segment is empty, `.` or `..`, there is no backslash and no
//    control character, plain or percent-encoded, and no slash is percent-encoded. It is decoded once, as S3
//    does: `%252e` is a `%2e` in a name and climbs nowhere. Nothing under `trash/` is handed out: deleted files lie
//    there.
// 3. Where PUBLIC assets have stable URLs, a path must be what the patterns of the behaviours took it for.
// 4. The tenant's bucket becomes the origin, and the first segment goes. As the cache would then take the same
//    path of two tenants for one, the bucket stands in a header that belongs to the cache key.
//
// The rules are those by which Signet signs (src/service/layout.rs); tests/it/router.rs holds them together.
// cloudformation.yaml has this text once more, and fills in what `${}` names.

var PREFIX = '${MediaBucketPrefix}';
var ONE_BUCKET = '${MediaS3Bucket}';
var REGION = '${BucketRegion}';
var STABLE = '${Delivery}' === 'stable';

var TENANT = /^[A-Za-z0-9._-]+$/;
var BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
var ENCODED_SLASH = /%2f|%5c/i;
var FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\]/;
var DOTS = /^\.{0,2}$/;
var MAX_KEY_BYTES = 1024;
var MED_FOLDER = /(^|\/)med_[^\/]*\//;
var ASSET = /^med_[0-7][0-9A-HJKMNP-TV-Z]{25}\/[^\/]+$/;

function handler(event) {
    var request = event.request;
    var path = /^\/([^\/]*)\/([\s\S]*)$/.exec(request.uri);
    var tenant = path && tenantOf(path[1]);
    var key = path && keyOf(path[2]);
    if (!tenant || !key || (STABLE && !isWhatItLooksLike(path[2], key))) {
        return refusal();
    }
    request.headers['x-media-bucket'] = { value: ONE_BUCKET || path[1] };
    if (!ONE_BUCKET) {
        request.uri = '/' + path[2];
        cf.updateRequestOrigin({
            domainName: path[1] + '.s3.' + REGION + '.amazonaws.com',
            originAccessControlConfig: {
                enabled: true,
                signingBehavior: 'always',
                signingProtocol: 'sigv4',
                originType: 's3',
                region: REGION
            }
        });
    }
    return request;
}

// The tenant that the first segment names; nothing where it can't be one's.
function tenantOf(segment) {
    var prefix = ONE_BUCKET ? '' : PREFIX;
    var tenant = segment.slice(prefix.length);
    // A name with upper case would be another tenant's bucket in lower case.
    var known = segment.indexOf(prefix) === 0 && TENANT.test(tenant) && !DOTS.test(segment);
    return known && (ONE_BUCKET || BUCKET.test(segment)) ? tenant : '';
}

// The key that the rest of the path names, decoded; nothing where it can't be one.
function keyOf(rest) {
    if (ENCODED_SLASH.test(rest)) {
        return '';
    }
    try {
        var key = decodeURIComponent(rest.replace(/%(?![0-9A-Fa-f]{2})/g, '%25'));
        var bytes = encodeURIComponent(key).replace(/%../g, 'x').length;
        var segments = key.split('/');
        var refused = FORBIDDEN.test(key) || segments.some(isDots) || segments[0] === 'trash';
        return bytes > MAX_KEY_BYTES || refused ? '' : key;
    } catch (notUtf8) {
        return '';
    }
}

function isDots(segment) {
    return DOTS.test(segment);
}

// Whether the behaviours took the path for what it is. `/*/private/*` asks for a signature and comes first: a
// `private/` that it can't see would be served to anybody. `/*/med_*/*` serves to anybody: only files of PUBLIC
// assets may come through it.
function isWhatItLooksLike(rest, key) {
    if (key.indexOf('private/') === 0) {
        return rest.indexOf('private/') === 0;
    }
    var file = ONE_BUCKET ? key : key.slice(key.indexOf('/') + 1);
    return !MED_FOLDER.test(key) || ASSET.test(file);
}

// As Signet's own edge answers where nothing lies.
function refusal() {
    return {
        statusCode: 404,
        statusDescription: 'Not Found',
        headers: {
            'cache-control': { value: 'no-store' },
            'content-type': { value: 'text/xml' }
        },
        body: '<?xml version="1.0" encoding="UTF-8"?>\n' +
            '<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>'
    };
}
