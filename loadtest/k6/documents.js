// Documents: pages of 25 files with three derivatives each, 100 of them, whose links are cached.

import { check } from "k6";
import { SharedArray } from "k6/data";
import http from "k6/http";

import { ALL_SIGNED, API, JSON_TYPE, options as steady, page, zipf } from "./common.js";

const PAGES = new SharedArray("pages", () => Array.from({ length: 100 }, (_, number) => page(number)));

export const options = steady();

export function setup() {
  for (const one of PAGES) http.post(`${API}/media/v1/documents`, one, { headers: JSON_TYPE });
}

export default function () {
  const answer = http.post(`${API}/media/v1/documents`, PAGES[zipf(PAGES.length)], { headers: JSON_TYPE });
  check(answer, {
    "all of it is signed": ({ status, headers }) => status === 200 && headers["Signet-Media"] === ALL_SIGNED,
  });
}
