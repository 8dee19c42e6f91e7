"""The URI grammars of storage locations, one file for each family of schemes (api-uris).

Grammars only: no module here opens a connection or needs the library of a backend.
"""
