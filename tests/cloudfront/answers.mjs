// Reads `{"settings", "paths"}` from stdin; for each path, writes the bucket and the key that S3 is asked for, or null.
// tests/it/router.rs compares them with Signet's own.

import { readFileSync } from 'node:fs';
import { distribution, request } from './router.mjs';

const { settings, paths } = JSON.parse(readFileSync(0, 'utf8'));
const route = distribution(settings);

// Once, as S3 does: a `%` that begins no byte is one.
const decoded = (uri) => decodeURIComponent(uri.slice(1).replace(/%(?![0-9a-f]{2})/gi, '%25'));

const answers = paths.map((path) => {
  const { result, origin } = route(request(path));
  if (result.statusCode) return null;
  const bucket = origin ? origin.domainName.replace(`.s3.${settings.BucketRegion}.amazonaws.com`, '') : settings.MediaS3Bucket;
  return { bucket, key: decoded(result.uri), cached: result.headers['x-media-bucket'].value };
});
process.stdout.write(JSON.stringify(answers));
