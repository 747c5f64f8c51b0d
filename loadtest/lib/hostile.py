"""Documents that are made to make work, of any size."""

from lib.content import BASE_URL, FOLDER

_URL = f"{BASE_URL}/{FOLDER}/a.jpg"
_HOST = BASE_URL.removeprefix("https://")
_ID = "med_01JC8Z3V5N7Q9R1T3W5Y7A9C1E"
_NESTED = '{"key":"a/b.jpg","type":"image","x":'

# What stands before, what is repeated, and what stands after.
_REPEATED = {
    "links in one string": ('"', f"<a href={_URL}/>", '"'),
    "links and hosts in one string": ('"', f"<img src='{_URL}'>{_HOST} ", '"'),
    "hosts in one string": ('"', _HOST, '"'),
    "hosts after a tag": ('"<b>', f"{_HOST} ", '"'),
    "near misses of a host": ('"', _HOST[:-1], '"'),
    "one letter of a host": ('"', "m" * 8, '"'),
    "URLs": ("[0", f',"{_URL}"', "]"),
    "hosts in names": ('{"a":0', f',"{_HOST}":"x"', "}"),
    "strings of a tag": ("[0", ',"<b"', "]"),
    "less-than signs": (f'"{_URL} ', "<", '"'),
    "tags": (f'"{_URL} ', "<b>", '"'),
    "attributes of one tag": ('"<img ', "alt=x ", f"src='{_URL}'>\""),
    "double attributes": ('"<img ', f"src={_URL} ", '>"'),
    "candidates of a srcset": ("\"<img srcset='", f"{_URL} 1x, ", "'>\""),
    "commas of a srcset": (f"\"{_URL} <img srcset='", "a,,,, ", "'>\""),
    "entities": (f"\"<img src='{_URL}?", "&amp;", "'>\""),
    "ampersands": (f"\"{_URL} <img src='", "&no", "'>\""),
    "line breaks in a value": ("\"<img srcset='", f"\\r\\n{_URL} 1x,", "'>\""),
    "escapes": (f'"{_URL} <b>', "\\u0041", '"'),
    "noscript that never ends": (f'"{_URL} ', "<noscript>", '"'),
    "foreign elements": (f'"{_URL} ', "<svg><g>", '"'),
    "sections that are uncertain": (f'"{_URL} <frameset>', "<![CDATA[ ]]>", '"'),
    "comments": (f'"{_URL} ', "<!-- --!><!-->", '"'),
    "near misses of the end of a script": (f'"{_URL} <script>', "</scrip", '"'),
    "media keys": ('"', "<img data-media-key=a/b.jpg>", '"'),
    "descriptors": ("[0", ',{"key":"a/b.jpg","type":"image","name":"n"}', "]"),
    "one key many times": ('{"type":"image"', ',"key":"a/b.jpg"', "}"),
    "references": ("[0", f',{{"id":"{_ID}","url":"{_URL}","expiresAt":null}}', "]"),
    "nested arrays": ("[0", f",{'[' * 120}{']' * 120}", "]"),
    "nested descriptors": ("[0", f',{_NESTED * 120}"x"{"}" * 120}', "]"),
}


def shapes(size):
    """Names, and documents of about so many bytes."""
    for name, (before, unit, after) in _REPEATED.items():
        yield name, f"{before}{unit * ((size - len(before) - len(after)) // len(unit))}{after}".encode()
    # Each site has the name above it.
    url = f'"{_URL}",'
    yield "URLs below a long name", f'{{"{"n" * (size // 2)}":[{url * (size // 2 // len(url))}0]}}'.encode()
