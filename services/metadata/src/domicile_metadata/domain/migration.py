"""Which migrations are due. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Migration(msgspec.Struct, frozen=True):
    """``name``: ``NNNN_pre_purpose`` or ``NNNN_post_purpose``. ``checksum``: of ``text``, the statements."""

    name: str
    checksum: str
    text: str

    @property
    def is_post(self) -> bool:
        return self.name[5:].startswith("post_")

    @property
    def needs_transaction(self) -> bool:
        """Whether it is applied whole or not at all. Otherwise statement by statement, each of which may be repeated after a failure."""
        return not self.text.startswith("-- outside a transaction")


def pending(migrations: Sequence[Migration], applied: Mapping[str, str], *, trailing_post: bool) -> list[Migration]:
    """What to apply, in order; without ``trailing_post``, nothing behind the last ``pre``.

    A newer release's ``pre`` migrations may have been applied already: this release runs on them. Raises ``ValueError`` when ``applied``
    (name → checksum) does not fit otherwise: a file changed after it was applied, one was skipped, or one that this release does not know
    removed what it may use.
    """
    known = {migration.name: migration for migration in migrations}
    for name, checksum in applied.items():
        if name in known and known[name].checksum != checksum:
            raise ValueError(f"migration {name} was changed after it had been applied")
        if name not in known and (name < max(known) or "_pre_" not in name):
            raise ValueError(f"the database holds a migration that this release cannot run on: {name}")
    due = [migration for migration in migrations if migration.name not in applied]
    if due and applied and due[0].name < max(applied):
        raise ValueError(f"migration {due[0].name} comes before one that was applied already")
    if not trailing_post:
        while due and due[-1].is_post:
            due.pop()
    return due
