"""A small HTTP/1.1 client whose cost is next to nothing: sockets, no copies."""

import socket
import threading
import time

from lib.server import API_KEY

_PATIENCE = 60
# The longest answer that isn't streamed.
_BUFFER = 16 * 1024 * 1024
_PATH = "/media/v1/documents"


class Connection:
    """A connection to Signet's API; `with` closes it."""

    def __init__(self, server, receive_buffer=None, buffer=_BUFFER):
        self._socket = socket.socket()
        if receive_buffer:
            # Before connecting, as it decides the window.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.connect(server.address)
        self._buffer = bytearray(buffer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def sign(self, document):
        """The signed document, and the seconds from sending it to having its last byte."""
        started = time.perf_counter()
        self.send(document)
        answer = self.receive()
        seconds = time.perf_counter() - started
        return bytes(answer), seconds

    def ask(self, document):
        """Sends a document and reads the answer, whatever it is: its status."""
        self.send(document)
        head, body, filled = self._receive_head(statuses=(200, 422))
        left = int(head[b"content-length"]) - (filled - body)
        while left > 0:
            left -= self._read(memoryview(self._buffer)[:left])
        return head[b"status"]

    def send(self, document):
        self._socket.sendall(_head("application/json", len(document)) + document)

    def wait(self):
        """Until the answer has begun, of which nothing is read."""
        self._socket.recv(1, socket.MSG_PEEK)

    def receive(self):
        """The body of an answer with a length; good until the next one."""
        head, body, filled = self._receive_head()
        length = int(head[b"content-length"])
        view = memoryview(self._buffer)
        while filled - body < length:
            filled += self._read(view[filled:])
        return view[body : body + length]

    def stream(self, block, times, taken, rate=None):
        """Sends lines `times` over, and gives what comes back to `taken(buffer, start, end)` piece by piece.

        `rate` is how many bytes a second are read at most.
        """
        self._socket.sendall(_head("application/x-ndjson", len(block) * times))
        failed = []
        sender = threading.Thread(target=self._send_lines, args=(block, times, failed), daemon=True)
        sender.start()
        head, start, end = self._receive_head()
        if head.get(b"transfer-encoding") != b"chunked":
            raise ValueError(f"the answer isn't streamed: {head}")
        view = memoryview(self._buffer)[: 64 * 1024 if rate else 1024 * 1024]
        chunks, began, read = Chunks(taken), time.monotonic(), 0
        while not chunks.feed(self._buffer, start, end):
            start, end = 0, self._read(view)
            read += end
            if rate:
                time.sleep(max(0, began + read / rate - time.monotonic()))
        sender.join()
        if failed:
            raise failed[0]

    def _send_lines(self, block, times, failed):
        try:
            for _ in range(times):
                self._socket.sendall(block)
        except OSError as error:
            failed.append(error)

    def _receive_head(self, statuses=(200,)):
        """Headers, with the status among them, where the body begins in the buffer, and how far the buffer is filled."""
        filled, end = 0, -1
        while end < 0:
            filled += self._read(memoryview(self._buffer)[filled:])
            end = self._buffer.find(b"\r\n\r\n", 0, filled)
        status, *fields = bytes(self._buffer[:end]).split(b"\r\n")
        code = int(status.split(b" ")[1])
        if code not in statuses:
            raise ValueError(f"{status.decode()}: {bytes(self._buffer[end:filled]).decode(errors='replace')}")
        head = dict(field.split(b": ", 1) for field in fields)
        return {b"status": code} | {name.lower(): value for name, value in head.items()}, end + 4, filled

    def _read(self, view):
        size = self._socket.recv_into(view)
        if size == 0:
            raise ValueError("the server hung up")
        return size


def _head(content_type, length):
    head = (
        f"POST {_PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: {API_KEY}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    )
    return head.encode()


class Chunks:
    """Takes the chunked coding off, without copying what is in the chunks."""

    def __init__(self, taken):
        self._taken = taken
        self._left = 0  # of the chunk
        self._head = b""  # of a chunk, as far as it has come

    def feed(self, buffer, start, end):
        """Whether the body is complete."""
        while start < end:
            if self._left:
                stop = min(end, start + self._left)
                self._taken(buffer, start, stop)
                self._left -= stop - start
                start = stop
                continue
            # The end of the chunk before belongs to the head of this one.
            newline = buffer.find(b"\n", start, end)
            stop = end if newline < 0 else newline + 1
            self._head += buffer[start:stop]
            start = stop
            if not self._head.endswith(b"\n") or self._head == b"\r\n":
                continue
            size = int(self._head.strip(), 16)
            self._head = b""
            if size == 0:
                return True
            self._left = size
        return False
