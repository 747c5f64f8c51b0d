// Permalinks: GET, HEAD and JSON of assets whose links are cached.

import { check } from "k6";
import http from "k6/http";

import { API, ASSETS, assetId, options as steady, zipf } from "./common.js";

export const options = steady();

export default function () {
  const url = `${API}/m/${assetId(zipf(Math.min(ASSETS, 1000)))}`;
  const chance = Math.random();
  const tags = { name: "/m/{id}" };
  if (chance < 0.05) {
    const answer = http.get(url, { tags, headers: { accept: "application/json" }, responseType: "text" });
    check(answer, { "a link as JSON": ({ status, body }) => status === 200 && body.includes("Signature=") });
    return;
  }
  const answer = chance < 0.1 ? http.head(url, null, { tags }) : http.get(url, { tags });
  check(answer, {
    "a redirect": ({ status, headers }) => status === 302 && (headers.Location || "").includes("&Signature="),
    "that may be kept": ({ headers }) => (headers["Cache-Control"] || "").includes("max-age="),
  });
}
