# Set up, build and check dsg. You need Python 3.9 - 3.13, a C compiler and make.
#
#   make              set up .venv if its requirements changed, build the box operations, check them
#   make env          only the virtual environment
#   make test         the above if needed, then the tests, two files at a time (WORKERS=1: one by one;
#                     PYTEST_ARGS="tests/boxes -x": some of the tests, one by one)
#   make test-latest  the same on the newest TensorFlow, in .venv-latest
#                     (ONLY_TF=1: without those of which neither its version nor NumPy's changes anything)
#   make demo         answer queries about the bundled images and draw the answers
#   make bench        measure speed and memory (QUICK=1 for a short run)
#   make crash-test   kill training and other commands at random moments and run them again (CASES=30, SEED=0)
#   make fuzz         read 10,000 hostile files in bounded time (CASES=N, SECONDS=N, SEED=N: other ones)
#   make sanitize     the box operations under AddressSanitizer and UBSan, with arrays of every kind
#   make bench-peers  the detector beside torchvision's, which is installed into an environment of its own, .venv-peers (6 GB)
#   make extras       install what the page, ONNX and their tests need (without it those tests are skipped)
#   make docs         build the site in build/site (mkdocs, in an environment of its own, .venv-docs)
#   make lint         ruff: rules and format;   make typecheck: mypy;   make format: apply the format
#   make python       print the interpreter that runs the programs
#   make clean        remove what was built;    make distclean: the virtual environments as well
#
#   TF=latest         the newest TensorFlow on any interpreter, in .venv-latest beside .venv
#   PYTHON=python3.12 the interpreter to make the virtual environment with
#   PYTHON=python     (or a path) in an activated environment that has everything: it is used as it is,
#                     nothing is installed
#   GPU=1, GPU=0      install TensorFlow with or without CUDA, whatever nvidia-smi says (run make distclean first)

PYTHON ?= python3
TF ?= pinned
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 2
export PYTHONPATH := $(CURDIR)/lib$(if $(PYTHONPATH),:$(PYTHONPATH))

.DEFAULT_GOAL := build
.PHONY: build env extras test test-latest demo bench crash-test fuzz sanitize bench-peers docs lint typecheck format python clean distclean help FORCE

ifeq ($(filter pinned latest,$(TF)),)
$(error TF is 'latest' or left out, not '$(TF)')
endif

REQUIREMENTS := requirements$(if $(filter latest,$(TF)),-latest).txt
EXTRA_REQUIREMENTS := requirements-serve.txt requirements-export.txt requirements-browser.txt requirements-coco.txt \
	$(if $(filter latest,$(TF)),,requirements-compare.txt)
VENV := .venv$(if $(filter latest,$(TF)),-latest)
KERNELS := lib/dsg/boxes/_nms lib/dsg/boxes/_overlaps
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = @echo "dsg: $(1)"

# An interpreter that was named and lies in an environment (venv or conda) is used as it is.
ifneq ($(origin PYTHON),file)
EXISTING := $(shell exe=$$(command -v "$(PYTHON)") && root=$$(dirname "$$(dirname "$$exe")") && \
	if [ -f "$$root/pyvenv.cfg" ] || [ -d "$$root/conda-meta" ]; then echo "$$exe"; fi)
endif

# The folder of the stamps. The name of each has a checksum of what it stands for, so that changed requirements, or a clone that was
# moved (the environment contains its path), are noticed by content and not by date.
checksum = $(shell { cat $(1); echo "$(CURDIR) $(2)"; } 2>/dev/null | cksum | cut -d' ' -f1)
ifneq ($(EXISTING),)
VPY := "$(EXISTING)"
STATE := build/environment-$(call checksum,/dev/null,$(EXISTING))
READY := $(STATE)/ready
DEV := $(STATE)/ready-dev
EXTRAS := $(STATE)/ready-extras
CHECK := $(VPY) tools/check_machine.py --installed
else
VPY := "$(CURDIR)/$(VENV)/bin/python"
STATE := $(VENV)
READY := $(STATE)/ready-$(call checksum,$(REQUIREMENTS))
DEV := $(STATE)/ready-dev-$(call checksum,requirements-dev.txt)
EXTRAS := $(STATE)/ready-extras-$(call checksum,$(EXTRA_REQUIREMENTS))
CHECK := $(PYTHON) tools/check_machine.py
version_of = $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
# A broken environment, or one of another version than the interpreter that was named, is made again.
STALE := $(shell if [ ! -x $(VPY) ] || { [ "$(origin PYTHON)" != file ] && \
	[ "$$($(call version_of,$(PYTHON)))" != "$$($(call version_of,$(VPY)))" ]; }; then echo FORCE; fi)
endif

BUILT := $(STATE)/built
CHECKED := $(STATE)/checked
# The names of the built files have the interpreter's ending, which the stamp remembers.
SUFFIX := $(shell cat $(BUILT) 2>/dev/null)
LOST := $(if $(filter-out $(wildcard $(KERNELS:=$(SUFFIX))),$(KERNELS:=$(SUFFIX))),FORCE)

# Check first whether this machine has what is needed.
ifneq ($(filter-out clean distclean docs help python,$(or $(MAKECMDGOALS),build)),)
ifneq ($(STALE)$(LOST)$(if $(wildcard $(READY)),,FORCE),)
PROBLEM := $(shell $(PYTHON) -c pass >/dev/null 2>&1 || { \
	echo "no working $(PYTHON): install Python 3.9 - 3.13, or name one, e.g. make PYTHON=/usr/bin/python3.11"; exit 0; }; \
	CC="$(filter-out $(if $(filter default,$(origin CC)),$(CC)),$(CC))" $(CHECK) 2>&1; exit 0)
ifneq ($(PROBLEM),)
$(error $(PROBLEM))
endif
endif
endif

# The site needs neither TensorFlow nor the box operations, and its tools none of their versions.
ifneq ($(EXISTING),)
DOCS_PYTHON := "$(EXISTING)"
DOCS_READY := $(STATE)/ready-docs
else
DOCS_PYTHON := "$(CURDIR)/.venv-docs/bin/python"
DOCS_READY := .venv-docs/ready-$(call checksum,requirements-docs.txt)
endif

# What the detector is compared with never enters the project's own environment.
PEERS_PYTHON := "$(CURDIR)/.venv-peers/bin/python"
PEERS_READY := .venv-peers/ready-$(call checksum,requirements-peers.txt)

build: $(CHECKED)
	$(if $(SILENT),@:,$(call say,ready: $(VPY)))

env: $(READY)
	@:

extras: $(EXTRAS)
	@:

python:
	@echo $(VPY)

ifneq ($(EXISTING),)
$(READY):
	@mkdir -p $(STATE)
	$(call say,using $(VPY))
	@touch $@

$(DEV): requirements-dev.txt $(READY)
	@$(VPY) -c "import mypy, pytest, ruff, xdist" 2>/dev/null || \
		{ echo "dsg: $(VPY) lacks a tool of requirements-dev.txt: install them there" >&2; exit 1; }
	@touch $@

$(EXTRAS): $(READY)
	@$(VPY) -c "import gradio, onnxruntime, playwright, pycocotools, tf2onnx" 2>/dev/null || \
		{ echo "dsg: $(VPY) lacks a package of $(EXTRA_REQUIREMENTS): install them there" >&2; exit 1; }
	@touch $@
else
$(READY): $(STALE)
	$(call say,setting up $(VENV))
	@[ "$$($(call version_of,$(PYTHON)))" = "$$($(call version_of,$(VPY)))" ] || anew=--clear; $(PYTHON) -m venv $$anew $(VENV)
	@if [ "$(GPU)" = 1 ] || { [ -z "$(GPU)" ] && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }; then \
		sed 's/^tensorflow-cpu /tensorflow[and-cuda] /' $(REQUIREMENTS); else cat $(REQUIREMENTS); fi > $(STATE)/requirements.txt
	$(call say,installing $(REQUIREMENTS): TensorFlow is large and takes minutes the first time)
	@$(VPY) tools/install.py $(STATE)/requirements.txt
	@DSG_EXTENSIONS=0 $(VPY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(STATE)/ready-* $(BUILT) && touch $@

$(DEV): $(READY)
	$(call say,installing requirements-dev.txt)
	@$(VPY) tools/install.py requirements-dev.txt
	@touch $@

$(EXTRAS): $(READY)
	$(call say,installing $(EXTRA_REQUIREMENTS))
	@$(VPY) tools/install.py $(EXTRA_REQUIREMENTS)
	@touch $@
endif

$(BUILT): $(KERNELS:=.pyx) $(wildcard lib/dsg/boxes/*.h) setup.py $(READY) $(LOST)
	$(call say,building the box operations)
	@$(VPY) -W ignore setup.py -q build_ext --inplace --force -j 2 > $(STATE)/build.log 2>&1 || \
		{ tail -n 15 $(STATE)/build.log; echo "dsg: the build failed; all it said: $(STATE)/build.log" >&2; exit 1; }
	@$(VPY) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))' > $@

$(CHECKED): $(BUILT) $(wildcard lib/dsg/boxes/*.py)
	@$(VPY) -m dsg.boxes.selfcheck
	@touch $@

# A worker that dies ends the tests: without the last option xdist waits for its tests for ever. In two halves, for
# TensorFlow keeps working memory of all that a process has computed, and two workers would come to hold 16 GB.
PYTEST = CUDA_VISIBLE_DEVICES=$${CUDA_VISIBLE_DEVICES--1} $(VPY) -m pytest -q $(if $(ONLY_TF),-m "not one_line")
WORK = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0
FIRST_HALF := tests/apps tests/benchmarks tests/parity tests/scripts

test: build $(DEV)
ifneq ($(PYTEST_ARGS),)
	@$(PYTEST) $(PYTEST_ARGS)
else
	@status=0; $(PYTEST) $(FIRST_HALF) $(WORK) || status=$$?; \
		$(PYTEST) tests $(addprefix --ignore=,$(FIRST_HALF)) $(WORK) || status=$$?; exit $$status
endif

test-latest:
	@$(MAKE) --no-print-directory test TF=latest

demo: build
	@$(VPY) tools/demo.py

bench: build
	@$(VPY) tools/bench.py $(if $(QUICK),--quick)

fuzz: build $(DEV)
	@CUDA_VISIBLE_DEVICES=-1 $(VPY) -m fuzz $(if $(CASES),--cases $(CASES)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED))

sanitize: build
	@$(VPY) -m fuzz.kernels $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED))

# The disk of some cases is in memory, where this user may mount one.
crash-test: build
	@$(VPY) -m crash --cases $(or $(CASES),30) --seed $(or $(SEED),0)

$(PEERS_READY): requirements-peers.txt
	$(call say,installing requirements-peers.txt into .venv-peers: this is large)
	@$(PYTHON) -m venv --clear .venv-peers
	@$(PEERS_PYTHON) tools/install.py requirements-peers.txt
	@touch $@

bench-peers: build $(PEERS_READY)
	@$(VPY) tools/bench_peers.py --peer $(PEERS_PYTHON) $(if $(QUICK),--quick) $(if $(THREADS),--threads $(THREADS))

ifneq ($(EXISTING),)
$(DOCS_READY): requirements-docs.txt
	@$(DOCS_PYTHON) -c "import material" 2>/dev/null || \
		{ echo "dsg: $(DOCS_PYTHON) lacks mkdocs-material: install requirements-docs.txt there" >&2; exit 1; }
	@mkdir -p $(@D) && touch $@
else
$(DOCS_READY):
	$(call say,setting up .venv-docs)
	@$(PYTHON) -m venv --clear .venv-docs
	@$(DOCS_PYTHON) tools/install.py requirements-docs.txt
	@touch $@
endif

docs: $(DOCS_READY)
	@NO_MKDOCS_2_WARNING=1 $(DOCS_PYTHON) -m mkdocs build --quiet --strict --clean
	$(call say,the site: build/site/index.html)

lint: $(DEV)
	@$(VPY) -m ruff check .
	@$(VPY) -m ruff format --check .

typecheck: $(DEV)
	@$(VPY) -m mypy lib/dsg benchmarks crash fuzz

format: $(DEV)
	@$(VPY) -m ruff check --fix .
	@$(VPY) -m ruff format .

clean:
	@rm -rf build dist lib/*.egg-info .pytest_cache .mypy_cache .ruff_cache
	@rm -f $(KERNELS:=.c) $(KERNELS:=.*.so)
	@find $(wildcard lib tests tools benchmarks crash fuzz) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv .venv-latest .venv-docs .venv-peers

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

FORCE:
