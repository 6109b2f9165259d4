"""Clinical spans inside spaCy: ``nlp.add_pipe("multiclin_ner")``.

Importing this package is cheap: torch and transformers are imported when a checkpoint needs them.
"""

__version__ = "0.1.0"
