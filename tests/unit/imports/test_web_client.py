"""What is fetched from web servers, and what of their answers is taken (appendix B 45)."""

import datetime
import hashlib
import socket
import ssl
import struct
import tracemalloc
from pathlib import Path

import fixtures
import testtools

from glance_mini import conf
from glance_mini.domain.errors import LimitExceeded
from glance_mini.imports.fetch import NotResumable
from glance_mini.imports.pace import FetchBroken, FetchRefused, Patience
from glance_mini.imports.uri_filter import Choice, UriFilter, UriRefused
from glance_mini.imports.web_client import FetchLimits, WebClient
from tests.unit.imports.certificates import make_certificate, server_context
from tests.unit.imports.raw_server import RawServer, response

MIB = 1024 * 1024
DATA = bytes(range(256)) * 4 * 1024 * 5 // 2 if False else bytes(range(256)) * 10240
REDIRECT = "302 Found"
