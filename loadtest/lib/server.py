"""Signet as a process: `signet serve` with settings of our own, on free ports."""

import json
import tempfile

from lib.content import BASE_URL
from lib.context import KEYS, SIGNET
from lib.program import Program

API_KEY = "load-test-load-test"
TENANT = "t_demo"
KEY_PAIR_ID = "K2JCJMDEHXQW5F"
# What the line says with which it begins to serve.
SERVING = '"signet is serving"'
_CACHE_BYTES = 256 * 1024 * 1024
# A week: so long that hardly a link rolls over in a run.
_TTL = 604_800

# Nothing but that it serves: requests leave no lines.
QUIET = "warn,signet::app::serve=info"

_SETTINGS = """\
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
# All clients are on this machine, and nobody waits for its end.
max_connections_per_client = 0
lame_duck_seconds = 0
[cdn]
base_url = "{base_url}"
[signing]
ttl_seconds = {ttl_seconds}
grant_scope = "{grant_scope}"
nonce = "random"
cache_bytes = {cache_bytes}
[[signing.keys]]
id = "{key_pair_id}"
private_key_file = "{key_file}"
[log]
level = "{log_level}"
# Nobody may be held up here, but what looks after limits is measured too.
[limits]
tenant_per_second = 1000000
tenant_burst = 1000000
client_per_second = 1000000
client_burst = 1000000
max_tenant_requests = 0
[store]
path = "{data}"
[documents]
max_links = {max_links}
[[tenants]]
id = "{tenant}"
key = "demo"
api_key = "{api_key}"
"""


class Server:
    """A running Signet; `with` ends it, whatever happens.

    `address` is (host, port) of the API, `admin` its other URL, `usage` what the process uses. `data` is the
    folder of its assets, for servers that come one after another.
    """

    def __init__(
        self,
        context,
        key="rsa",
        grant_scope="url",
        cache_bytes=_CACHE_BYTES,
        ttl_seconds=_TTL,
        max_links=20_000,
        log_level="info",
        data="data",
    ):
        self._folder = tempfile.TemporaryDirectory(dir=context.folder)
        self._settings = _SETTINGS.format(
            base_url=BASE_URL,
            grant_scope=grant_scope,
            cache_bytes=cache_bytes,
            ttl_seconds=ttl_seconds,
            max_links=max_links,
            tenant=TENANT,
            key_pair_id=KEY_PAIR_ID,
            key_file=KEYS[key],
            api_key=API_KEY,
            log_level=log_level,
            data=data,
        )

    def __enter__(self):
        file = f"{self._folder.name}/signet.toml"
        with open(file, "w", encoding="utf-8") as settings:
            settings.write(self._settings)
        self._program = Program([SIGNET, "serve", "--config", file], {}, SERVING)
        try:
            self.address, self.admin = listeners(self._program.until_ready())
        except BaseException:
            self._end()
            raise
        self.usage = self._program.usage
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        try:
            self._program.terminate()
        finally:
            self._folder.cleanup()


def listeners(line):
    """(host, port) of the API, and the URL of the admin listener, by the line with which Signet says that it serves."""
    said = json.loads(line)
    host, _, port = said["api"].removeprefix("http://").rpartition(":")
    return (host, int(port)), said["admin"]
