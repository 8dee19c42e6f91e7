"""``glance-mini push`` and ``glance-mini pull``: the client's side of incremental images."""
