from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clinner_spacy.encoders import packed
from clinner_spacy.encoders.batches import Batch
from clinner_spacy.encoders.encoder import Encoder, read_encoder, read_tagger
from clinner_spacy.encoders.packed import ALIGNED, PackedEncoder, can_pack
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.encoders.shim import BATCH_TOKENS, EncoderShim, backward, read
from tests.tiny import save_encoder, save_tagger

PACKED = ("bert", "roberta", "xlm-roberta")
NOT_PACKED = ("deberta-v2", "modernbert")
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=PACKED)
def encoder(request, tmp_path_factory) -> Encoder:
    read_one = read_encoder(save_encoder(tmp_path_factory.mktemp("encoder"), request.param))
    read_one.module.eval()
    return read_one


def windows(lengths: list[int], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random windows, padded, and the place of every piece."""
    generator = torch.Generator().manual_seed(sum(lengths))
    ids = torch.full((len(lengths), max(lengths)), pad)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = torch.randint(4, 60, (length,), generator=generator)
    places = [row * max(lengths) + n for row, length in enumerate(lengths) for n in range(length)]
    return ids, torch.tensor(lengths), torch.tensor(places)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_reads_as_the_module_does(encoder, lengths):
    ids, sizes, places = windows(lengths, encoder.pad)
    shuffled = places[torch.randperm(len(places))]
    with torch.inference_mode():
        expected = read(encoder.module, ids, sizes, shuffled)
        found = read(PackedEncoder(encoder.module, torch.float32), ids, sizes, shuffled)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lengths", [[ALIGNED] * 3, [2 * ALIGNED, ALIGNED], [5, 5]], ids=["full", "padded", "aligned"])
def test_in_half_precision_it_is_close(encoder, lengths):
    ids, sizes, places = windows(lengths, encoder.pad)
    with torch.inference_mode():
        expected = read(encoder.module, ids, sizes, places)
        found = read(PackedEncoder(encoder.module, torch.bfloat16), ids, sizes, places)
    assert found.dtype is torch.bfloat16
    assert (found.float() - expected).abs().mean() < 0.05 * expected.abs().mean()


def test_a_tagger_is_packed_too(tmp_path):
    tagger, _, _ = read_tagger(save_tagger(tmp_path))
    ids, sizes, places = windows([7, 30], tagger.pad)
    with torch.inference_mode():
        expected = read(tagger.module.eval(), ids, sizes, places)
        found = read(PackedEncoder(tagger.module, torch.float32), ids, sizes, places)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("device", "dtype"),
    [(CPU, torch.float16), (torch.device("cuda"), torch.bfloat16), (torch.device("meta"), torch.float32)],
)
def test_devices_and_types_left_to_transformers(encoder, device, dtype):
    assert can_pack(encoder.module, CPU, torch.float32) and can_pack(encoder.module, CPU, torch.bfloat16)
    assert not can_pack(encoder.module, device, dtype)


@pytest.mark.parametrize(
    "change", [{"position_embedding_type": "relative_key"}, {"is_decoder": True}, {"model_type": "electra"}]
)
def test_configs_left_to_transformers(encoder, change):
    module = deepcopy(encoder.module)
    module.config.__dict__.update(change)
    assert not can_pack(module, CPU, torch.float32)


class Adapted(torch.nn.Linear):
    """A layer with more to it than its weights, as adapters and quantized weights have."""


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("intermediate.intermediate_act_fn", torch.nn.ReLU()),
        ("attention.self.query", Adapted(32, 32)),
        ("output.dense", torch.nn.Sequential(torch.nn.Linear(64, 32))),
        ("adapter", torch.nn.Linear(32, 32)),
    ],
)
def test_modules_that_were_changed_are_left_to_transformers(encoder, part, other):
    module = deepcopy(encoder.module)
    layer = module.encoder.layer[-1]
    parent, _, name = part.rpartition(".")
    setattr(layer.get_submodule(parent), name, other)
    assert not can_pack(module, CPU, torch.float32)


def test_modules_with_hooks_are_left_to_transformers(encoder):
    module = deepcopy(encoder.module)
    module.encoder.layer[0].register_forward_hook(lambda module, args, output: output)
    assert not can_pack(module, CPU, torch.float32)


@pytest.mark.parametrize("kind", [*PACKED, *NOT_PACKED])
def test_the_shim_packs_what_it_can(tmp_path, kind):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(read_encoder(save_encoder(tmp_path, kind)))
    assert isinstance(shim._for_inference(), PackedEncoder) is (kind in PACKED)


def test_a_torch_without_these_products_runs_the_module(tmp_path, monkeypatch):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(read_encoder(save_encoder(tmp_path)))
    expected = shim.predict(batch())
    monkeypatch.setattr(packed, "_has_products", lambda dtype: False)
    shim.fill(shim.encoder)
    assert not isinstance(shim._for_inference(), PackedEncoder)
    assert torch.allclose(shim.predict(batch()), expected, rtol=1e-4, atol=1e-4)


def batch() -> Batch:
    ids, lengths, places = windows([9, 20], 1)
    return Batch(ids.numpy(), lengths.numpy(), np.arange(len(places)), places.numpy())


def test_new_weights_are_packed_anew(encoder):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(encoder)
    before = shim.predict(batch()).clone()
    vectors = shim.trainable_vectors([batch()])
    backward(vectors, torch.ones_like(vectors).numpy())
    shim.finish_update(lambda key, weights, gradient: (weights - 0.1 * gradient, gradient))
    assert not torch.allclose(shim.predict(batch()), before, atol=1e-3)
    with torch.inference_mode():
        expected = read(encoder.module.eval(), *map(torch.from_numpy, (batch().ids, batch().lengths, batch().pieces)))
    assert torch.allclose(shim.predict(batch()), expected, rtol=1e-4, atol=1e-4)


def test_frozen_weights_are_packed_once(encoder):
    shim = EncoderShim(EncoderSettings(precision="fp32", freeze=True))
    shim.fill(encoder)
    reader = shim._for_inference()
    shim.trainable_vectors([batch()])
    shim.finish_update(lambda key, weights, gradient: (weights, gradient))
    assert shim._for_inference() is reader


def test_predicting_leaves_training_as_it_was(encoder):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(encoder)
    encoder.module.train()
    shim.predict(batch())
    assert all(part.training for part in encoder.module.modules())
    encoder.module.eval()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_autocast_around_it_changes_nothing(encoder, precision):
    shim = EncoderShim(EncoderSettings(precision=precision))
    shim.fill(encoder)
    expected = shim.predict(batch())
    with torch.autocast("cpu"):
        assert torch.equal(shim.predict(batch()), expected)


def test_a_shim_can_be_pickled_after_a_prediction(encoder):
    shim = EncoderShim(EncoderSettings(precision="bf16"))
    shim.fill(encoder)
    expected = shim.predict(batch())
    assert torch.equal(pickle.loads(pickle.dumps(shim)).predict(batch()), expected)


def test_tokens_a_batch(encoder, monkeypatch):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(encoder)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert shim.batch_tokens(is_train=False) == 2048
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert shim.batch_tokens(is_train=False) == BATCH_TOKENS
    assert shim.batch_tokens(is_train=True) == BATCH_TOKENS
    shim.use(EncoderSettings(batch_tokens=77))
    assert shim.batch_tokens(is_train=False) == shim.batch_tokens(is_train=True) == 77
