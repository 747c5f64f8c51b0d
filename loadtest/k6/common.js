// What the scripts have in common: where Signet is, ids of assets, documents, and the limits.
//
// `lib/k6.py` runs them. API, API_KEY, ASSETS (how many are in the store), RATE (a second), SECONDS, and the limits
// P99_MS and FAILED come from there, as gates have their limits in one place.

export const API = __ENV.API;
export const ASSETS = Number(__ENV.ASSETS);
export const AUTHORIZATION = { authorization: __ENV.API_KEY };
export const JSON_TYPE = { ...AUTHORIZATION, "content-type": "application/json" };

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
// Prime, and so no divisor of a number of assets that anybody would choose.
const STEP = 7919;
const WIDTHS = "[320,640,1280]";

/**
 * Options for requests that begin `RATE` times a second, whether or not those before are answered. What `setup`
 * asks for has no part in the times.
 */
export function options(thresholds = {}) {
  return {
    scenarios: {
      steady: {
        executor: "constant-arrival-rate",
        rate: Number(__ENV.RATE),
        timeUnit: "1s",
        duration: `${__ENV.SECONDS}s`,
        preAllocatedVUs: 64,
        maxVUs: 64,
      },
    },
    thresholds: {
      "http_req_duration{scenario:steady}": [`p(99)<=${__ENV.P99_MS}`],
      http_req_failed: [`rate<=${__ENV.FAILED}`],
      checks: [`rate>=${1 - Number(__ENV.FAILED)}`],
      ...thresholds,
    },
    summaryTrendStats: ["med", "p(99)", "p(99.9)", "max"],
    discardResponseBodies: true,
    maxRedirects: 0,
  };
}

/** The id of an asset that `benches/seed.rs` has put in. */
export function assetId(number) {
  let digits = "";
  for (let at = 0; at < 16; at++) {
    digits = DIGITS[number % 32] + digits;
    number = Math.floor(number / 32);
  }
  return `med_01JC8Z3V5N${digits}`;
}

/** One of `count` numbers: the k-th most popular is asked for in proportion to 1/k, and lies anywhere. */
export function zipf(count) {
  const rank = Math.floor(Math.exp(Math.random() * Math.log(count + 1))) - 1;
  return (rank * STEP) % count;
}

/** A page's worth of JSON: some files with three derivatives each, and prose. */
export function page(number, files = 25) {
  const items = [];
  for (let index = 0; index < files; index++) {
    items.push(
      `{"title":"Harbour night no. ${index}","price":19.90,"image":{"name":"picture-${index}.jpg",` +
        `"key":"groupObjects/page-${number}/${index}/picture-${index}.jpg","type":"image/jpeg",` +
        `"meta":{"derivatives":${WIDTHS},"derivativeFormat":"jpg"}},"text":"Tea is served, ${index} times."}`,
    );
  }
  return `{"success":true,"data":[${items.join(",")}]}`;
}

/** The header that says of a signed page that nothing was left unsigned. */
export const ALL_SIGNED = "found=25, signed=25, unsigned=0";
