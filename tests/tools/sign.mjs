// Signs cases by @aws-sdk/cloudfront-signer: JSON on stdin, a signed URL a case on stdout, as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The packages lie in a folder of the project that git ignores; its path is the argument.
const require = createRequire(`${process.argv[2]}/package.json`);
const { getSignedUrl } = require("@aws-sdk/cloudfront-signer");

const { keyPairId, keys, cases } = JSON.parse(readFileSync(0, "utf8"));
const moment = (seconds) => (seconds === null ? undefined : new Date(seconds * 1000).toISOString());
const signed = cases.map(({ url, key, hash, expires, notBefore, ip, wildcard, policy }) => {
  const credentials = { url, keyPairId, privateKey: keys[key], algorithm: hash };
  if (wildcard) return getSignedUrl({ ...credentials, policy });
  return getSignedUrl({
    ...credentials,
    dateLessThan: moment(expires),
    dateGreaterThan: moment(notBefore),
    ipAddress: ip ?? undefined,
  });
});
process.stdout.write(JSON.stringify(signed));
