"""What is fetched from web servers, and what of their answers is taken."""

import gzip
import re
import socket
import ssl
import struct
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf
from glance_mini.domain.errors import ConfigurationError, LimitExceeded
from glance_mini.fetching.downloads import Downloads
from glance_mini.fetching.uri_filter import Choice, UriFilter
from glance_mini_store.errors import (
    AddressRefused,
    FetchBroken,
    FetchRefused,
    MaxRedirectsExceeded,
    NotResumable,
    SizeLimitExceeded,
)
from glance_mini_store.web.client import FetchLimits, Request, WebClient
from glance_mini_store.web.timeouts import RateLimit, Timeouts
from tests.ports import free_port
from tests.unit.imports.raw_server import RawServer, response
from tests.unit.jobs.certificates import tls_pair

MIB = 1024 * 1024
DATA = bytes(range(256)) * 10240  # 2.5 MiB
ANY_PORT = Choice()
PART = "206 Partial Content"


def chunked(data, size=100_000):
    """Return ``data`` in chunks, the last one of no bytes included (RFC 9112 section 7.1)."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def chunked_response(body):
    return response(body, Content_Length=None, Transfer_Encoding="chunked")


def redirect(location):
    return response(status="302 Found", Location=location)


def part(data, start, total=None, **headers):
    """Return an answer with ``data`` from ``start`` on."""
    total = len(data) if total is None else total
    content_range = f"bytes {start}-{len(data) - 1}/{total}"
    return response(data[start:], status=PART, Content_Range=content_range, **headers)


def resetting(data):
    """Return an answer that sends ``data`` and then breaks the connection."""

    def answer(connection):
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


class ClientCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.delays = []

    def serve(self, *answers, **values):
        return self.useFixture(RawServer(*answers, **values))

    def client(self, *, timeouts=None, tls=None, limit=64 * MIB, retries=2, clock=time.monotonic, **values):
        """Return a client that may reach this machine, with its limits."""
        uri_filter = UriFilter(**{"ports": ANY_PORT, "allowed_hosts": ["127.0.0.1"], **values})
        limits = FetchLimits(limit, timeouts or Timeouts(total=30, idle=10), retries, retry_delay=2)
        return WebClient(uri_filter, tls=tls, clock=clock), limits

    def open(self, url, client=None, limit=None, headers=None, **values):
        """Begin to fetch ``url``."""
        web, limits = client or self.client()
        limits = limits if limit is None else replace(limits, size=limit)
        values = {"pause": self.delays.append, **values}
        fetch = web.open(Request(url, private=headers or {}), limits, **values)
        self.addCleanup(fetch.close)
        return fetch

    def fetch(self, url, client=None, **values):
        """Return the data at ``url`` as one."""
        return b"".join(self.open(url, client, **values))


class TestAnswers(ClientCase):
    def refusal(self, answer, error=FetchRefused, **values):
        """Return the text with which an answer, given again at each attempt, is refused."""
        return str(self.assertRaises(error, self.fetch, self.serve(answer).url(), **values))

    def test_data_of_every_framing_arrives_whole(self):
        for answer, expected in (
            (response(DATA), DATA),
            (response(b""), b""),
            (response(DATA, Content_Length=None), DATA),
            (chunked_response(chunked(DATA)), DATA),
            (chunked_response(chunked(DATA, 2 * MIB)), DATA),
            (chunked_response(chunked(b"abcdefg", 1)), b"abcdefg"),
            (chunked_response(chunked(b"")), b""),
            (chunked_response(b"5\nabcde\n0\nTrailer: x\n\n"), b"abcde"),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + response(DATA), DATA),
        ):
            self.assertEqual(expected, self.fetch(self.serve(answer).url()))

    def test_the_size_is_known_before_the_data(self):
        for answer, size in ((response(DATA), len(DATA)), (response(DATA, Content_Length=None), None)):
            fetch = self.open(self.serve(answer).url())
            self.addCleanup(fetch.close)
            self.assertEqual(size, fetch.size)

    def test_blocks_are_of_one_mebibyte(self):
        for answer in (response(DATA), response(DATA, Content_Length=None)):
            blocks = list(self.open(self.serve(answer).url()))
            self.assertEqual([MIB, MIB, MIB // 2], [len(block) for block in blocks])
            self.assertEqual({bytes}, {type(block) for block in blocks})

    def test_small_chunks_are_gathered(self):
        blocks = list(self.open(self.serve(chunked_response(chunked(DATA, 1000))).url()))
        self.assertEqual([3], [len(blocks)])

    def test_fewer_bytes_than_announced_are_an_error(self):
        text = self.refusal(response(DATA, Content_Length=len(DATA) + 7), NotResumable)
        self.assertIn("7 bytes before its end", text)

    def test_more_bytes_than_announced_are_an_error(self):
        text = self.refusal(response(DATA, Content_Length=len(DATA) - 1))
        self.assertIn(f"more than the {len(DATA) - 1} bytes", text)

    def test_a_chunked_answer_without_its_end_is_an_error(self):
        for body in (
            chunked(DATA)[:-5],
            chunked(DATA)[:-2],
            b"5\r\nabc",
            b"5\r\nabcde\r\n",
            b"7fffffffffffffff\r\nabc",
        ):
            self.refusal(chunked_response(body), NotResumable)
        self.refusal(chunked_response(b""), FetchBroken)

    def test_chunks_with_bad_frames_are_an_error(self):
        for body in (b"-1\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcdefg\r\n0\r\n\r\n", b"x\r\n\r\n", b"1_0\r\n"):
            self.assertIn("framing", self.refusal(chunked_response(body)), body)

    def test_a_chunk_line_without_end_is_not_kept(self):
        self.assertIn("too long", self.refusal(chunked_response(b"5;" + bytes(100_000))))

    def test_a_head_that_breaks_off_is_no_empty_answer(self):
        whole = response(DATA)
        for end in (1, 12, 17, 25, whole.index(b"\r\n\r\n") + 2):
            self.refusal(whole[:end], FetchBroken)

    def test_an_answer_that_is_no_http_is_refused(self):
        self.assertIn("HTTP", self.refusal(b"220 mail.example ESMTP\r\n"))
        self.assertIn("HTTP", self.refusal(b"HTTP/2 200\r\n\r\n"))

    def test_endless_heads_are_refused(self):
        self.assertIn("too long", self.refusal(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000))
        self.assertIn("too many", self.refusal(b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 300))

    def test_lengths_that_cannot_be_are_refused(self):
        for length in ("-1", "1,2", "abc", "9" * 30, "5\r\nContent-Length: 6"):
            self.assertIn("length", self.refusal(response(b"12345", Content_Length=length)))

    def test_encoded_data_is_not_asked_for_and_taken_as_it_came(self):
        packed = gzip.compress(DATA)
        for coding in ("gzip", "x-gzip", "deflate", "br", "zstd", "identity", "gzip, br"):
            for answer in (
                response(packed, Content_Encoding=coding),
                response(chunked(packed), Content_Length=None, Transfer_Encoding="chunked", Content_Encoding=coding),
            ):
                server = self.serve(answer)
                self.assertEqual(packed, self.fetch(server.url()))
                self.assertIn("Accept-Encoding: identity\r\n", server.asked[0])

    def test_a_transfer_coding_other_than_chunked_is_refused(self):
        for coding in ("gzip, chunked", "gzip", "identity"):
            self.refusal(response(DATA, Transfer_Encoding=coding))

    def test_the_status_decides_whether_another_attempt_is_made(self):
        for status in ("404 Not Found", "403 Forbidden", "204 No Content", "206 Partial Content", "304 Not Modified"):
            server = self.serve(response(status=status))
            text = str(self.assertRaises(FetchRefused, self.fetch, server.url()))
            self.assertIn(status[:3], text)
            self.assertEqual(1, len(server.asked))
        for status in ("503 Service Unavailable", "500 Oh", "429 Too Many Requests"):
            server = self.serve(response(status=status), response(DATA))
            self.assertEqual(DATA, self.fetch(server.url()))

    def test_data_over_the_limit_is_refused_before_or_while_it_comes(self):
        client = self.client(limit=MIB)
        for answer in (response(DATA), response(DATA, Content_Length=None), chunked_response(chunked(DATA))):
            server = self.serve(answer)
            self.assertRaises(SizeLimitExceeded, self.fetch, server.url(), client)
            self.assertRaises(SizeLimitExceeded, self.fetch, server.url(), limit=10)
            self.assertEqual(2, len(server.asked))
        self.assertEqual(DATA, self.fetch(self.serve(response(DATA)).url(), self.client(limit=len(DATA))))

    def test_data_of_another_size_than_wanted_is_refused(self):
        for size in (len(DATA) - 1, len(DATA) + 1):
            self.refusal(response(DATA), size=size)
        self.refusal(response(DATA, Content_Length=None), size=len(DATA) - 1)
        self.refusal(response(DATA, Content_Length=None), NotResumable, size=len(DATA) + 1)

    def test_memory_does_not_grow_with_the_data(self):
        def answer(connection):
            connection.sendall(response(Content_Length=48 * MIB))
            for _ in range(48):
                connection.sendall(bytes(MIB))

        fetch = self.open(self.serve(answer).url())
        self.addCleanup(fetch.close)
        next(fetch)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        received = sum(len(block) for block in fetch)
        self.assertEqual(47 * MIB, received)
        self.assertLess(tracemalloc.get_traced_memory()[1], 6 * MIB)


class TestResumption(ClientCase):
    def test_a_broken_answer_goes_on_where_it_stopped(self):
        for headers, validator in (
            ({"ETag": '"v1"'}, '"v1"'),
            ({"Last_Modified": "Sat, 01 Aug 2026 10:00:00 GMT"}, "Sat, 01 Aug 2026 10:00:00 GMT"),
        ):
            first = response(DATA, **headers)[: -MIB - 5]
            server = self.serve(first, part(DATA, len(DATA) - MIB - 5, **headers))

            self.assertEqual(DATA, self.fetch(server.url()))
            self.assertIn(f"Range: bytes={len(DATA) - MIB - 5}-\r\n", server.asked[1])
            self.assertIn(f"If-Range: {validator}\r\n", server.asked[1])
            self.assertNotIn("Range", server.asked[0])

    def test_a_connection_that_is_reset_goes_on_too(self):
        first = resetting(response(DATA, ETag='"v1"')[:-MIB])
        server = self.serve(first, lambda connection: connection.sendall(self.rest(server)))
        self.assertEqual(DATA, self.fetch(server.url()))
        self.assertEqual(2, len(server.asked))

    def test_chunks_that_break_off_go_on_as_a_part(self):
        body = chunked(DATA)[:-5]
        first = response(body, Content_Length=None, Transfer_Encoding="chunked", ETag='"v1"')
        cut = first[: first.index(chunked(DATA)[:20]) + 1_000_000]
        server = self.serve(cut, lambda connection: connection.sendall(self.rest(server)))
        self.assertEqual(DATA, self.fetch(server.url()))

    def rest(self, server):
        """Return the part that the last request asks for, all where it asks for none."""
        found = re.search(r"^Range: bytes=(\d+)-", server.asked[-1], re.MULTILINE)
        return part(DATA, int(found[1]), ETag='"v1"') if found else response(DATA)

    def test_what_came_after_a_break_is_never_other_data(self):
        first = response(DATA, ETag='"v1"')[:-5]
        start = len(DATA) - 5
        for second in (
            response(DATA, ETag='"v2"'),
            part(DATA, start - 1, ETag='"v1"'),
            part(DATA, start, ETag='"v2"'),
            part(DATA, start, total=2**63),
            response(DATA[start:], status=PART),
        ):
            server = self.serve(first, second)
            self.assertRaises(NotResumable, self.fetch, server.url())
            self.assertEqual(2, len(server.asked))
        for total in (len(DATA) + 1, 2**63 - 1):
            self.assertRaises(FetchRefused, self.fetch, self.serve(first, part(DATA, start, total=total)).url())

    def test_without_a_proof_of_sameness_a_broken_answer_stays_broken(self):
        for headers in ({}, {"ETag": 'W/"v1"'}, {"ETag": 'W/"1"', "Last_Modified": "x"}, {"ETag": '"a\r\n b"'}):
            server = self.serve(response(DATA, **headers)[:-5])
            self.assertRaises(NotResumable, self.fetch, server.url())
            self.assertEqual(1, len(server.asked))

    def test_an_answer_that_broke_before_its_first_byte_is_asked_for_again(self):
        server = self.serve(response(DATA)[: -len(DATA)], b"", resetting(b""), response(DATA))
        self.assertEqual(DATA, self.fetch(server.url(), self.client(retries=3)))
        self.assertEqual([2, 4, 8], self.delays)

    def test_attempts_without_progress_are_counted(self):
        server = self.serve(b"")
        self.assertRaises(FetchBroken, self.fetch, server.url(), self.client(retries=6))
        self.assertEqual([2, 4, 8, 16, 30, 30], self.delays)
        self.assertEqual(7, len(server.asked))

    def test_progress_makes_up_for_attempts(self):
        first = response(DATA, ETag='"v1"')[: -len(DATA) + MIB]
        second = part(DATA, MIB, ETag='"v1"')[:-5]
        server = self.serve(b"", first, b"", second, part(DATA, len(DATA) - 5))
        self.assertEqual(DATA, self.fetch(server.url(), self.client(retries=2)))
        self.assertEqual([2, 2, 4, 2], self.delays)

    def test_who_waits_between_attempts_may_give_up(self):
        def give_up(seconds):
            raise InterruptedError

        self.assertRaises(InterruptedError, self.open, self.serve(b"").url(), pause=give_up)

    def test_a_server_that_refuses_connections_is_tried_again(self):
        text = str(self.assertRaises(FetchBroken, self.fetch, f"http://127.0.0.1:{free_port()}/"))
        self.assertIn("refused", text)
        self.assertEqual([2, 4], self.delays)

    def test_a_name_that_does_not_resolve_now_is_tried_again(self):
        server = self.serve(response(DATA))
        answers = iter([OSError("try again"), ["127.0.0.1"]])

        def resolver(host, port):
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

        client = self.client(resolver=resolver)
        self.assertEqual(DATA, self.fetch(server.url(host="source.example"), client))


class TestRedirects(ClientCase):
    def named(self, **values):
        """Return a client that may reach the host source.example, which is this machine, and no other."""
        return self.client(allowed_hosts=["source.example"], resolver=lambda host, port: ["127.0.0.1"], **values)

    def test_redirects_are_followed_also_relative_ones(self):
        server = self.serve(redirect("/b?x=1"), redirect("c"), response(DATA))
        self.assertEqual(DATA, self.fetch(server.url("/dir/a")))
        self.assertEqual(["/dir/a", "/b?x=1", "/c"], [head.split()[1] for head in server.asked])

    def test_redirects_into_the_network_of_the_service_are_refused(self):
        for location in (
            *("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "http://[::1]/", "http://2130706433/"),
            *("file:///etc/passwd", "ftp://source.example/", "http://other.example/", "http://x@source.example/"),
        ):
            server = self.serve(redirect(location), response(DATA))
            url = server.url(host="source.example")
            text = str(self.assertRaises(AddressRefused, self.fetch, url, self.named()))
            self.assertIn("does not pass filtering", text)
            self.assertEqual(1, len(server.asked))

    def test_redirects_have_an_end(self):
        server = self.serve(redirect("/again"))
        self.assertIn("5", str(self.assertRaises(MaxRedirectsExceeded, self.fetch, server.url())))
        self.assertEqual(6, len(server.asked))

    def test_a_name_is_resolved_once_for_each_request_and_that_address_is_used(self):
        server = self.serve(response(DATA))
        asked = []

        def rebinding(host, port):
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

        client = self.client(resolver=rebinding)
        self.assertEqual(DATA, self.fetch(server.url(host="source.example"), client))
        self.assertEqual(["source.example"], asked)
        self.assertIn(f"Host: source.example:{server.port}\r\n", server.asked[0])

    def test_a_name_that_changes_before_a_redirect_or_a_resumption_is_checked_anew(self):
        for first in (redirect("/b"), response(DATA, ETag='"v1"')[:-5]):
            addresses = iter([["127.0.0.1"], ["169.254.169.254"]])
            client = self.client(resolver=lambda host, port, addresses=addresses: next(addresses))
            url = self.serve(first, response(DATA)).url(host="source.example")
            self.assertRaises(AddressRefused, self.fetch, url, client)

    def test_headers_of_the_caller_stay_with_the_server_they_were_meant_for(self):
        other = self.serve(response(DATA))
        server = self.serve(redirect("/b"), redirect(other.url()))
        self.assertEqual(DATA, self.fetch(server.url(), headers={"X-Auth-Token": "secret"}))
        self.assertEqual([True, True], ["X-Auth-Token: secret" in head for head in server.asked])
        self.assertNotIn("secret", other.asked[0])

    def test_proxies_of_the_environment_are_not_used(self):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            self.useFixture(fixtures.EnvironmentVariable(name, "http://127.0.0.1:9/"))
        self.assertEqual(DATA, self.fetch(self.serve(response(DATA)).url()))

    def test_the_next_address_is_tried_when_one_takes_no_connection(self):
        server = self.serve(response(DATA))
        client = self.client(allowed_hosts=["127.0.0.0/8"], resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])
        self.assertEqual(DATA, self.fetch(server.url(host="source.example"), client))


class TestTls(ClientCase):
    def setUp(self):
        super().setUp()
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.server_side, self.trusted = tls_pair(directory)

    def fetch_named(self, server, host="source.example", trusted=None):
        tls = ssl.create_default_context(cafile=trusted)
        client = self.client(tls=tls, resolver=lambda host, port: ["127.0.0.1"])
        return self.fetch(server.url(host=host), client)

    def test_the_certificate_must_be_the_hosts_and_not_the_addresses(self):
        server = self.serve(response(DATA), tls=self.server_side)
        self.assertEqual(DATA, self.fetch_named(server, trusted=self.trusted))
        for host in ("other.example", "127.0.0.1"):
            text = str(self.assertRaises(FetchRefused, self.fetch_named, server, host, self.trusted))
            self.assertIn(f"certificate of {host}", text)

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        server = self.serve(response(DATA), tls=self.server_side)
        self.assertRaises(FetchRefused, self.fetch_named, server)

    def test_a_server_without_tls_is_broken(self):
        server = self.serve(response(DATA))
        client = self.client(timeouts=Timeouts(idle=0.2), retries=0)
        self.assertRaises(FetchBroken, self.fetch, server.url().replace("http:", "https:"), client)

    def test_data_that_ends_without_a_farewell_is_broken(self):
        server = self.serve(response(DATA, Content_Length=None), tls=self.server_side)
        self.assertRaises(NotResumable, self.fetch_named, server, trusted=self.trusted)

    def test_a_file_of_certificates_that_is_missing_stops_the_start(self):
        configuration = conf.load()
        configuration.set_override("ca_certificates_file", "/nonexistent.pem", "web_download")
        self.assertRaises(ConfigurationError, Downloads.from_config, configuration)


class TestTimeouts(ClientCase):
    def test_a_server_that_stalls_is_given_up(self):
        for stalled in (b"", b"HTTP/1.1 200 OK\r\nX: ", response(DATA)[:-100]):
            server = RawServer()
            server.answers = (server.begin_and_stall(stalled),)
            self.useFixture(server)
            client = self.client(timeouts=Timeouts(idle=0.05), retries=0)
            text = str(self.assertRaises(FetchBroken, self.fetch, server.url(), client))
            self.assertIn("too long", text)

    def test_what_came_before_a_stall_is_kept(self):
        server = RawServer()
        start = 2 * MIB + 77
        stalled = response(DATA, ETag='"v1"')[: -len(DATA) + start]
        server.answers = (server.begin_and_stall(stalled), part(DATA, start))
        self.useFixture(server)
        self.assertEqual(DATA, self.fetch(server.url(), self.client(timeouts=Timeouts(idle=1))))

    def test_the_time_of_a_fetch_is_limited_whatever_comes(self):
        now = [0.0]
        limit = RateLimit(Timeouts(total=100, idle=60), lambda: now[0])
        self.assertEqual(60, limit.timeout())
        now[0] = 70
        self.assertEqual(30, limit.timeout())
        now[0] = 100
        self.assertIn("100 seconds", str(self.assertRaises(FetchRefused, limit.timeout)))

    def test_a_rate_below_the_least_is_found_out_after_a_window(self):
        limit = RateLimit(Timeouts(rate=1000, window=60))
        limit.note(59_000, 59)
        limit.note(1_500, 1)
        limit.note(0, 59)
        self.assertIn("1000 bytes per second", str(self.assertRaises(FetchBroken, limit.note, 59_000, 1)))

    def test_a_slow_reader_is_not_taken_for_a_slow_server(self):
        limit = RateLimit(Timeouts(rate=10**9, window=60))
        for _ in range(1000):
            limit.note(1, 0.05)

    def test_the_clock_runs_on_over_all_attempts(self):
        now = [0.0]
        client = self.client(timeouts=Timeouts(total=10), retries=9, clock=lambda: now[0])

        def pause(seconds):
            now[0] += 6

        self.assertRaises(FetchRefused, self.open, self.serve(b"").url(), client, pause=pause)

    def test_limits_come_from_the_configuration(self):
        configuration = conf.load()
        configuration.set_override("max_size", 10, "web_download")
        configuration.set_override("allowed_hosts", ["127.0.0.1"], "import_filtering_opts")
        configuration.set_override("allowed_ports", [], "import_filtering_opts")
        downloads = Downloads.from_config(configuration)
        self.assertEqual(b"1234567890", b"".join(downloads.open(self.serve(response(b"1234567890")).url())))
        self.assertRaises(LimitExceeded, downloads.open, self.serve(response(b"12345678901")).url())
