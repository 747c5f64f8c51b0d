// A day of a site: 90 % permalinks of assets that are asked for by Zipf's law, 8 % pages, 2 % control: assets
// one by one and in lists, usage, changed metadata, tickets.

import { check } from "k6";
import { SharedArray } from "k6/data";
import http from "k6/http";

import { ALL_SIGNED, API, ASSETS, AUTHORIZATION, JSON_TYPE, assetId, options as steady, page, zipf } from "./common.js";

// A page is 100 signatures: with more of them, a short day would be spent on nothing else.
const COUNT = Math.min(100, Math.ceil(ASSETS / 1000));
const PAGES = new SharedArray("pages", () => Array.from({ length: COUNT }, (_, number) => page(number)));
const TICKET = JSON.stringify({ filename: "day.jpg", contentType: "image/jpeg", sizeBytes: 40000 });

// Without a limit of their own: named so that the summary tells them apart.
export const options = steady({
  "http_req_duration{kind:redirect}": ["max>=0"],
  "http_req_duration{kind:document}": ["max>=0"],
  "http_req_duration{kind:control}": ["max>=0"],
});

const CONTROL = [
  [200, (tags) => http.get(`${API}/media/v1/assets/${assetId(zipf(ASSETS))}`, { headers: AUTHORIZATION, tags })],
  [200, (tags) => http.get(`${API}/media/v1/assets?limit=50`, { headers: AUTHORIZATION, tags })],
  [200, (tags) => http.get(`${API}/media/v1/usage`, { headers: AUTHORIZATION, tags })],
  [200, (tags) => http.patch(`${API}/media/v1/assets/${assetId(own())}`, changed(), { headers: JSON_TYPE, tags })],
  [201, (tags) => http.post(`${API}/media/v1/uploads`, TICKET, { headers: JSON_TYPE, tags })],
];

export default function () {
  const chance = Math.random();
  if (chance < 0.9) {
    const tags = { kind: "redirect", name: "/m/{id}" };
    const answer = http.get(`${API}/m/${assetId(zipf(ASSETS))}`, { tags });
    check(answer, { "a redirect": ({ status }) => status === 302 });
  } else if (chance < 0.98) {
    const tags = { kind: "document" };
    const answer = http.post(`${API}/media/v1/documents`, PAGES[zipf(PAGES.length)], { headers: JSON_TYPE, tags });
    check(answer, { "a signed page": ({ headers }) => headers["Signet-Media"] === ALL_SIGNED });
  } else {
    const [expected, ask] = CONTROL[Math.floor(Math.random() * CONTROL.length)];
    const answer = ask({ kind: "control", name: "control" });
    check(answer, { "control answers": ({ status }) => status === expected });
  }
}

// An asset that no other client of this script changes: of two changes at once, one would be refused.
function own() {
  return Math.floor(((__VU - 0.5) / 64) * ASSETS) % ASSETS;
}

function changed() {
  return JSON.stringify({ metadata: { alt: `Harbour, seen ${Math.floor(Math.random() * 1e6)} times` } });
}
