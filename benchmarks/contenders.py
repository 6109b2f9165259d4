"""What benchmarks/throughput.py compares: each way to find mentions of three tasks, and random weights for all of them.

A contender is a function that reads its model from the work folder and returns how it reads texts. Nothing but the
texts goes in, and all that a user gets (spans with labels and offsets) comes out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification, XLMRobertaModel

TASKS = ("disease", "symptom", "procedure")
VOCABULARY = 250_002
WINDOW, OVERLAP = 512, 128

#: Pieces that the tokenizer learns from the texts: as many a word as XLM-R's own has for these languages, about 1.5.
PIECES = 8000

#: Share of pieces that random heads take for part of a mention: about as many as there are in such texts.
INSIDE = 0.15

#: Takes texts, returns how many mentions it found in them.
Read = Callable[[Sequence[str]], int]


def build(work: Path, texts: Sequence[str]) -> None:
    """XLM-R base of full size with random weights: a multi-task file, and one single-task directory."""
    if (work / "tagger" / "model.safetensors").is_file():
        return
    base, tagger = work / "base", work / "tagger"
    for folder in (base, tagger):
        folder.mkdir(parents=True, exist_ok=True)
        _tokenizer(texts).save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    config = XLMRobertaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
    )
    config.save_pretrained(base)
    torch.manual_seed(0)
    encoder = XLMRobertaModel(config, add_pooling_layer=False)
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    states = _states(encoder.eval(), Tokenizer.from_file(str(base / "tokenizer.json")), texts[:8])
    for task in TASKS:
        weight = torch.randn(3, config.hidden_size) * 0.02
        rows = [1, 2, 0]  # the published files have B, I, O
        state[f"classifiers.{task}.weight"] = weight[rows]
        state[f"classifiers.{task}.bias"] = _bias(states @ weight.T)[rows]
    torch.save(state, work / "mtl.pt")
    config.id2label = {0: "O", 1: "B-X", 2: "I-X"}
    config.label2id = {tag: n for n, tag in config.id2label.items()}
    single = XLMRobertaForTokenClassification(config)
    single.roberta.load_state_dict(encoder.state_dict())
    torch.nn.init.normal_(single.classifier.weight, std=0.02)
    single.classifier.bias.data = _bias(states @ single.classifier.weight.detach().T)
    single.save_pretrained(tagger)
    (work / "sample.json").write_text(json.dumps(texts[:8]))


def _states(encoder: Any, tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """The encoder's vectors for the pieces of some texts, float (n, width)."""
    with torch.inference_mode():
        ids = (torch.tensor([tokenizer.encode(text).ids[:WINDOW]]) for text in texts)
        return torch.cat([encoder(input_ids=one)[0][0] for one in ids])


def _bias(logits: torch.Tensor) -> torch.Tensor:
    """A bias of O, B and I that leaves a share of ``INSIDE`` to B and I; logits: float (n, 3)."""
    lead = logits[:, 1:].max(dim=1).values - logits[:, 0]
    return torch.stack([lead.quantile(1 - INSIDE), torch.tensor(0.0), torch.tensor(0.0)])


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": WINDOW,
    **{"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"},
    **{"cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"},
}


def _tokenizer(texts: Sequence[str], size: int = VOCABULARY) -> Tokenizer:
    """One that learns its pieces from the texts, beside as many that stand in none as a vocabulary of ``size`` has."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=PIECES, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    built = json.loads(tokenizer.to_str())
    vocabulary = built["model"]["vocab"]
    vocabulary += [[f"\ue000{n}", -100.0] for n in range(size - len(vocabulary))]
    tokenizer = Tokenizer.from_str(json.dumps(built))
    return tokenizer


def reference(work: Path) -> Read:
    """The publisher's procedure: float32, one window of 512 padded pieces at a time, one head a pass."""
    from clinner_spacy.encoders.encoder import read_tagger
    from clinner_spacy.ner.decode import decode

    encoder, weight, bias = read_tagger(work / "tagger")
    module, tokenizer = encoder.module.eval(), encoder.pieces.tokenizer
    room = WINDOW - 2

    def windows(ids: list[int]) -> list[list[int]]:
        starts = range(0, max(1, len(ids) - OVERLAP), room - OVERLAP)
        return [ids[start : start + room] for start in starts]

    def tags(ids: list[int], of_word: list[int]) -> np.ndarray:
        best = np.zeros((len(ids), 3))
        start = 0
        for part in windows(ids):
            padded = torch.tensor([[0, *part, 2] + [1] * (room - len(part))])
            with torch.inference_mode():
                states = module(input_ids=padded, attention_mask=(padded != 1).long())[0]
                votes = (states @ weight.T + bias)[0, 1 : len(part) + 1].argmax(dim=1).numpy()
            best[np.arange(start, start + len(part)), votes] += 1
            start += room - OVERLAP
        first = np.unique(of_word, return_index=True)[1]
        return best[first].argmax(axis=1)

    def read(texts: Sequence[str]) -> int:
        found = 0
        for text in texts:
            encoding = tokenizer.encode(text.split(), is_pretokenized=True, add_special_tokens=False)
            for _ in TASKS:
                chosen = tags(encoding.ids, encoding.word_ids)
                spans = decode(chosen, np.ones(len(chosen)), np.arange(len(chosen)) == 0)
                found += len(spans.start)
        return found

    return read


def hf_pipeline(work: Path, dtype: str = "float32") -> Read:
    """transformers.pipeline, one single-task model a task."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(work / "tagger")
    taggers = [
        AutoModelForTokenClassification.from_pretrained(work / "tagger", torch_dtype=getattr(torch, dtype))
        for _ in TASKS
    ]
    pipes = [
        pipeline(
            "token-classification",
            model=tagger,
            tokenizer=tokenizer,
            aggregation_strategy="first",
            stride=OVERLAP,
            batch_size=16,
        )
        for tagger in taggers
    ]
    return lambda texts: sum(len(found) for pipe in pipes for found in pipe(list(texts)))


def hf_token_pipe(work: Path, dtype: str = "float32") -> Read:
    """spacy-huggingface-pipelines, one pipe a task (transformers 4.x only); it reads one text at a time."""
    nlp = spacy.blank("es")
    for task in TASKS:
        settings: dict[str, Any] = {"model": str(work / "tagger"), "stride": OVERLAP, "aggregation_strategy": "first"}
        settings["kwargs"] = {"torch_dtype": dtype}
        where = {"annotate": "spans", "annotate_spans_key": task, "alignment_mode": "expand"}
        nlp.add_pipe("hf_token_pipe", name=task, config=settings | where)
    return lambda texts: sum(len(doc.spans[task]) for doc in nlp.pipe(texts) for task in TASKS)


def edsnlp(work: Path, batch_size: int = 16) -> Read:
    """EDS-NLP: eds.transformer and eds.ner_crf as they come, one encoder pass for three labels, in bf16 by autocast."""
    import edsnlp as eds_nlp
    import edsnlp.pipes as eds

    nlp: Any = eds_nlp.blank("eds")
    encoder = eds.transformer(model=str(work / "tagger"))
    labels = [task.upper() for task in TASKS]
    nlp.add_pipe(
        eds.ner_crf(embedding=encoder, mode="joint", target_span_getter="sc", span_setter="sc", labels=labels),
        name="ner",
    )
    ner = nlp.pipes.ner
    nlp.train(False)
    sample = json.loads((work / "sample.json").read_text())
    for bias in np.arange(0.0, 3.0, 0.1):  # of O, the first of each label's five tags, until there are as many mentions
        with torch.no_grad():
            ner.linear.bias.view(len(labels), -1)[:, 0] = float(bias)
        if sum(len(doc.spans["sc"]) for doc in nlp.pipe(sample)) < 0.2 * sum(len(text.split()) for text in sample):
            break
    return lambda texts: sum(len(doc.spans["sc"]) for doc in nlp.pipe(texts, batch_size=batch_size))


def ours(work: Path, **settings: Any) -> Read:
    """This package: nlp.pipe end to end, spans, scores and doc.ents."""
    nlp = pipeline_of_ours(work, **settings)
    return lambda texts: sum(len(doc.spans["sc"]) for doc in nlp.pipe(texts))


def embedded(work: Path) -> Read:
    """This package with the model that it ships, one thread."""
    nlp = spacy.blank("es")
    nlp.add_pipe("multiclin_ner")
    nlp.max_length = sys.maxsize
    return lambda texts: sum(len(doc.spans["sc"]) for doc in nlp.pipe(texts))


def pipeline_of_ours(work: Path, **settings: Any) -> Any:
    nlp = spacy.blank("es")
    weights = {"checkpoint": str(work / "mtl.pt"), "base_model": str(work / "base")}
    nlp.add_pipe("multiclin_ner", config=weights | settings)
    nlp.max_length = sys.maxsize  # spaCy's limit is for its parser
    nlp("Carga los pesos.")
    return nlp


def limit(work: Path, dtype: torch.dtype = torch.bfloat16) -> Callable[[float], float]:
    """What the machine's matrix products reach, FLOP a second, over the shape of XLM-R base's largest."""
    X, W = torch.randn(2048, 768, dtype=dtype), torch.randn(768, 3072, dtype=dtype)
    Y = torch.empty(2048, 3072, dtype=dtype)

    def measure(seconds: float) -> float:
        flop, begin = 0, time.perf_counter()
        with torch.inference_mode():
            while time.perf_counter() - begin < seconds:
                torch.mm(X, W, out=Y)
                flop += 2 * X.shape[0] * W.numel()
        return flop / (time.perf_counter() - begin)

    return measure
