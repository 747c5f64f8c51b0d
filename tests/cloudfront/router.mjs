// The router of the media distribution, as CloudFront would run it: its settings filled in, its module at hand.

import { readFileSync } from 'node:fs';

export const source = readFileSync(new URL('../../deploy/cloudfront/router.js', import.meta.url), 'utf8');

export const TENANT_BUCKETS = {
  MediaBucketPrefix: 'vivreal-',
  MediaS3Bucket: '',
  BucketRegion: 'eu-central-1',
  Delivery: 'signed',
};

// What the runtime runs: the text with CloudFormation's values, and its import as a parameter.
export function body(settings) {
  const filled = source.replace(/\$\{(\w+)\}/g, (_, name) => {
    if (!(name in settings)) throw new Error(`nothing fills in ${name}`);
    return settings[name];
  });
  return filled.replace("import cf from 'cloudfront';\n", '');
}

// A distribution with these settings: takes an event's request, gives what the function gave, and the origin that
// it chose.
export function distribution(settings) {
  let origin = null;
  const cf = { updateRequestOrigin: (chosen) => { origin = chosen; } };
  const handler = new Function('cf', `'use strict';\n${body(settings)}\nreturn handler;`)(cf);
  return (request) => {
    origin = null;
    const result = handler({
      version: '1.0',
      context: {
        distributionDomainName: 'd111111abcdef8.cloudfront.net',
        distributionId: 'EDFDVBD6EXAMPLE',
        eventType: 'viewer-request',
        requestId: '4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==',
      },
      viewer: { ip: '198.51.100.11' },
      request,
    });
    return { result, origin };
  };
}

// A viewer's request in the shape of CloudFront's event.
export function request(uri) {
  return {
    method: 'GET',
    uri,
    querystring: { v: { value: '2' }, tag: { value: 'a', multiValue: [{ value: 'a' }, { value: 'b' }] } },
    headers: { host: { value: 'media.example.com' }, 'x-media-bucket': { value: 'vivreal-somebody-else' } },
    cookies: { session: { value: 'x', attributes: 'Secure' } },
  };
}
