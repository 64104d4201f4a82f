"""The one place where identifiers are quoted, for both databases (their rules are the same)."""


def quoted(name: str) -> str:
    """``name`` as a double-quoted SQL identifier. NUL is refused, for neither database can hold it."""
    if "\x00" in name:
        raise ValueError("an identifier cannot contain a NUL character")
    return '"' + name.replace('"', '""') + '"'
