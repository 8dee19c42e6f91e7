"""Makes calls or holds conversations until there were as many as wanted or one of them shows a fault."""

import argparse
import itertools
import sys
import tempfile
import time

from tests.integration.fuzz import calls, conversation

EXAMPLES = 300
"""The most calls of each kind in one run of schemathesis, which makes some 18,000 of all kinds."""


def make_calls(count, seed, database):
    """Make at least ``count`` calls and return how many there were."""
    made = 0
    with calls.served(database) as service:
        for user, is_about_one_image in itertools.cycle(calls.CALLERS):
            made += calls.make_calls(service, user, is_about_one_image, EXAMPLES, seed)
            print(f"{made} calls, the last ones of {user} with the seed {seed}", flush=True)
            seed += 1
            if made >= count:
                break
    return made


def hold_conversations(count, seed, database):
    """Hold ``count`` conversations and return that."""
    with tempfile.TemporaryDirectory() as root, conversation.served(root, database) as service:
        conversation.converse(service, count, seed, is_shortened=True)
    return count


def main(words):
    """Return the exit code; a fault is an exception."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.fuzz", description=__doc__)
    parser.add_argument("what", choices=("calls", "conversations"))
    parser.add_argument("--count", type=int, required=True, help="how many there are at least")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9, help="the same seed does the same again")
    parser.add_argument("--database", help="the address of an empty database; SQLite without")
    arguments = parser.parse_args(words)
    print(f"The seed is {arguments.seed}.", flush=True)
    work = make_calls if arguments.what == "calls" else hold_conversations
    started = time.monotonic()
    count = work(arguments.count, arguments.seed, arguments.database)
    print(f"{count} {arguments.what} in {time.monotonic() - started:.0f} seconds without a fault.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
