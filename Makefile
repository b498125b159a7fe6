PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE := _build/html/book/index.html

.PHONY: help book site-offline test lint clean site notebooks live
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/'

book: $(VENV)/.installed  ## build the book into _build/html (executes what has changed)
	@$(BIN)/jupyter-book build . -W -n --keep-going -q
	@echo "Open this page in a browser: $(abspath $(SITE))"

site-offline: book  ## add Pyodide to the site, by npm: cells run in a browser without the net
	@$(BIN)/python book/_live/pyodide_folder.py _build/html/pyodide $(if $(FROM),--from $(FROM))
	@$(BIN)/jupyter-book build . -W -n --keep-going -q

site: book  ## pack the book for any static host: a folder and a zip in _build/site
	@$(BIN)/python tools/pack.py

notebooks: book  ## every chapter as an .ipynb that is readable without MyST
	@echo "The notebooks: $(abspath _build/html/notebooks)"

live: book $(VENV)/.installed-live  ## build the book, then serve it with cells that run (HOST=, PORT=)
	@$(BIN)/python book/_live/server.py $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

test: book $(VENV)/.installed-test lint  ## build the book, then run all tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -q

lint: $(VENV)/.installed-test  ## check the code's style
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .

clean:  ## remove the built site and the execution cache; keep the virtual environment
	rm -rf _build

# The stamps: nothing is installed again until a list of requirements changes.
$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is incomplete here: sudo apt install python3-venv"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-live: $(VENV)/.installed
	$(BIN)/pip install -q --disable-pip-version-check -c requirements.txt -e '.[live]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install -q --disable-pip-version-check -c requirements.txt -e '.[test]'
	@touch $@
