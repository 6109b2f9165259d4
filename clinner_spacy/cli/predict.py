"""``multiclin predict``: notes -> what was found in them, in one of eight formats."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.cli import options
from clinner_spacy.cli.engine import Engine, EngineOf, Workers, predicted_by_engine
from clinner_spacy.tables.formats import Format, Input


def register(app: typer.Typer) -> None:
    app.command("predict", context_settings=options.ANY_NUMBER)(predict_command)


def predict_command(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A directory of .txt or .parquet files, one file, a table, or -.")
    ],
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="A file, a new folder (its name ends in /), or -.")],
    model: options.Models = options.DEFAULT_MODELS,
    base_model: options.BaseModel = None,
    revision: options.Revision = None,
    device: options.Device = None,
    precision: options.PrecisionOf = None,
    lang: options.Lang = None,
    words: options.WordsBy = options.Words.spacy,
    task: options.Task = None,
    label: options.Label = None,
    threshold: options.Threshold = None,
    assertion: options.Assertion = False,
    link: options.Link = None,
    link_threshold: options.LinkThreshold = None,
    input_format: Annotated[Input | None, typer.Option(help="How to read INPUT; default: by its extension.")] = None,
    text_column: options.TextColumn = None,
    id_column: options.IdColumn = None,
    keep: Annotated[str | None, typer.Option(metavar="A,B", help="Columns of the table that pass through.")] = None,
    allow_duplicates: Annotated[bool, typer.Option("--allow-duplicates", help="Of ids in a table.")] = False,
    format: Annotated[Format | None, typer.Option(help="What to write; default: by OUTPUT's extension.")] = None,
    scores: Annotated[bool, typer.Option("--scores", help="All that is known of mentions in a TSV, too.")] = False,
    part_notes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Notes in each part of a folder; default 5000.")
    ] = None,
    relations: Annotated[
        Path | None,
        typer.Option(metavar="OUT.rel.tsv", help="A table of relations, too, if the pipeline finds them."),
    ] = None,
    n_process: Annotated[int, typer.Option(min=1, metavar="N", help="Processes that read at the same time.")] = 1,
    encoding: options.Encoding = "utf-8",
    overwrite: options.Overwrite = False,
    engine: EngineOf = Engine.plain,
    workers: Workers = None,
) -> None:
    """Find mentions in notes and write them as a table.

    INPUT is a directory with .txt files, at any depth, one file, or - for standard input; or a table of notes
    (.parquet, .jsonl, .csv, .tsv; a directory of Parquet files), whose texts and ids are in --text-column and
    --id-column. OUTPUT's extension says what is written: .tsv, .csv, .jsonl, .parquet, .spacy; --format chooses brat,
    docbin, dt4h and label-studio, too. A TSV has the columns filename (the note's name), label, start_span, end_span
    and text, and with --scores all others; offsets count characters of the decoded text, from 0, end exclusive. With
    --format brat OUTPUT is a new directory with a copy of each text (UTF-8) and its .ann; where the pipeline finds
    relations, with R lines. With --assertion the table has more columns, negated, uncertain, family, historical and
    hypothetical, 0 or 1, and brat files have A lines; it needs --lang. With --link it has code and code_score, and brat
    files N lines. Texts that cannot be read are named at the end,
    with exit code 1; the others are in OUTPUT.

    A folder, as found/, is written in parts (Parquet): a run that was killed goes on where it stopped when the same
    command is given again.

    \b
    Examples:
      multiclin predict notes/ found.tsv
      multiclin predict notes/ found.tsv --lang es --task disease --threshold 0.8
      multiclin predict notes.parquet found.parquet --text-column text --id-column note_id --keep patient_id,date
      multiclin predict notes.parquet found/ --n-process 4
      multiclin predict notes/ brat/ --format brat --model training/model-best
      multiclin predict notes/ found.tsv --lang es --assertion
      multiclin predict tables/ found/ --engine ray --workers 4
      multiclin predict notes/ found.tsv --relations found.rel.tsv --model training/with-relations
      multiclin predict - - --input-format jsonl --format jsonl < notes.jsonl
    """
    if predicted_by_engine(context):
        return
    from clinner_spacy.assertion.categories import ATTRIBUTES
    from clinner_spacy.cli.annotate import annotate_texts, with_progress  # spaCy is slow to import
    from clinner_spacy.cli.model import build_nlp
    from clinner_spacy.cli.outputs import check_outputs
    from clinner_spacy.cli.relations import recorded, require_relations
    from clinner_spacy.cli.sinks import Asked, Target, layout_of, opened_sink
    from clinner_spacy.cli.texts import TableOptions, open_texts, report_unread
    from clinner_spacy.corpora.brat import check_labels
    from clinner_spacy.pipeline.components import labels_of, relation_labels
    from clinner_spacy.tables.formats import output_format

    check_outputs(output, relations, [source], overwrite=overwrite, extra=context.args)
    target = Target(output, output_format(output, format), scores, part_notes)
    columns = TableOptions(text_column, id_column, keep, allow_duplicates)
    target.check(source, columns, relations, overwrite)
    texts = open_texts(source, encoding, input_format, columns, keep_all=target.format is Format.dt4h)
    check_outputs(output, relations, texts.paths, overwrite=overwrite)
    nlp = build_nlp(
        model,
        base_model=base_model,
        revision=revision,
        device=device,
        precision=precision,
        lang=lang,
        words=words,
        task=task,
        label=label,
        threshold=threshold,
        assertion=assertion,
        link=link,
        link_threshold=link_threshold,
    )
    labels = labels_of(nlp, task)
    if target.format is Format.brat:  # before hours of reading, not after
        check_labels([label for _, label in labels] + relation_labels(nlp), {})
    layout = layout_of(nlp, texts.types, target.format)
    if relations is not None:
        require_relations(nlp)
    extra = [*(ATTRIBUTES if assertion else ()), *(("code", "code_score") if link is not None else ())]
    asked = Asked(", ".join(model), labels, extra, {"lang": lang, "words": words, "precision": precision})
    with ExitStack() as stack:  # closing them ends processes and removes half a table when something fails
        sink = stack.enter_context(opened_sink(target, texts, nlp, layout, asked))
        annotated = stack.enter_context(closing(annotate_texts(sink.texts(), nlp, labels, n_process)))
        if relations is not None:
            annotated = stack.enter_context(closing(recorded(annotated, relations, layout)))
        sink.write(with_progress(annotated, texts.total, sink.done))
    report_unread(texts)
