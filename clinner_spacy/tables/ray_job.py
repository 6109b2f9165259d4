"""A directory of Parquet files with notes -> one with findings, read by the workers of Ray (extra ``ray``)."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinner_spacy.errors import ClinnerError
from clinner_spacy.files import making_folder
from clinner_spacy.tables.annotate import Annotate
from clinner_spacy.tables.parquet_notes import check_notes, find_parquet

#: Notes that a worker is given at once, which are read again if it dies.
NOTES_AT_ONCE = 1000


def predict_with_ray(source: str | Path, output: str | Path, settings: Mapping[str, Any], workers: int) -> None:
    """Read the notes in the Parquet files below ``source`` with ``workers`` processes and write their findings, in the
    order of the notes, to ``part-00000.parquet`` and so on in the new folder ``output``, which appears whole or not.

    settings: of :class:`~clinner_spacy.tables.annotate.Annotate`. Ray starts here and ends with the job, unless the
    variable ``RAY_ADDRESS`` names a cluster, whose machines then must see both folders under these paths.
    Raises ClinnerError for notes that cannot be read (columns, nulls, ids that stand there twice), a pipeline that
    cannot, an output that is there, and a job that fails.
    """
    ray = import_ray()
    annotate = Annotate(**settings)
    files = find_parquet(Path(source))
    first = check_notes(files, annotate)
    with making_folder(output) as folder:
        nothing = annotate(first)  # the pipeline fails here, if it does, before a worker starts
        with _told(), running(workers):
            notes = ray.data.read_parquet([str(file.resolve()) for file in files]).select_columns(annotate.columns)
            notes.repartition(target_num_rows_per_block=NOTES_AT_ONCE).map_batches(
                Annotate,
                fn_constructor_kwargs=dict(settings),
                batch_format="pyarrow",
                batch_size=None,
                compute=ray.data.ActorPoolStrategy(size=workers),
            ).write_parquet(str(folder))
        _name_parts(folder, nothing)


def import_ray() -> Any:
    """ray, which tells its makers nothing. Raises ClinnerError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # of its own bookkeeping: a job's are raised
    try:
        import ray.data
    except ImportError as error:
        raise ClinnerError('Ray is not installed; install it with pip install "clinner-spacy[ray]".') from error
    return ray


@contextmanager
def running(workers: int) -> Iterator[None]:
    """A Ray on this machine until the block ends, or the cluster that ``RAY_ADDRESS`` names."""
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        # A processor more than workers, so that there is one to read and write files with.
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers + 1, "include_dashboard": False}
        with _own_sigterm():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **local)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.raise_original_map_exception = True
    context.enable_progress_bars = sys.stderr.isatty()
    try:
        yield
    finally:
        if ours:
            ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep the program's own way to end on SIGTERM, if it has one, which Ray would replace."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _told() -> Iterator[None]:
    """An error of a worker as one sentence: its own if it is ours, else its kind, since it may hold words of a text."""
    try:
        yield
    except Exception as error:  # of Ray, of pyarrow, of the system
        cause = getattr(error, "cause", error)
        if isinstance(cause, ClinnerError):
            raise ClinnerError(str(cause)) from None
        raise ClinnerError(f"The Ray job failed ({type(cause).__name__}); nothing was written.") from None


def _name_parts(folder: Path, nothing: Any) -> None:
    """Number the parts, in the order of the notes; where nothing was found one part says which columns there are."""
    from pyarrow.parquet import write_table

    parts = sorted(folder.glob("*.parquet"))
    if not parts:
        write_table(nothing, folder / "part-00000.parquet")
    for number, part in enumerate(parts):
        part.rename(folder / f"part-{number:05}.parquet")
