// Parses HTML by parse5: a case a line on stdin, {"html", "scripting", "fragment"}; its nodes on stdout, as a JSON list a
// line. The argument is the folder with the package. A `noscript` that holds a text, as it does where scripts run, is
// followed by what the text is to readers without.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.argv[2]}/package.json`);
const { parse, parseFragment } = require("parse5");

// A node is [depth, kind, name or text, attributes].
function nodes(parent, depth, scripting, found) {
  for (const node of parent.childNodes) {
    if (node.nodeName === "#text") {
      found.push([depth, "text", node.value, {}]);
    } else if (node.nodeName === "#comment") {
      found.push([depth, "comment", node.data, {}]);
    } else if (node.nodeName === "#documentType") {
      found.push([depth, "doctype", [node.name, node.publicId, node.systemId].join(" "), {}]);
    } else {
      const attributes = node.attrs.map(({ prefix, name, value }) => [prefix ? `${prefix}:${name}` : name, value]);
      found.push([depth, "element", `${node.namespaceURI} ${node.tagName}`, Object.fromEntries(attributes)]);
      const [text] = node.childNodes;
      const hidden = scripting && node.tagName === "noscript" && text?.nodeName === "#text";
      if (hidden) nodes(parseFragment(text.value, { scriptingEnabled: false }), depth + 2, scripting, found);
      nodes(node, depth + 1, scripting, found);
      if (node.content) nodes(node.content, depth + 2, scripting, found);
    }
  }
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { html, scripting, fragment } = JSON.parse(line);
  const tree = (fragment ? parseFragment : parse)(html, { scriptingEnabled: scripting });
  process.stdout.write(`${JSON.stringify(nodes(tree, 0, scripting, []))}\n`);
}
