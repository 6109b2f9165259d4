"""Weights that are swapped for a while come back, whatever happens."""

from __future__ import annotations

import pytest
import torch

from clinner_spacy.encoders.encoder import read_encoder
from clinner_spacy.encoders.settings import EncoderSettings
from clinner_spacy.encoders.shim import EncoderShim
from tests.tiny import save_encoder


def test_a_swap_that_fails_half_way_is_undone(tmp_path):
    shim = EncoderShim(EncoderSettings(precision="fp32"))
    shim.fill(read_encoder(save_encoder(tmp_path)))
    own = {name: value.data for name, value in shim._model.named_parameters()}
    first, *_, last = own
    params = {(shim.id, first): torch.zeros_like(own[first]).numpy(), (shim.id, last): "no array"}
    with pytest.raises(Exception, match=r"str|array") as caught, shim.use_params(params):
        pass
    assert not isinstance(caught.value, UnboundLocalError)
    for name, value in shim._model.named_parameters():
        assert value.data is own[name] or value.data.data_ptr() == own[name].data_ptr()
