"""Where a command may write: never over what it reads, and over nothing else unless asked to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from clinner_spacy.errors import ClinnerError
from clinner_spacy.tables.formats import DASH


def check_outputs(
    output: str,
    relations: Path | None,
    inputs: Sequence[str | Path],
    *,
    overwrite: bool,
    extra: Sequence[str] = (),
) -> None:
    """As :func:`check_output`, of OUTPUT, which may be standard output, and of a table of relations beside it."""
    if output == DASH and overwrite and relations is None:
        raise ClinnerError("--overwrite is for files, and OUTPUT is standard output; leave it out.")
    for path in (output if output != DASH else None, relations):
        if path is not None:
            check_output(Path(path), inputs, overwrite=overwrite, extra=extra)
    if relations is not None and output != DASH and relations.resolve() == Path(output).resolve():
        raise ClinnerError(f"--relations {relations} is OUTPUT; name another file.")


def check_output(output: Path, inputs: Iterable[str | Path], *, overwrite: bool, extra: Sequence[str] = ()) -> None:
    """Raise ClinnerError if ``output`` is one of ``inputs``, looks like a note, or is there and may not be replaced.

    extra: arguments beyond INPUT and OUTPUT, which the shell makes of ``notes/*.txt``.
    """
    if extra:
        raise ClinnerError(
            f"{len(extra) + 2} names are given where INPUT and OUTPUT are expected; the shell makes many names of a "
            "pattern, as notes/*.txt: name the folder, as notes/, then the output."
        )
    if output.suffix.lower() == ".txt":
        raise ClinnerError(
            f"OUTPUT {output} ends in .txt as a note does, which a pattern, as notes/*.txt, can bring about: name the "
            "folder of the notes, then an output that ends otherwise."
        )
    if not output.exists():
        return
    if any(Path(path).exists() and output.samefile(path) for path in inputs):
        raise ClinnerError(f"{output} is also read from; name another output.")
    if output.is_file() and not overwrite:
        raise ClinnerError(f"{output} is there already; name another output, or add --overwrite.")


def check_folder(output: Path, source: Path, *, overwrite: bool) -> None:
    """Raise ClinnerError if the new folder ``output`` would lie in the folder ``source`` that is read, or could only be
    made by replacing another."""
    if overwrite:
        raise ClinnerError("--overwrite replaces files, never folders; name a new folder, without --overwrite.")
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise ClinnerError(f"{output} lies in {source}, where texts are read: its copies would be notes; name another.")
