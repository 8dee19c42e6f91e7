"""Options whose value is a list, written as operators write lists: with square brackets around it or without."""

from copy import copy

from oslo_config import cfg, types


class BracketedList(types.List):
    """The type of such a value. Strings in it may be quoted. Brackets of an item stay, as in ``[::1]:80,[::2]:80``."""

    def __init__(self, item_type: types.ConfigType | None = None) -> None:
        super().__init__(item_type=item_type or types.String(quotes=True), type_name="list value")

    def __call__(self, value: object) -> list[object]:
        items: list[object] = super().__call__(_without_brackets(value.strip()) if isinstance(value, str) else value)
        return items


class ListOpt(cfg.ListOpt):
    """``cfg.ListOpt`` whose value may stand in square brackets."""

    def __init__(self, name: str, item_type: types.ConfigType | None = None, **settings: object) -> None:
        super().__init__(name, **settings)
        self.type = BracketedList(item_type)


def with_brackets(opt: cfg.Opt) -> cfg.Opt:
    """Return ``opt``; if its value is a list, a copy of it whose value may stand in square brackets."""
    if type(opt.type) is not types.List or opt.type.bounds:
        return opt
    items = opt.type.item_type
    opt = copy(opt)
    opt.type = BracketedList(None if items == types.String() else items)
    return opt


def _without_brackets(text: str) -> str:
    inner = text[1:-1]
    is_enclosed = text.startswith("[") and text.endswith("]") and "]" not in inner.partition("[")[0]
    return inner if is_enclosed else text
