"""The guarded client: everything that is fetched from an address that a user can name goes through it.

``client.WebClient`` asks a judge about the address of every request, connects to the addresses that were checked and
to no other, and bounds time, rate and size. ``fetch.Fetch`` adds further attempts.
"""
