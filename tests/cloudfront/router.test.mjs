// The router with the events that CloudFront gives it: `node --test tests/cloudfront/`. tests/it/router.rs runs it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRequire } from 'node:module';
import { TENANT_BUCKETS, body, distribution, request, source } from './router.mjs';

const ID = 'med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E';
const acorn = createRequire(new URL('../../.tools/node/', import.meta.url))('acorn');

function refused({ result, origin }) {
  assert.equal(result.statusCode, 404);
  assert.equal(result.headers['cache-control'].value, 'no-store');
  assert.match(result.body, /<Code>NoSuchKey<\/Code>/);
  assert.equal(origin, null);
}

test('the tenant chooses the bucket, and leaves the path', () => {
  const asked = request('/vivreal-demo/groupObjects/68bf/a%20b.jpg');
  const { result, origin } = distribution(TENANT_BUCKETS)(asked);
  assert.deepEqual(origin, {
    domainName: 'vivreal-demo.s3.eu-central-1.amazonaws.com',
    originAccessControlConfig: {
      enabled: true,
      signingBehavior: 'always',
      signingProtocol: 'sigv4',
      originType: 's3',
      region: 'eu-central-1',
    },
  });
  const kept = request('/groupObjects/68bf/a%20b.jpg');
  kept.headers['x-media-bucket'] = { value: 'vivreal-demo' };
  assert.deepEqual(result, kept, 'method, query, cookies and other headers stay as they were');
});

test('the same path of two tenants has two places in the cache', () => {
  const route = distribution(TENANT_BUCKETS);
  const key = (path) => {
    const { result } = route(request(path));
    return `${result.uri} ${result.headers['x-media-bucket'].value}`;
  };
  assert.notEqual(key('/vivreal-a/logo.png'), key('/vivreal-b/logo.png'));
});

test('in one bucket the path stays whole, and the origin as it is', () => {
  const route = distribution({ ...TENANT_BUCKETS, MediaS3Bucket: 'media' });
  const { result, origin } = route(request(`/t_1/${ID}/a.jpg`));
  assert.deepEqual([result.uri, origin, result.headers['x-media-bucket'].value], [`/t_1/${ID}/a.jpg`, null, 'media']);
  refused(route(request('/../x')));
  refused(route(request(`/t_1/trash/${ID}/a.jpg`)));
});

test('hostile paths are refused', () => {
  const route = distribution(TENANT_BUCKETS);
  for (const path of [
    '', '/', '//', '/vivreal-demo', '/vivreal-demo/', '//vivreal-demo/a', '/vivreal-/a', '/other/a', '/VIVREAL-demo/a',
    '/vivreal-DEMO/a', '/vivreal-de%6Do/a', '/vivreal-demo.s3.evil.example:443/a', '/vivreal-demo@evil/a',
    '/vivreal-demo?/a', '/vivreal-de mo/a', '/vivreal-demo-/a', `/vivreal-${'x'.repeat(60)}/a`,
    '/vivreal-demo/..', '/vivreal-demo/.', '/vivreal-demo/../vivreal-other/a', '/vivreal-demo/x/../../vivreal-other/a',
    '/vivreal-demo/%2e%2e/a', '/vivreal-demo/.%2E/a', '/vivreal-demo/x/%2e/a', '/vivreal-demo/x/..%2fa',
    '/vivreal-demo/x/..%5Ca', '/vivreal-demo/x%2Fa', '/vivreal-demo/x%5ca', '/vivreal-demo/x\\..\\a',
    '/vivreal-demo//a', '/vivreal-demo/a//b', '/vivreal-demo/a/', '/vivreal-demo/a%00.jpg', '/vivreal-demo/a%0d%0a',
    '/vivreal-demo/a%7f', '/vivreal-demo/a%C2%85', '/vivreal-demo/%ff', '/vivreal-demo/%c0%ae%c0%ae/a',
    '/vivreal-demo/trash', '/vivreal-demo/trash/a', `/vivreal-demo/trash/t_1/${ID}/a.jpg`, '/vivreal-demo/%74rash/a',
    '/vivreal-demo/tras%68/a', '/vivreal-demo/%ed%a0%80', `/vivreal-demo/${'x'.repeat(1025)}`, `/vivreal-demo/${'%C3%A9'.repeat(513)}`,
  ]) {
    refused(route(request(path)));
  }
});

test('names that only look hostile are served', () => {
  const route = distribution(TENANT_BUCKETS);
  for (const path of [
    '/vivreal-demo/...', '/vivreal-demo/..a/b..', '/vivreal-demo/%252e%252e%252fa', '/vivreal-demo/100%', '/vivreal-demo/%zz',
    '/vivreal-demo/~a', '/vivreal-demo/a+b', '/vivreal-demo/%C3%A9.jpg', `/vivreal-demo/${'x'.repeat(1024)}`,
    '/vivreal-demo/%70rivate/a', '/vivreal-a.b/c', '/vivreal-demo/trashed/a', '/vivreal-demo/a/trash/b',
    '/vivreal-demo/Trash/a', '/vivreal-demo/%2574rash/a',
  ]) {
    const { result } = route(request(path));
    assert.equal(result.uri, path.slice(path.indexOf('/', 1)), path);
  }
});

test('with stable delivery a path is what its behaviour takes it for', () => {
  for (const [one, tenant, wholly, partly] of [['', 'vivreal-demo', 't_1/', 'groupObjects/68bf/'], ['media', 't_1', '', 'x/']]) {
    const route = distribution({ ...TENANT_BUCKETS, MediaS3Bucket: one, Delivery: 'stable' });
    for (const rest of [
      `${wholly}${ID}/a.jpg`, `${wholly}${ID}/a.jpg.320.jpg`, 'groupObjects/68bf/a.jpg', `private/${wholly}${ID}/a.jpg`,
      'med_a.jpg', 'x/med_a',
    ]) {
      assert.ok(route(request(`/${tenant}/${rest}`)).result.uri, rest);
    }
    for (const rest of [
      `%70rivate/${wholly}${ID}/a.jpg`, `privat%65/a.jpg`, `${partly}${ID}/a.jpg`, `${wholly}${ID}/b/a.jpg`,
      `${wholly}med_x/a.jpg`, `${wholly}${ID.toLowerCase()}/a.jpg`, `${wholly}%6ded_x/a.jpg`, `${wholly}x/med_x/a.jpg`,
    ]) {
      refused(route(request(`/${tenant}/${rest}`)));
    }
  }
});

test('it is what the runtime takes: ES 5.1 but for its import, and less than 10 KB', () => {
  assert.ok(source.startsWith("import cf from 'cloudfront';\n"));
  assert.ok(Buffer.byteLength(source) < 10 * 1024);
  for (const settings of [TENANT_BUCKETS, { ...TENANT_BUCKETS, MediaS3Bucket: 'media' }]) {
    acorn.parse(body(settings), { ecmaVersion: 5, sourceType: 'script' });
  }
  assert.doesNotMatch(source, /\b(eval|setTimeout|require|fetch)\(|new Function|console\./);
});
