"""The contract for single images: create, get, change, delete, restore, purge."""

from dataclasses import replace
from datetime import timedelta

from testtools import TestCase
from testtools.matchers import Equals

from glance_mini.domain import errors
from glance_mini.domain.changes import LocationChange, PropertyChange, TagChange
from glance_mini.domain.image import Location
from glance_mini.domain.query import EVERYTHING
from glance_mini.domain.quota import IMAGE_COUNT_TOTAL, NO_LIMITS, Limits
from tests.contract.db.samples import (
    LATER,
    MINE,
    MUCH_LATER,
    NOBODY,
    NOW,
    THEIRS,
    ContractBase,
    location,
    sample,
    stored,
)

AWKWARD = 'quote " backslash \\ newline \n tab \t bell \x07 emoji \U0001f600 e\u0301 "'


class ImageContract(ContractBase, TestCase if False else object):  # type: ignore[misc]
    pass
