"""Parses HTML by html5lib: a case a line on stdin, {"html", "scripting", "fragment"}; its nodes on stdout, as a JSON list
a line. A `noscript` that holds a text, as it does where scripts run, is followed by what the text is to readers without.
"""

import json
import sys

import html5lib

TREE = html5lib.getTreeBuilder("dom")


def parsed(html, scripting, fragment):
    parser = html5lib.HTMLParser(tree=TREE)
    return (parser.parseFragment if fragment else parser.parse)(html, scripting=scripting)


def nodes(parent, depth, scripting, found):
    """A node is [depth, kind, name or text, attributes]."""
    for node in parent.childNodes:
        if node.nodeType == node.TEXT_NODE:
            last = found[-1] if found else None
            if last and last[:2] == [depth, "text"]:
                last[2] += node.nodeValue
            else:
                found.append([depth, "text", node.nodeValue, {}])
        elif node.nodeType == node.COMMENT_NODE:
            found.append([depth, "comment", node.nodeValue, {}])
        elif node.nodeType == node.DOCUMENT_TYPE_NODE:
            found.append([depth, "doctype", f"{node.name} {node.publicId} {node.systemId}", {}])
        else:
            found.append([depth, "element", f"{node.namespaceURI} {node.nodeName}", dict(node.attributes.items())])
            if scripting and node.nodeName == "noscript":
                text = "".join(child.nodeValue for child in node.childNodes if child.nodeType == node.TEXT_NODE)
                nodes(parsed(text, False, True), depth + 2, False, found)
            nodes(node, depth + 1, scripting, found)
    return found


for line in sys.stdin:
    case = json.loads(line)
    try:
        tree = nodes(parsed(**case), 0, case["scripting"], [])
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # It fails on some inputs, such as a frameset in odd places.
        tree = [[0, "error", repr(error), {}]]
    print(json.dumps(tree), flush=True)
