"""The mean of the weights of pipelines as one: of those trained on from the same one and, if named, of that one.

    python scripts/average.py training/student training/student-0/model-last training/student-1/model-last \\
        training/teacher-0/model-last

Where they all began at the same weights, their mean is often better than each of them, at no cost in speed (Wortsman et
al. 2022, "Model soups").
"""

from __future__ import annotations

from pathlib import Path

import typer
from spacy.util import load_model_from_path

from clinner_spacy.checkpoints.pipeline_dir import FACTORY


def main(output: Path, trained: list[Path]) -> None:
    pipelines = [load_model_from_path(path) for path in trained]
    for nodes in zip(*(nlp.get_pipe(FACTORY).model.walk() for nlp in pipelines), strict=True):
        for name in nodes[0].param_names:
            if nodes[0].has_param(name):
                nodes[0].set_param(name, sum(node.get_param(name) for node in nodes) / len(nodes))
    pipelines[0].to_disk(output)


if __name__ == "__main__":
    typer.run(main)
