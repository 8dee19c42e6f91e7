"""The options of oslo.middleware's CORS filter: which pages may use the service."""

from oslo_config import cfg, types

from glance_mini_store.lists import BracketedList


def register(conf: cfg.ConfigOpts) -> None:
    """Make ``[cors]`` known to ``conf``, with lists that may stand in square brackets; may be repeated."""
    from oslo_middleware import cors  # only pipelines that need it pay for it

    conf.register_opts(cors.OPTS, "cors")
    for opt in cors.OPTS:
        if isinstance(opt.type, types.List) and (written := conf.cors[opt.dest]):
            read = BracketedList()(",".join(written))
            if read != written:
                conf.set_override(opt.dest, read, "cors")
