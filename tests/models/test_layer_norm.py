from __future__ import annotations

import numpy as np
import torch

from clinner_spacy.models.layer_norm import TorchLayerNorm


def test_is_torchs_forwards_and_backwards():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(4, 6)) * 0.01).astype("f")  # so small a variance shows the epsilon
    model = TorchLayerNorm()
    model.initialize(X=X)
    model.set_param("G", rng.normal(size=6).astype("f"))
    model.set_param("b", rng.normal(size=6).astype("f"))
    Y, backprop = model(X, is_train=True)
    x = torch.tensor(X, requires_grad=True)
    G, b = (torch.tensor(model.get_param(name), requires_grad=True) for name in ("G", "b"))
    y = torch.nn.functional.layer_norm(x, (6,), G, b)
    dY = rng.normal(size=Y.shape).astype("f")
    y.backward(torch.tensor(dY))
    assert np.allclose(Y, y.detach(), atol=1e-5)
    assert np.allclose(backprop(dY), x.grad, rtol=1e-3, atol=1e-2)
    assert np.allclose(model.get_grad("G"), G.grad, atol=1e-4)
    assert np.allclose(model.get_grad("b"), b.grad, atol=1e-5)
