# Two commands for newcomers: `make demo` and `make test`; `make docs` builds the site. All make their own .venv and
# install into it only when the requirements have changed. Another Python: `make demo PYTHON=python3.12`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
REQUIREMENTS := setup.cfg pyproject.toml constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test docs clean

demo: $(VENV)/installed
	$(BIN)/multiclin predict assets/notes demo.tsv --overwrite
	$(BIN)/multiclin render assets/notes demo.html --overwrite
	$(BIN)/python assets/table.py demo.tsv
	@echo "All mentions: demo.tsv. The notes with their mentions marked: demo.html, for any browser."

# Everything that needs neither corpora nor a network.
test: $(VENV)/installed-test
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --numprocesses 2 $(PYTEST_ARGS)

# The documentation site, in site/; a broken link is an error.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site: site/index.html"

$(VENV)/installed: $(VENV)/bin/python $(REQUIREMENTS)
	$(INSTALL) .
	@touch $@

$(VENV)/installed-test: $(VENV)/bin/python $(REQUIREMENTS)
	$(INSTALL) ".[test]"
	@touch $@ $(VENV)/installed

$(VENV)/installed-docs: $(VENV)/bin/python $(REQUIREMENTS)
	$(INSTALL) ".[docs]"
	@touch $@ $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf .venv .venv-* build dist site demo.html demo.tsv
