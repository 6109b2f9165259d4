"""``python -m clinner_spacy``: the ``multiclin`` command where its script is not on the path."""

from clinner_spacy.cli import main

if __name__ == "__main__":
    main()
