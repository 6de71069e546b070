#!/usr/bin/env python3
"""Hundreds of connections at a time to one daemon: good ones, bad ones and slow ones.

    tests/load.py ADDRESS PID USER PASSWORD [--seconds 600] [--connections 500]

The good ones call as clients do, over HTTP/1 and HTTP/2, and must all be answered. The bad ones send what is no request, wrong
logins, bodies that break off or are too large, resets; they hang up, and do not read. The slow ones send a byte a second, or
none. Meanwhile memory and open files of the daemon are looked at, and a supervisor asks whether it is alive. The time counts
from when each connection has come to its first end: until then the daemon warms up. Exit code 1, with the reason, if a good
request or the supervisor was not answered, an answer was an error of the server, or what the daemon holds grows from the first
half of the time to the second. It uses the standard library and h2.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import resource
import sys
import time

import h2.config
import h2.connection
import h2.events

SOAP = "/scene7/services/IpsApiService"
UPLOAD = "/scene7/UploadFile"
NAMESPACE = "http://www.scene7.com/IpsApi/xsd/2014-04-03"

# What the daemon may hold in the second half of the time on top of what it held in the first.
MORE_MEMORY_MIB = 64
MORE_FILES = 40
# After all have gone.
FILES_LEFT = 16
# Clients of IPS wait a minute. Supervisors have less patience, but this script has to share a machine with the daemon.
LONGEST_HEALTH = 20.0
LONGEST_GOOD = 30.0
# Connections without a request are closed after server.request_timeout, one minute unless it is set.
LONGEST_WARM_UP = 240.0
# Seconds between the requests of a good client, and between the connections of a bad one.
PAUSES = (1.5, 5.0)


def envelope(user, password, body):
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>'
        f'<authHeader xmlns="{NAMESPACE}"><user>{user}</user><password>{password}</password></authHeader>'
        f"</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


class WasClosed(ConnectionError):
    """The connection was closed before the answer began: a request may be sent again over another."""


class Http1:
    def __init__(self, load, reader, writer):
        self.load, self.reader, self.writer = load, reader, writer

    async def ask(self):
        request, expected = self.load.good_request()
        self.writer.write(request)
        status, body = await self.load.answer(self.reader)
        return status, expected in body, body


class Http2:
    def __init__(self, load, reader, writer):
        self.load, self.reader, self.writer = load, reader, writer
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.initiate_connection()

    async def ask(self):
        connection, stream = self.connection, self.connection.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", SOAP)]
        connection.send_headers(stream, headers + [("content-type", "text/xml")])
        connection.send_data(stream, self.load.call, end_stream=True)
        status, body = 0, b""
        while True:
            self.writer.write(connection.data_to_send())
            try:
                data = await self.reader.read(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise WasClosed("before an answer began") if status == 0 else ConnectionError("in an answer")
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    self.writer.write(connection.data_to_send())
                    return status, b"companyHandle" in body, body
                elif isinstance(event, (h2.events.ConnectionTerminated, h2.events.StreamReset)):
                    raise ConnectionError(repr(event))


async def http1(load):
    return Http1(load, *await load.connect())


async def http2(load):
    return Http2(load, *await load.connect())


class Load:
    def __init__(self, options):
        host, port = options.address.rsplit(":", 1)
        self.place = (host, int(port))
        self.pid = options.pid
        self.user, self.password = options.user, options.password
        self.until = None
        self.begun = time.monotonic()
        self.seconds = options.seconds
        self.slow = options.slow
        self.still_cold = options.connections
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        self.basic = f"Authorization: Basic {login}\r\n"
        ask = f'<getCompanyInfoParam xmlns="{NAMESPACE}"><companyName>Acme</companyName></getCompanyInfoParam>'
        self.call = envelope(self.user, self.password, ask)
        self.counts = {}
        self.latencies = {"good": [], "health": []}
        self.failures = []
        self.held = []

    def over(self):
        return self.until is not None and time.monotonic() >= self.until

    def is_warm(self):
        """Of one connection, once."""
        self.still_cold -= 1
        if self.still_cold == 0:
            self.until = time.monotonic() + self.seconds

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, why):
        self.count("failed")
        if len(self.failures) < 20:
            self.failures.append(why)

    async def connect(self):
        return await asyncio.open_connection(*self.place)

    # What is sent.

    def good_request(self):
        kind = random.random()
        if kind < 0.6:
            head = f"POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {len(self.call)}\r\n\r\n"
            return head.encode() + self.call, b"companyHandle"
        if kind < 0.8:
            return f"GET /api/jobs HTTP/1.1\r\nHost: a\r\n{self.basic}\r\n".encode(), b"jobs"
        if kind < 0.9:
            return b"GET /scene7/webservice/IpsApi.wsdl HTTP/1.1\r\nHost: a\r\n\r\n", b"</wsdl:definitions>"
        return b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"# EOF"

    async def answer(self, reader):
        """Status and body of an answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if getattr(error, "partial", b""):
                raise
            raise WasClosed("before an answer began") from error
        status = int(head.split(b" ", 2)[1])
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
            return status, body
        length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]) if b"content-length:" in lower else 0
        return status, await reader.readexactly(length)

    def judge(self, status, body):
        """An answer to what is bad may be a fault, which has status 500 in SOAP, but it says what is wrong."""
        self.count(f"bad {status}")
        is_fault = b"<tns:code>" in body and b"Internal error" not in body
        if status >= 500 and status != 503 and not is_fault:
            self.fail(f"an answer to a bad request: {status} {body[:200]}")

    # The good ones.

    async def good(self, opened):
        """A client that keeps its connection, and takes another when it finds it closed, as HTTP wants it."""
        await asyncio.sleep(random.uniform(0, PAUSES[1]))
        client, is_new, is_first = None, False, True
        while not self.over():
            try:
                if client is None:
                    client, is_new = await opened(self), True
                begun = time.monotonic()
                status, is_right, body = await asyncio.wait_for(client.ask(), LONGEST_GOOD)
                self.latencies["good"].append(time.monotonic() - begun)
                self.count(f"{opened.__name__} {status}")
                if status != 200 or not is_right:
                    self.fail(f"a good request: {status} {body[:200]}")
                if is_first:
                    is_first = False
                    self.is_warm()
                is_new = False
                await self.pause(random.uniform(*PAUSES))
            except WasClosed as error:
                client.writer.close()
                client = None
                self.count("reconnected")
                if is_new:
                    self.fail(f"a good request: {error!r}")
            except Exception as error:
                self.fail(f"a good request: {error!r}")
                if is_first:
                    self.is_warm()
                break
        if client is not None:
            client.writer.close()

    async def health(self):
        while not self.over():
            begun = time.monotonic()
            try:
                reader, writer = await self.connect()
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                status, body = await asyncio.wait_for(self.answer(reader), LONGEST_HEALTH)
                writer.close()
                if status != 200 or b"alive" not in body:
                    self.fail(f"/healthz: {status} {body[:200]}")
            except Exception as error:
                self.fail(f"/healthz: {error!r}")
            self.latencies["health"].append(time.monotonic() - begun)
            await asyncio.sleep(0.25)

    # The bad and the slow ones: each is one connection, and comes again when it has been closed.

    async def again(self, act):
        await asyncio.sleep(random.uniform(0, PAUSES[1]))
        is_first = True
        while not self.over():
            try:
                reader, writer = await self.connect()
            except OSError as error:
                self.fail(f"no connection: {error!r}")
                await asyncio.sleep(1)
                continue
            try:
                await act(reader, writer)
                self.count(act.__name__)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                # That is what they ask for.
                self.count(f"{act.__name__}, cut off")
            finally:
                writer.close()
            if is_first:
                is_first = False
                self.is_warm()
            await self.pause(random.uniform(*PAUSES))

    async def pause(self, most):
        await asyncio.sleep(min(most, max(0.0, self.until - time.monotonic())) if self.until else most)

    async def garbage(self, reader, writer):
        writer.write(os.urandom(2000))
        await asyncio.wait_for(reader.read(), 10)

    async def broken(self, reader, writer):
        bodies = [b"<a>", b"\xff\xfe<", self.call[:-40], self.call.replace(b"getCompanyInfoParam", b"makeCoffeeParam"), b""]
        body = random.choice(bodies)
        writer.write(f"POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        self.judge(*await asyncio.wait_for(self.answer(reader), LONGEST_GOOD))

    async def wrong_login(self, reader, writer):
        body = envelope("nobody@acme.example", "wrong", f'<getCompanyInfoParam xmlns="{NAMESPACE}"/>')
        writer.write(f"POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        self.judge(*await asyncio.wait_for(self.answer(reader), LONGEST_GOOD))

    async def breaks_off(self, reader, writer):
        path = random.choice([SOAP, UPLOAD])
        kind = "Content-Type: multipart/form-data; boundary=B\r\n" if path == UPLOAD else ""
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: 4000000\r\n\r\n".encode())
        writer.write(b" " * random.randrange(1_000_000))
        await writer.drain()
        writer.transport.abort()

    async def too_large(self, reader, writer):
        writer.write(f"POST {SOAP} HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n".encode())
        for _ in range(8):
            writer.write(b" " * 250_000)
            await writer.drain()
        self.judge(*await asyncio.wait_for(self.answer(reader), LONGEST_GOOD))

    async def unknown(self, reader, writer):
        writer.write(b"DELETE /" + b"x" * random.randrange(5000) + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.judge(*await asyncio.wait_for(self.answer(reader), LONGEST_GOOD))

    async def resets(self, reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        for _ in range(200):
            stream = connection.get_next_available_stream_id()
            headers = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/api/jobs")]
            connection.send_headers(stream, headers, end_stream=True)
            connection.reset_stream(stream)
        writer.write(connection.data_to_send())
        await writer.drain()
        await asyncio.wait_for(reader.read(), 10)

    async def unread(self, reader, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /scene7/webservice/IpsApi.wsdl HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
        await self.pause(8)

    async def streams(self, reader, writer):
        """Bodies over HTTP/2, as many as may be, that do not end."""
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        connection.receive_data(await reader.read(65536))
        for _ in range(min(8, connection.remote_settings.max_concurrent_streams)):
            stream = connection.get_next_available_stream_id()
            headers = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", SOAP)]
            connection.send_headers(stream, headers)
            connection.send_data(stream, b" " * min(8000, connection.local_flow_control_window(stream)))
        writer.write(connection.data_to_send())
        await asyncio.wait_for(reader.read(), 8)

    async def slow_head(self, reader, writer):
        for byte in f"POST {SOAP} HTTP/1.1\r\nHost: a\r\nX-Slow: {'x' * 999}"[: self.slow]:
            if self.over():
                break
            writer.write(byte.encode())
            await writer.drain()
            await self.pause(1)

    async def slow_body(self, reader, writer):
        path = random.choice([SOAP, UPLOAD])
        kind = "Content-Type: multipart/form-data; boundary=B\r\n" if path == UPLOAD else ""
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: 100000\r\n\r\n".encode())
        for _ in range(self.slow):
            if self.over():
                break
            writer.write(b" ")
            await writer.drain()
            await self.pause(1)

    async def silent(self, reader, writer):
        while not self.over():
            try:
                if not await asyncio.wait_for(reader.read(65536), 1):
                    raise ConnectionError("closed")
            except asyncio.TimeoutError:
                pass

    async def silent_http2(self, reader, writer):
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        await asyncio.wait_for(reader.read(65536), 10)
        await self.silent(reader, writer)

    # What the daemon holds.

    def look(self):
        with open(f"/proc/{self.pid}/status") as status:
            memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return memory / 1024, len(os.listdir(f"/proc/{self.pid}/fd"))

    async def watch(self):
        while not self.over():
            if self.until is not None:
                self.held.append(self.look())
            elif time.monotonic() > self.begun + LONGEST_WARM_UP:
                raise SystemExit(f"{self.still_cold} connections have not come to an end within {LONGEST_WARM_UP} s")
            await asyncio.sleep(0.5)

    async def log_in(self):
        """From where a user has logged in before, the wrong logins of others do not count."""
        reader, writer = await self.connect()
        writer.write(f"GET /api/jobs HTTP/1.1\r\nHost: a\r\n{self.basic}\r\n".encode())
        status, body = await asyncio.wait_for(self.answer(reader), LONGEST_GOOD)
        writer.close()
        if status != 200:
            raise SystemExit(f"{self.user} cannot log in: {status} {body}")

    async def run(self, connections):
        await self.log_in()
        before = self.look()
        bad = [self.garbage, self.broken, self.wrong_login, self.breaks_off, self.too_large, self.unknown, self.resets]
        bad += [self.unread, self.streams]
        slow = [self.slow_head, self.slow_body, self.silent, self.silent_http2]
        tasks = [self.health(), self.watch()]
        for number in range(connections):
            share = number % 10
            if share < 3:
                tasks.append(self.good(http1))
            elif share < 4:
                tasks.append(self.good(http2))
            elif share < 7:
                tasks.append(self.again(bad[(number // 10 * 3 + share - 4) % len(bad)]))
            else:
                tasks.append(self.again(slow[(number // 10 * 3 + share - 7) % len(slow)]))
        await asyncio.gather(*tasks)
        self.report(before, await self.afterwards(before))

    async def afterwards(self, before):
        """What is held when all have gone, which takes the daemon a moment."""
        for _ in range(60):
            after = self.look()
            if after[1] <= before[1] + FILES_LEFT:
                break
            await asyncio.sleep(0.5)
        return after

    def report(self, before, after):
        half = len(self.held) // 2
        warm, rest = self.held[:half], self.held[half:]
        most = [max(look[which] for look in warm) for which in (0, 1)]
        last = [max(look[which] for look in rest) for which in (0, 1)]
        if last[0] > most[0] + MORE_MEMORY_MIB:
            self.fail(f"memory grows: {most[0]:.0f} MiB in the first half, then {last[0]:.0f}")
        if last[1] > most[1] + MORE_FILES:
            self.fail(f"open files grow: {most[1]} in the first half, then {last[1]}")
        if after[1] > before[1] + FILES_LEFT:
            self.fail(f"open files stay: {before[1]} before, {after[1]} after")
        figures = {"seconds": self.seconds, "counts": dict(sorted(self.counts.items()))}
        for what, times in self.latencies.items():
            times.sort()
            if not times:
                self.fail(f"{what}: nothing was answered")
                continue
            figures[f"{what}, ms"] = {
                "median": round(times[len(times) // 2] * 1000, 1),
                "99 %": round(times[len(times) * 99 // 100] * 1000, 1),
                "longest": round(times[-1] * 1000, 1),
            }
        looks = {"before": before, "first half, most": most, "then, most": last, "after": after}
        figures["MiB and open files"] = {name: [round(look[0], 1), look[1]] for name, look in looks.items()}
        print(json.dumps(figures, indent=1))


def main():
    parser = argparse.ArgumentParser(description="Good, bad and slow connections to a daemon, hundreds at a time.")
    parser.add_argument("address", help="of the daemon: 127.0.0.1:8080")
    parser.add_argument("pid", type=int, help="of the daemon")
    parser.add_argument("user", help="of a company Acme")
    parser.add_argument("password")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--slow", type=int, default=70, help="bytes, and seconds, that the slow ones go on for")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random.seed(1)
    load = Load(options)
    asyncio.run(load.run(options.connections))
    for why in load.failures:
        print(why, file=sys.stderr)
    sys.exit(1 if load.failures else 0)


if __name__ == "__main__":
    main()
