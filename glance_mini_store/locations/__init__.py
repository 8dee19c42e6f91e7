"""The URI grammars of storage locations, one file for each family of schemes (api-uris).

No module here opens a connection or needs the library of a backend.
"""
