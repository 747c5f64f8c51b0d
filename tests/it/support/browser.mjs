// Uploads a picture and reads it again, as a page of another origin would: by plain fetch, with no header but
// those that the API names, and each call only after the preflight that a browser would send has allowed it.
//
// node browser.mjs API KEY FILE: prints the bytes of the link.

import { readFile } from "node:fs/promises";

const [api, key, file] = process.argv.slice(2);
const origin = "https://www.example.com";
const simple = ["accept", "accept-language", "content-language"];
// What a page can't set: browsers derive them.
const forbidden = ["content-length", "host", "cookie", "origin", "connection", "transfer-encoding", "expect"];

const words = (text) => (text ?? "").toLowerCase().split(",").map((word) => word.trim());

async function browse(url, init = {}) {
  const headers = Object.fromEntries(
    Object.entries(init.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  for (const name of Object.keys(headers)) {
    if (forbidden.includes(name)) throw new Error(`a page can't set ${name}`);
  }
  const method = init.method ?? "GET";
  const asked = Object.keys(headers).filter((name) => !simple.includes(name));
  if (asked.length > 0 || !["GET", "HEAD", "POST"].includes(method)) {
    const preflight = await fetch(url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": asked.sort().join(","),
      },
    });
    if (!preflight.ok) throw new Error(`preflight of ${url}: ${preflight.status}`);
    readable(preflight, url);
    const allowed = words(preflight.headers.get("access-control-allow-headers"));
    const missing = asked.filter((name) => !allowed.includes(name));
    if (missing.length > 0) throw new Error(`${url} doesn't allow ${missing}`);
    const methods = words(preflight.headers.get("access-control-allow-methods"));
    if (!methods.includes(method.toLowerCase())) throw new Error(`${url} doesn't allow ${method}`);
  }
  const answer = await fetch(url, { ...init, headers: { ...headers, origin } });
  readable(answer, url);
  return answer;
}

function readable(answer, url) {
  const allowed = answer.headers.get("access-control-allow-origin");
  if (allowed !== "*" && allowed !== origin) throw new Error(`a page can't read ${url}`);
}

async function expect(status, answer) {
  if (answer.status !== status) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer;
}

const bytes = await readFile(file);
const digest = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("base64");
const json = { authorization: key, "content-type": "application/json" };

const ticket = await expect(201, await browse(`${api}/media/v1/uploads`, {
  method: "POST",
  headers: { ...json, "idempotency-key": crypto.randomUUID() },
  body: JSON.stringify({
    filename: "my stage.jpg",
    contentType: "image/jpeg",
    sizeBytes: bytes.length,
    visibility: "PUBLIC",
    checksum: digest,
    metadata: { alt: "A microphone on an empty stage" },
  }),
})).then((answer) => answer.json());

const { uploadUrl, method, headers } = ticket;
await expect(200, await browse(uploadUrl, { method, headers, body: bytes }));

const finalized = await expect(200, await browse(`${api}/media/v1/uploads/${ticket.assetId}/finalize`, {
  method: "POST",
  headers: { authorization: key },
})).then((answer) => answer.json());
if (finalized.status !== "READY") throw new Error(`it is ${finalized.status}`);

const read = await expect(200, await browse(`${api}/media/v1/assets/${ticket.assetId}`, {
  headers: { authorization: key },
}));
if (!read.headers.get("etag")) throw new Error("an asset has a tag");
const asset = await read.json();
if (asset.url !== finalized.url) throw new Error("the link is another one");

const link = await expect(200, await browse(asset.url));
process.stdout.write(Buffer.from(await link.arrayBuffer()));
