"""``multiclin link``: terminologies made ready for the component "concept_linker"."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clinner_spacy.errors import ClinnerError

#: What is shown of what is known about an index, in this order.
SHOWN = ("source", "fingerprint", "lang", "terms", "duplicates", "mentions", "names", "codes", "content")


class Codes(StrEnum):
    """Where brat files have the codes of mentions."""

    normalizations = "normalizations"
    notes = "notes"


class Pooling(StrEnum):
    """The vector that an encoder has for a text: that of its first token, or the mean of all."""

    cls = "cls"
    mean = "mean"


Index = Annotated[Path, typer.Argument(metavar="INDEX", help="A folder that link build made.", show_default=False)]
Lang = Annotated[str | None, typer.Option(help="Language of the text, as es; by default the index's.")]


def register(app: typer.Typer) -> None:
    link = typer.Typer(
        name="link", no_args_is_help=True, rich_markup_mode=None, help="Terminologies: codes for mentions."
    )
    link.command("build")(build_command)
    link.command("info")(info_command)
    link.command("query")(query_command)
    app.add_typer(link)


def build_command(
    terms: Annotated[
        Path, typer.Argument(metavar="TERMS", help="A table: .tsv, .csv or .parquet.", show_default=False)
    ],
    index: Annotated[Path, typer.Argument(metavar="INDEX", help="A new folder.", show_default=False)],
    lang: Annotated[str, typer.Option(help="Language of terms that name none, as es.", show_default=False)],
    mentions: Annotated[
        list[Path] | None,
        typer.Option(metavar="CORPUS", help="A corpus with codes, brat or .spacy; its mentions join in; repeatable."),
    ] = None,
    codes: Annotated[Codes, typer.Option(help="Where brat files have codes.")] = Codes.normalizations,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="An encoder of names: a directory, or a hub name, as SapBERT's.")
    ] = None,
    pooling: Annotated[Pooling | None, typer.Option(help="The encoder's vector of a text; see its card.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub encoder.")] = None,
    encoding: Annotated[str, typer.Option(metavar="NAME", help="Of TERMS, as cp1252 or utf-16.")] = "utf-8",
) -> None:
    """Index a terminology, for concept_linker to open at once and processes to share.

    TERMS has the columns code and term and may have label, lang and preferred (0 or 1). With --mentions, what people
    annotated there joins the terms as synonyms and is in INDEX, so name only corpora whose mentions may be read by
    whoever gets it; and a ranking is learned from it, unless there is an encoder. With --encoder, names are also found
    by what they mean; the encoder is stored in INDEX.

    \b
    Examples:
      multiclin link build snomed.tsv snomed/ --lang es
      multiclin link build icdo.tsv icdo/ --lang es --mentions cantemist/train --codes notes
      multiclin link build snomed.tsv snomed/ --lang es --encoder ICB-UMA/ClinLinker-KB-P --pooling cls
    """
    from clinner_spacy.files import making_folder  # spaCy is slow to import
    from clinner_spacy.linking.corpus import read_annotated
    from clinner_spacy.linking.index import build_index, folded_names
    from clinner_spacy.linking.learn import learn_ranking
    from clinner_spacy.linking.source import Source
    from clinner_spacy.linking.store import save_source
    from clinner_spacy.linking.terminology import count_mentions, read_terminology

    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise ClinnerError(f"{index} exists already: give the name of a new folder.")
    if (encoder is None) != (pooling is None) or (revision is not None and encoder is None):
        raise ClinnerError("--encoder and --pooling go together, and --revision with both; name the encoder's pooling.")
    terminology = read_terminology(terms, encoding)
    annotated = [mention for corpus in mentions or () for mention in read_annotated(corpus, codes.value)]
    built = build_index(terminology, lang=lang, mentions=count_mentions(mention[1:] for mention in annotated))
    ranker = learn_ranking(terminology, annotated, lang) if encoder is None else None
    meanings = None
    if encoder is not None and pooling is not None:
        from clinner_spacy.linking.vectors import Meanings, build_vectors, load_text_encoder

        held = load_text_encoder(encoder, pooling.value, revision)
        meanings = Meanings(held, build_vectors(held, folded_names(built)))
    with making_folder(index) as folder:
        save_source(Source(built, ranker, meanings), folder)
    typer.echo(f"{index}: {built.about['names']} names of {built.about['codes']} codes")
    if terminology.duplicates:
        typer.echo(f"{terminology.duplicates} rows of {terms} say again what another says; kept once")
    if annotated:
        learned = "; a ranking learned from them" if ranker is not None else ""
        typer.echo(f"{len(annotated)} annotated mentions are among them{learned}")
        codes_of_mentions = {mention.code for mention in annotated}
        new = len(codes_of_mentions - {term.code for term in terminology.terms})
        if new:
            typer.echo(f"{new} of the {len(codes_of_mentions)} codes of the mentions are not in {terms}")


def info_command(index: Index) -> None:
    """Say what an index holds, after comparing its checksums.

    \b
    Example:
      multiclin link info snomed/
    """
    from clinner_spacy.linking.store import open_source

    source = open_source(index, check=True)
    about = {key: source.index.about.get(key) for key in SHOWN}
    about["labels"] = ", ".join(sorted(filter(None, source.index.labels.texts()))[:20])
    about["ranking"] = "learned" if source.ranker is not None else "by likeness"
    if source.meanings is not None:
        width, encoder = source.meanings.vectors.matrix.shape[1], source.meanings.encoder
        at = f" at {encoder.revision}" if encoder.revision else ""
        about["encoder"] = f"{encoder.name}{at}, {encoder.pooling}, {width} numbers a name"
    about["size"] = f"{sum(file.stat().st_size for file in index.iterdir()) / 1e6:.1f} MB"
    for key, value in about.items():
        if value not in (None, ""):
            typer.echo(f"{key:12} {value:,}" if isinstance(value, int) else f"{key:12} {value}")


def query_command(
    index: Index,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A mention.", show_default=False)],
    lang: Lang = None,
    label: Annotated[str, typer.Option(help="The label of the mention, as DISEASE.")] = "",
    k: Annotated[int, typer.Option("-k", min=1, help="How many candidates.")] = 5,
) -> None:
    """Show the candidates of one mention: code, score and term.

    \b
    Example:
      multiclin link query snomed/ "diabetes tipo 2"
    """
    from clinner_spacy.linking.linker import Linker, Mention
    from clinner_spacy.linking.store import open_source

    source = open_source(index)
    (found,) = Linker(source.index, lang=lang or "", ranker=source.ranker, meanings=source.meanings)(
        [Mention(text, label)], k
    )
    if not found:
        typer.echo("nothing alike", err=True)
    for candidate in found:
        typer.echo(f"{candidate.code}\t{candidate.score:.3f}\t{candidate.term}")
