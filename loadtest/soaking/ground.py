"""What a soak stands on: a MongoDB server, an S3 server, and nodes of Signet, each of which may be ended and started
again in its old place.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import pymongo
from botocore.config import Config

from lib.context import KEYS, PYTHON, ROOT, SIGNET
from lib.program import PATIENCE, Program
from lib.server import KEY_PAIR_ID, SERVING, listeners

ACCESS_KEY, SECRET_KEY, REGION = "AKIDSIGNETSOAK", "a-secret-of-the-soak", "eu-central-1"
CONTROL = "Vivreal"
STABLE_URL = "https://cdn.example.com"

# In seconds: all of a file's life but its retention happens within a run of two minutes.
TICKET, MULTIPART, GRACE, LATE, INTERVAL = 20, 30, 5, 15, 2
LAME_DUCK, DRAIN = 1, 10
# Files of this many bytes and more are sent in parts: the least that S3 and Signet take.
MULTIPART_BYTES = 5 * 1024 * 1024
# How many times a server is started whose ports somebody else has taken meanwhile.
_STARTS = 5


@dataclass(frozen=True)
class Tenant:
    """A group of the control plane. `database` is where its assets lie."""

    id: str
    key: str
    api_key: str
    tier: str
    database: str

    @property
    def bucket(self):
        return f"vivreal-{self.key}"


def tenants():
    """Eight, of two tiers, so of two databases."""
    tiers = [("basic", "general_shared"), ("proplus", "pro_plus")]
    return [
        Tenant(f"t{number:02}", f"soak-{number:02}", f"sk_soak_{number:02}_{'0' * 12}", *tiers[number % 2])
        for number in range(8)
    ]


class Server:
    """A process that comes and goes at one address.

    `starts` are the seconds that it took each time to be ready.
    """

    name = ""

    def __init__(self, folder):
        self._log = open(folder / f"{self.name.replace(' ', '-').lower()}.log", "ab")
        self._program = None
        self.starts = []

    def _start(self):
        """A program, ready."""
        raise NotImplementedError

    def start(self):
        began = time.monotonic()
        self._program = self._start()
        self.starts.append(time.monotonic() - began)

    def is_running(self):
        return self._program is not None and self._program.is_running()

    def kill(self):
        self._program.kill()

    def terminate(self, patience):
        """Its exit code, and the seconds that it took; the code is None where it took longer than it may."""
        began = time.monotonic()
        try:
            code = self._program.terminate(patience)
        except subprocess.TimeoutExpired:
            code = None
        return code, time.monotonic() - began

    def stop(self):
        self._program.signal(signal.SIGSTOP)

    def resume(self):
        self._program.signal(signal.SIGCONT)

    def close(self):
        if self._program is not None:
            self._program.kill()
        self._log.close()


class MongoDB(Server):
    """SecantusDB, which answers a write once that is on the disk: a kill -9 loses nothing of it."""

    name = "MongoDB"

    def __init__(self, folder):
        super().__init__(folder)
        self._storage, self._port = folder / "mongodb", 0
        self._storage.mkdir()

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    def _start(self):
        command = [PYTHON.with_name("secantusd-py"), "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--storage-path", self._storage, "--sync-on-commit", "--log-level", "INFO"]
        said = "listening on 127.0.0.1:"
        program = Program(command, dict(os.environ), said, self._log)
        self._port = int(_ready(program).split(said)[1].split()[0])
        return program

    def client(self):
        return pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=5000, socketTimeoutMS=20000)


class S3(Server):
    """SeaweedFS. It takes its ports from the start, so free ones are looked for."""

    name = "S3"
    _SERVICES = ("s3", "master", "filer", "volume", "admin")

    def __init__(self, folder):
        super().__init__(folder)
        self._storage, self._identity, self._ports = folder / "s3", folder / "identity.json", None
        self._storage.mkdir()
        credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "app", "credentials": credentials, "actions": actions}
        self._identity.write_text(json.dumps({"identities": [identity]}))

    @property
    def address(self):
        return "127.0.0.1", self._ports[0]

    @property
    def url(self):
        return "http://{}:{}".format(*self.address)

    def _start(self):
        if self._ports:
            return self._serve()
        for _ in range(_STARTS):
            self._ports = free_ports(2 * len(self._SERVICES))
            try:
                return self._serve()
            except RuntimeError as taken:
                failed = taken
        raise failed

    def _serve(self):
        ports = [f"-{service}.port{kind}" for service in self._SERVICES for kind in ("", ".grpc")]
        command = [PYTHON.with_name("weed"), "-logtostderr=true", "mini", f"-dir={self._storage}"]
        command += [f"{name}={port}" for name, port in zip(ports, self._ports)]
        command += [f"-s3.config={self._identity}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        command += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-s3.autoCreateBucket=false"]
        # No line says that all of it serves: /healthz does.
        program = Program(command, dict(os.environ), "\n", self._log)
        deadline = time.monotonic() + PATIENCE
        while _status(f"{self.url}/healthz") != 200:
            if not program.is_running() or time.monotonic() > deadline:
                program.kill()
                raise RuntimeError(f"the S3 server doesn't start: see {self._log.name}")
            time.sleep(0.05)
        return program

    def close(self):
        super().close()
        for port in self._ports or ():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def client(self):
        """A client that may be shared by threads, and that tries once."""
        config = Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=3,
            read_timeout=20,
            max_pool_connections=32,
            request_checksum_calculation="when_required",
        )
        return botocore.session.Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=config,
        )


class Node(Server):
    """`signet serve --config config/vivreal.toml`; the environment says the rest."""

    def __init__(self, name, folder, mongo, s3, stable):
        self.name = name
        super().__init__(folder)
        self._mongo, self._s3, self._stable = mongo, s3, stable
        # The first start chooses the ports.
        self.address, self.admin = ("127.0.0.1", 0), "http://127.0.0.1:0"

    def _start(self):
        command = [SIGNET, "serve", "--config", ROOT / "config/vivreal.toml"]
        program = Program(command, self._environment(), SERVING, self._log)
        self.address, self.admin = listeners(_ready(program))
        while _status(f"{self.admin}/readyz") != 200:
            if not program.is_running():
                raise RuntimeError(f"{self.name} ended before it was ready")
            time.sleep(0.01)
        return program

    @property
    def pid(self):
        return self._program.pid

    @property
    def usage(self):
        return self._program.usage

    def _environment(self):
        said = {
            "CLUSTER_URL": self._mongo.uri,
            "CLOUDFRONT_SIGNING_PRIVATE_KEY": KEYS["rsa"].read_text(),
            "CLOUDFRONT_SIGNING_KEY_PAIR_ID": KEY_PAIR_ID,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL_S3": self._s3.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SIGNET_LISTEN": "{}:{}".format(*self.address),
            "SIGNET_ADMIN_LISTEN": self.admin.removeprefix("http://"),
        }
        settings = {
            "store.s3.path_style": "true",
            "server.lame_duck_seconds": LAME_DUCK,
            "server.drain_seconds": DRAIN,
            "uploads.ticket_seconds": TICKET,
            "uploads.multipart_seconds": MULTIPART,
            "uploads.multipart_threshold_bytes": MULTIPART_BYTES,
            "uploads.part_bytes": MULTIPART_BYTES,
            "uploads.grace_seconds": GRACE,
            "uploads.late_seconds": LATE,
            "lifecycle.interval_seconds": INTERVAL,
            # All clients are on this machine.
            "limits.client_per_second": 0,
        }
        if self._stable:
            settings |= {"delivery.public": "stable", "delivery.public_base_url": STABLE_URL}
        names = {name: f"SIGNET__{name.upper().replace('.', '__')}" for name in settings}
        return said | {names[name]: str(value) for name, value in settings.items()}


class Ground:
    """Both stores, two nodes, and the tenants; `with` ends all of it, whatever happens.

    `stable` is whether PUBLIC assets have stable URLs: files then move at finalize, too.
    """

    def __init__(self, folder, stable):
        self.stable, self.tenants = stable, tenants()
        self.mongo, self.s3 = MongoDB(folder), S3(folder)
        self.nodes = [Node(name, folder, self.mongo, self.s3, stable) for name in ("node A", "node B")]
        self.servers = {server.name: server for server in [self.mongo, self.s3, *self.nodes]}

    def __enter__(self):
        try:
            self.mongo.start()
            self.s3.start()
            with self.mongo.client() as client:
                groups = [_group(tenant) for tenant in self.tenants]
                client[CONTROL]["groups"].insert_many(groups)
            s3 = self.s3.client()
            for tenant in self.tenants:
                s3.create_bucket(Bucket=tenant.bucket)
            for node in self.nodes:
                node.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in [*self.nodes, self.s3, self.mongo]:
            server.close()


def free_ports(count):
    """Ports that are free now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _group(tenant):
    usage = {"count": 0, "bytes": 0}
    return {
        "_id": tenant.id, "key": tenant.key, "apiKey": tenant.api_key, "tier": tenant.tier, "frozen": "false",
        "mediaUsage": usage,
    }  # fmt: skip


def _ready(program):
    try:
        return program.until_ready()
    except BaseException:
        program.kill()
        raise


def _status(url):
    """The status of an answer; None where there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
