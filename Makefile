# Everything runs on a machine that has python3 (3.11 to 3.13) and a package index, nothing more.
# Each target makes the virtual environment it needs in a folder .venv-* of this checkout, once.
# To choose another interpreter:  make test PYTHON=python3.12

# The first Python on the PATH that is recent enough, unless one is named.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
endif
PYTEST_ARGS ?=
# The Pythons that are supported.
PYTHONS ?= 3.11 3.12 3.13
# Processes that wait for their databases most of the time; a module stays in one of them, and each
# has a PostgreSQL of its own.
PROCESSES ?= -n 4 --dist loadfile

# A virtual environment belongs to an interpreter: another PYTHON gets another folder.
TAG := $(shell $(or $(PYTHON),false) -c \
	'import sys; sys.version_info >= (3, 11) and print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(TAG),)
$(error naked_sqla needs Python 3.11 or later, $(if $(PYTHON),and "$(PYTHON)" is not,and there is none on the PATH). Name one: make PYTHON=/path/to/python3.12)
endif

# The databases of the tests are written to memory where there is room for them.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')
ifneq ($(MEMORY),)
test test-floor test-2.0 test-2.1: export TMPDIR ?= $(MEMORY)
endif

# What the caller's shell has set up for other projects stays out of these environments.
unexport PYTHONPATH PYTHONHOME

comma := ,

# $(1): the environment's name; it is ready when its stamp is newer than pyproject.toml.
stamp = .venv-$(1)-$(TAG)/.ready
bin = .venv-$(1)-$(TAG)/bin

# pip before 25.1 can't read dependency groups, and a new environment may bring an older one.
# $(1): what pip is told to install.  A venv that was left half-made is made again.
define make_venv
	@echo "=== $(@D) is made once, for all targets that use it"
	@echo "  1 of 3: a virtual environment of $$($(PYTHON) --version)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@echo "  2 of 3: a recent pip"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@printf '%s' '  3 of 3: the packages, a minute or more: $(subst ','\'',$(1)) '
	@$(call with_dots,$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(1))
	@touch $@
endef

# $(1): a command that is silent for long.  A dot every three seconds says that it is at work.
with_dots = (while sleep 3 && kill -0 $$$$ 2>/dev/null; do printf .; done) & \
	dots=$$!; $(1); done=$$?; kill $$dots; echo; exit $$done

.PHONY: help demo service test test-pythons test-matrix test-floor test-2.0 test-2.1 chaos version sync check bench docs docs-pictures docs-serve docs-sql clean

help:
	@echo "make demo         the main job on real rows: examples/demo.py"
	@echo "make service      a web service over the same rows: examples/service, on port 8000"
	@echo "make test         the tests on SQLite and PostgreSQL"
	@echo "make test-pythons the tests on each other Python that is at hand, of $(PYTHONS)"
	@echo "make test-matrix  the tests on SQLAlchemy 2.0.40, the latest 2.0 and the latest 2.1"
	@echo "make chaos        10,000 cancellations per driver and SQLAlchemy line, with kills and cuts"
	@echo "make sync         print the synchronous face from the asynchronous one"
	@echo "make check        lint, format, types, the synchronous face"
	@echo "make docs         the documentation, built strictly, in site/"
	@echo "make docs-serve   the documentation on http://127.0.0.1:8000, built again at each change"
	@echo "make docs-pictures  pictures of its pages, in site-pictures/"
	@echo "make docs-sql     write what the examples of the pages send below them"
	@echo "make bench        the benchmarks, in benchmarks/results/"
	@echo "make clean        remove what the other targets made"

demo: $(call stamp,demo)
	@echo "=== four days of flights, in an SQLite file"
	$(call bin,demo)/python -m examples.demo

# DATABASE_URL says which database; without it, flights.sqlite in this folder.
service: $(call stamp,service)
	@echo "=== the service: it stores its rows at the first start; then open http://127.0.0.1:8000"
	$(call bin,service)/python -m uvicorn --factory examples.service.app:create_app

test: $(call stamp,test)
	@echo "=== the tests: each process collects all of them first, for about a minute, in silence"
	$(call bin,test)/python -m pytest $(PROCESSES) $(PYTEST_ARGS)

# Looked for on the PATH and under pyenv; "make test" has the one that it uses.
# NEWEST=1: only on the newest that is at hand, and on none where "make test" uses that.
test-pythons:
	@for version in $$(printf '%s\n' $(PYTHONS) | sort -rV); do \
		python=; \
		for found in "python$$version" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/"$$version".*/bin/python; do \
			"$$found" -c 'import sys, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' \
				"$$version" 2>/dev/null && python=$$found; \
		done; \
		if [ "$$version" = "$(TAG)" ]; then \
			echo "=== Python $$version: make test"; \
		elif [ -z "$$python" ]; then \
			echo "=== Python $$version: not on the PATH, nor under pyenv"; continue; \
		else \
			echo "=== Python $$version: $$python"; \
			$(MAKE) --no-print-directory test PYTHON="$$python" || exit 1; \
		fi; \
		if [ -n "$(NEWEST)" ]; then break; fi; \
	done

test-matrix: test-floor test-2.0 test-2.1

test-floor: $(call stamp,floor)
	$(call bin,floor)/python -m pytest $(PROCESSES) $(PYTEST_ARGS)

test-2.0: $(call stamp,2.0)
	$(call bin,2.0)/python -m pytest $(PROCESSES) $(PYTEST_ARGS)

test-2.1: $(call stamp,2.1)
	$(call bin,2.1)/python -m pytest $(PROCESSES) $(PYTEST_ARGS)

# The figures of docs/reliability.md.  CHAOS="--drivers asyncpg --cancellations 1000 --seed 2" for less.
CHAOS ?=
chaos: $(call stamp,2.0) $(call stamp,2.1)
	$(call bin,2.0)/python -m tests.chaos $(CHAOS)
	$(call bin,2.1)/python -m tests.chaos $(CHAOS)

# The SQLAlchemy that "make test" runs on.
version: $(call stamp,test)
	@$(call bin,test)/python -c "import sqlalchemy; print(sqlalchemy.__version__)"

sync: $(call stamp,check)
	$(call bin,check)/python -m tools.async_to_sync

check: $(call stamp,check)
	$(call bin,check)/python -m tools.async_to_sync --check
	$(call bin,check)/python -m tools.diagrams --check
	$(call bin,check)/ruff check .
	$(call bin,check)/ruff format --check .
	$(call bin,check)/mypy
	$(call bin,check)/pyright --pythonpath $(call bin,check)/python

docs: $(call stamp,docs)
	NO_MKDOCS_2_WARNING=1 $(call bin,docs)/python -m mkdocs build --strict
	$(call bin,docs)/python -m tools.check_site site
	@echo "The site is in $(CURDIR)/site: open file://$(CURDIR)/site/index.html"

# Shows each change of a page as soon as it is saved.
docs-serve: $(call stamp,docs)
	NO_MKDOCS_2_WARNING=1 $(call bin,docs)/python -m mkdocs serve

# Pictures of each page at two widths, where Debian's chromium is installed.
docs-pictures: docs
	$(call bin,docs)/python -m tools.check_site site --pictures site-pictures

# Writes into each SQL block of the pages what the code above it sends.
docs-sql: $(call stamp,test)
	$(call bin,test)/python -m tests._pages

bench:
	$(MAKE) -C benchmarks PYTHON="$(PYTHON)"

clean:
	rm -rf .venv-* site site-pictures .pytest_cache .mypy_cache .ruff_cache .hypothesis flights.sqlite*

$(call stamp,demo): pyproject.toml
	$(call make_venv,--editable ".[sqlite]")

$(call stamp,service): pyproject.toml
	$(call make_venv,--editable ".[sqlite$(comma)postgres$(comma)fastapi]" --group service)

$(call stamp,test): pyproject.toml
	$(call make_venv,--editable . --group test)

$(call stamp,floor): pyproject.toml
	$(call make_venv,--editable . --group test "sqlalchemy==2.0.40")

$(call stamp,2.0): pyproject.toml
	$(call make_venv,--editable . --group test "sqlalchemy>=2.0.40$(comma)<2.1")

$(call stamp,2.1): pyproject.toml
	$(call make_venv,--editable . --group test "sqlalchemy>=2.1$(comma)<2.2")

$(call stamp,check): pyproject.toml
	$(call make_venv,--editable . --group check)

$(call stamp,docs): pyproject.toml
	$(call make_venv,--editable . --group docs)
