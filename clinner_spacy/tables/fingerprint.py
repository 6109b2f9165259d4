"""What tells one pipeline from another: a hash of its words, components, settings and weights. It holds no text."""

from __future__ import annotations

import hashlib
import json

from spacy.language import Language

#: Settings that say where weights are read from or computed, which changes nothing of what is found.
WHERE = ("checkpoint", "device", "batch_tokens", "local_files_only")


def pipeline_fingerprint(nlp: Language) -> str:
    """SHA-256 of a pipeline whose weights are read; its components' thresholds and labels count, too."""
    digest = hashlib.sha256(str(nlp.lang).encode())
    for name, pipe in [("tokenizer", nlp.tokenizer), *nlp.pipeline]:
        settings = {} if name == "tokenizer" else nlp.get_pipe_config(name)
        known = {key: value for key, value in settings.items() if key not in WHERE}
        digest.update(json.dumps([name, type(pipe).__qualname__, known], sort_keys=True, default=str).encode())
        if hasattr(pipe, "to_bytes"):
            digest.update(pipe.to_bytes(exclude=["vocab"]))
    return digest.hexdigest()
