// What a content API does today, as a yardstick: parse the document, walk it, sign each descriptor's key
// and its derivatives with @aws-sdk/cloudfront-signer, write it again.
//
//   node node_walk.mjs FOLDER PEM KEY_PAIR_ID BASE     FOLDER: of node_modules. PEM: a file
//
// Orders come on stdin, a JSON object a line: {"document": file, "answer": file, "key": "text" | "object",
// "threads": number}. For each, a line on stdout: {"seconds", "links"}. The time is from having the document's
// bytes to having those of the answer.
//
// With one thread it is the plain loop that is in use. Signing takes all of the time, so the walk collects what is
// to be signed, and with more threads each takes descriptors from that, one by one, so that none waits for another
// at the end.
//
// "key": "text" hands the PEM over with each call, as everyone does: the signer's documentation shows nothing
// else. The PEM is then parsed for each link, which costs more than the signature. "object" hands over a
// parsed KeyObject, which works although the types don't allow it.
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Worker, isMainThread, parentPort } from "node:worker_threads";

const [folder, pemFile, keyPairId, base] = process.argv.slice(2);
const { getSignedUrl } = createRequire(`${folder}/package.json`)("@aws-sdk/cloudfront-signer");
const pem = readFileSync(pemFile, "utf8");
const keys = { text: pem, object: createPrivateKey(pem) };

function looksLikeMedia(value) {
  return typeof value.key === "string" && Boolean(value.type || value.mimeType);
}

function walk(value, found) {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, found);
  } else if (value !== null && typeof value === "object") {
    if (looksLikeMedia(value)) found.push(value);
    for (const item of Object.values(value)) walk(item, found);
  }
}

// The paths of a descriptor's file and of its derivatives.
function files({ key, meta }) {
  const widths = meta?.derivatives ?? [];
  return [key, ...widths.map((width) => `${key}.${width}.${meta.derivativeFormat}`)];
}

// Signs what no other thread has taken: [index, links] each.
function signSome({ paths, taken, dateLessThan, key }) {
  const signed = [];
  for (let index; (index = Atomics.add(taken, 0, 1)) < paths.length; ) {
    const links = paths[index].map((path) =>
      getSignedUrl({ url: `${base}/${path}`, keyPairId, privateKey: keys[key], dateLessThan }),
    );
    signed.push([index, links]);
  }
  return signed;
}

function withLinks(descriptor, [source, ...smaller]) {
  const widths = descriptor.meta?.derivatives ?? [];
  const srcset = smaller.map((link, index) => `${link} ${widths[index]}w`).join(", ");
  descriptor.currentFile = { name: descriptor.name, source, ...(srcset && { srcset }) };
}

async function sign(input, key, workers) {
  const document = JSON.parse(input.toString());
  const found = [];
  walk(document, found);
  const dateLessThan = new Date(Date.now() + 86_400_000).toISOString();
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const work = { paths: found.map(files), taken, dateLessThan, key };
  const others = workers.map((worker) => {
    worker.postMessage(work);
    return new Promise((resolve) => worker.once("message", resolve));
  });
  const signed = [signSome(work), ...(await Promise.all(others))].flat();
  for (const [index, links] of signed) withLinks(found[index], links);
  const links = signed.reduce((sum, [, links]) => sum + links.length, 0);
  return { answer: Buffer.from(JSON.stringify(document)), links };
}

if (isMainThread) {
  const workers = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    while (workers.length < order.threads - 1) {
      workers.push(new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }));
    }
    const input = readFileSync(order.document);
    const start = performance.now();
    const { answer, links } = await sign(input, order.key, workers.slice(0, order.threads - 1));
    const seconds = (performance.now() - start) / 1000;
    writeFileSync(order.answer, answer);
    process.stdout.write(JSON.stringify({ seconds, links }) + "\n");
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
} else {
  parentPort.on("message", (work) => parentPort.postMessage(signSome(work)));
}
