"""The options of the ``sheepdog`` driver."""

from oslo_config import cfg

OPTIONS = (
    cfg.StrOpt(
        "sheepdog_store_address",
        default="127.0.0.1",
        help="Address of the Sheepdog node that new data is sent to. It becomes a part of new locations.",
    ),
    cfg.PortOpt("sheepdog_store_port", default=7000, min=1, help="Port of that node."),
    cfg.IntOpt(
        "sheepdog_store_chunk_size",
        default=64,
        min=1,
        max=4096,
        help="MiB that one call of dog writes. It bounds no memory: data passes through a pipe.",
    ),
    cfg.StrOpt(
        "sheepdog_dog_path",
        default="dog",
        help="The program dog: a path, or a name that is looked up in PATH.",
    ),
    cfg.FloatOpt(
        "sheepdog_timeout",
        default=60.0,
        min=0.1,
        help="Seconds that a call of dog may take, or may pass without a byte where it reads or writes data. Then it "
        "is killed.",
    ),
)
