// Uploads: a ticket, the bytes, finalize, and the permalink of what is there now.

import { check } from "k6";
import http from "k6/http";

import { API, JSON_TYPE, options as steady } from "./common.js";

const PICTURE = open(__ENV.PICTURE, "b");
const WANTED = JSON.stringify({
  filename: "harbour.jpg",
  contentType: "image/jpeg",
  sizeBytes: PICTURE.byteLength,
  visibility: "PUBLIC",
});

export const options = steady();

export default function () {
  const asked = http.post(`${API}/media/v1/uploads`, WANTED, {
    headers: JSON_TYPE,
    responseType: "text",
    tags: { name: "ticket" },
  });
  if (!check(asked, { "a ticket": ({ status }) => status === 201 })) return;
  const ticket = asked.json();
  const sent = http.request(ticket.method, ticket.uploadUrl, PICTURE, {
    headers: ticket.headers,
    tags: { name: "bytes" },
  });
  if (!check(sent, { "the bytes are taken": ({ status }) => status === 200 })) return;
  const finalize = `${API}/media/v1/uploads/${ticket.assetId}/finalize`;
  const done = http.post(finalize, "{}", { headers: JSON_TYPE, responseType: "text", tags: { name: "finalize" } });
  check(done, { "it is ready": ({ status, body }) => status === 200 && JSON.parse(body).status === "READY" });
  const link = http.get(`${API}/m/${ticket.assetId}`, { tags: { name: "/m/{id}" } });
  check(link, { "it has a link": ({ status }) => status === 302 });
}
