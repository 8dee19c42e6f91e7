"""The guarded client: all requests to addresses that a user can name go through it.

``client.WebClient`` lets a judge check the address of every request, connects only to checked addresses, and limits
time, rate and size. ``fetch.Fetch`` adds retries.
"""
