"""Tiny checkpoints in the formats of publishers' own classes, and what their description says, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModel

from tests.tiny import TEXT, config, drawn, save_encoder, tokenizer

#: More than one window of 64 pieces, with words that a byte-level tokenizer cuts into single bytes.
LONG = "\n".join(TEXT * 3) + "\nČeský pacient: těžká dušnost, édème…"


def save(path: Path, kind: str, prefix: str, heads: dict[str, Tensor], fields: dict[str, Any]) -> Path:
    """A directory with an encoder under ``prefix`` beside ``heads``, its config changed by ``fields``."""
    path.mkdir(parents=True, exist_ok=True)
    encoder = drawn(AutoModel.from_config(config(kind)), torch.initial_seed())
    names = {name for name in encoder.state_dict() if not name.startswith("pooler.")}
    state = {f"{prefix}.{name}": value for name, value in encoder.state_dict().items() if name in names}
    save_file({name: value.clone() for name, value in (state | heads).items()}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(encoder.config.to_dict() | fields))
    tokenizer(kind).save(str(path / "tokenizer.json"))
    return path


def linear(name: str, n_out: int, n_in: int = 16) -> dict[str, Tensor]:
    """A layer whose outputs spread by 2 about small biases: on most texts some pieces have each tag."""
    return {f"{name}.weight": torch.randn(n_out, n_in) / n_in**0.5 * 2, f"{name}.bias": torch.randn(n_out) / 4}


def crf(name: str, n_tags: int = 3) -> dict[str, Tensor]:
    """A chain that counts beside the emissions without holding all pieces at one tag."""
    return {
        f"{name}.start_transitions": torch.randn(n_tags) / 2,
        f"{name}.end_transitions": torch.randn(n_tags) / 2,
        f"{name}.transitions": torch.randn(n_tags, n_tags) / 2,
    }


LABELS = ("SYMPTOM", "DISEASE")


def multihead(
    path: Path,
    kind: str = "roberta",
    prefix: str = "roberta",
    model_type: str = "crf-tagger",
    n_layers: int = 2,
    labels: Sequence[str] = LABELS,
    **fields: Any,
) -> Path:
    """IEETA's Multi-Head CRF."""
    heads: dict[str, Tensor] = {}
    for label in labels:
        for n in range(n_layers):
            heads |= linear(f"{label}_dense_{n}", 16)
        heads |= linear(f"{label}_classifier", 3) | crf(f"{label}_crf")
    given = {"classes": list(labels), "number_of_layer_per_head": n_layers, "context_size": 8}
    return save(path, kind, prefix, heads, {**given, "model_type": model_type, "architectures": ["X"], **fields})


def linear_crf(path: Path) -> Path:
    """SU-FMI-AI: a linear layer and a CRF, the encoder under its own prefix, O the last tag."""
    tags = {"id2label": {"0": "B-PROCEDURE", "1": "I-PROCEDURE", "2": "O"}}
    return save(path, "xlm-roberta", "transformer", linear("classifier", 3) | crf("crf"), tags)


def ner_lab(path: Path) -> Path:
    """The BSC's ner_lab: no config beside the weights, forbidden transitions in buffers; its base lies beside it."""
    invalid = {"invalid_start_transitions": torch.tensor([False, False, True])}
    invalid["invalid_transitions"] = torch.tensor([[False, False, True], [False] * 3, [False] * 3])
    save(path, "roberta", "backbone", linear("classifier", 3) | crf("crf") | invalid, {})
    (path / "config.json").unlink()
    base = path.parent / f"{path.name}-base"
    save_encoder(base, "roberta", weights=False)
    encoding = {"max_length": 64, "strategy": "greedy", "label2id": {"O": 0, "B-DISEASE": 1, "I-DISEASE": 2}}
    model = {"architecture": "crf", "base_model": str(base)}
    (path / "encoding.json").write_text(json.dumps({"encoding": encoding, "model": model}))
    return path


def cardioner(path: Path, hidden: Sequence[int] = (), with_crf: bool = True) -> Path:
    """CardioNER.nl with one head, a Sequential of linear layers."""
    sizes, heads = [16, *hidden], {}
    for n, (n_in, n_out) in enumerate(zip(sizes, [*hidden, 3], strict=True)):
        heads |= linear(f"classifier.{3 * n if hidden else 1}", n_out, n_in)
    name = "TokenClassificationModelCRF" if with_crf else "TokenClassificationModel"
    tags = {"id2label": {"0": "O", "1": "B-MED", "2": "I-MED"}, "architectures": [name]}
    fields = tags | {"classifier_hidden_layers": list(hidden)}
    return save(path, "roberta", "roberta", heads | (crf("crf") if with_crf else {}), fields)


def cardioner_multihead(path: Path) -> Path:
    kind = {"architectures": ["TokenClassificationModelMultiHeadCRF"], "entity_types": list(LABELS)}
    return multihead(path, "roberta", model_type="multihead-crf-tagger", number_of_layers_per_head=2, **kind)


def cardioner_multilabel(path: Path) -> Path:
    """Labels each true or not."""
    names = ["O", "B-DISEASE", "I-DISEASE", "B-MED", "I-MED"]
    kind = {"architectures": ["MultiLabelTokenClassificationModelCustom"], "id2label": dict(enumerate(names))}
    return save(path, "roberta", "backbone", linear("classifier.1", 5), kind)


CLTL_TAGS = ["O", *(f"{prefix}-{label}" for label in ("DISEASE", "SYMPTOM", "PROCEDURE") for prefix in "BI")]


def cltl(path: Path) -> Path:
    """CLTL: seven tags in one head."""
    kind = {"architectures": ["RobertaForTokenClassification"], "id2label": dict(enumerate(CLTL_TAGS))}
    return save(path, "roberta", "roberta", linear("classifier", 7), kind)


#: Each family of formats, small; what :func:`clinner_spacy.checkpoints.load_checkpoint` takes.
FAMILIES: dict[str, Callable[[Path], Path]] = {
    "Multi-Head CRF (IEETA)": multihead,
    "token classification with a CRF": linear_crf,
    "CRF of the BSC's ner_lab": ner_lab,
    "CardioNER.nl, TokenClassificationModelCRF": cardioner,
    "CardioNER.nl, TokenClassificationModelMultiHeadCRF": cardioner_multihead,
    "CardioNER.nl, MultiLabelTokenClassificationModelCustom": cardioner_multilabel,
    "token classification": cltl,
}


class Reference:
    """A checkpoint's encoder and tokenizer, used without any code of ours."""

    def __init__(self, path: Path, kind: str, prefix: str) -> None:
        from safetensors.torch import load_file

        self.weights = load_file(path / "model.safetensors")
        self.encoder = AutoModel.from_config(config(kind)).eval()
        own = {k.removeprefix(prefix + "."): v for k, v in self.weights.items() if k.startswith(prefix + ".")}
        self.encoder.load_state_dict(own, strict=False)
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        empty = self.tokenizer.encode("")
        self.begin, self.end, self.pad = empty.ids[0], empty.ids[-1], 1

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    @torch.no_grad()
    def vectors(self, ids: list[int], n_hidden: int = 0) -> Tensor:
        """float (len(ids) + n_hidden + 2, width): special tokens around, pads that are not seen before the pieces."""
        row = torch.tensor([[self.begin, *[self.pad] * n_hidden, *ids, self.end]])
        mask = torch.ones_like(row)
        mask[0, 1 : 1 + n_hidden] = 0
        return self.encoder(input_ids=row, attention_mask=mask)[0][0]

    def linear(self, name: str, X: Tensor) -> Tensor:
        return X @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def chain(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        parts = ("transitions", "start_transitions", "end_transitions")
        return tuple(self.weights[f"{name}.{part}"] for part in parts)  # type: ignore[return-value]


def viterbi(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> list[int]:
    score, back = start + emissions[0], []
    for row in emissions[1:]:
        best = (score[:, None] + transitions).max(dim=0)
        score = best.values + row
        back.append(best.indices)
    path = [int((score + end).argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1]


def marginals(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    forward, backward = [start + emissions[0]], [end]
    for row in emissions[1:]:
        forward.append((forward[-1][:, None] + transitions).logsumexp(dim=0) + row)
    for row in reversed(emissions[1:]):
        backward.append((transitions + row + backward[-1]).logsumexp(dim=1))
    return (torch.stack(forward) + torch.stack(backward[::-1])).softmax(dim=1)


def runs(tags: list[int]) -> list[tuple[int, int]]:
    """First and last piece of each mention of O, B, I (0, 1, 2): at B, or at I after O, one begins."""
    spans: list[tuple[int, int]] = []
    before = 0
    for n, tag in enumerate(tags):
        if tag == 1 or (tag == 2 and before == 0):
            spans.append((n, n))
        elif tag == 2:
            spans[-1] = (spans[-1][0], n)
        before = tag
    return spans


def mentions(tags: list[int], offsets: list[tuple[int, int]], label: str) -> set[tuple[int, int, str]]:
    """The mentions in characters."""
    return {(offsets[first][0], offsets[last][1], label) for first, last in runs(tags)}
