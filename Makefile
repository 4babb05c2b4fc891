# Two commands: `make demo` and `make test`. Everything is installed into .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help demo demo-numpy test test-all test-bare test-browser test-distributed check docs release grid fuzz bench clean

help:
	@echo "make demo        install with all frameworks, show the three gradients and who is right"
	@echo "make demo-numpy  the same with NumPy and SciPy alone: a small download"
	@echo "make test        install with all frameworks, run the tests; of what takes its time, every seventh case"
	@echo "make test-all    every case: half an hour on two cores"
	@echo "make test-bare   the command line with NumPy and SciPy alone, and without a compiler"
	@echo "make test-browser  the pages of reports in Chromium, which must be installed, with its chromedriver"
	@echo "make test-distributed  matrices of PETSc on one, two and three ranks; installs SLEPc and Open MPI of Debian"
	@echo "make check       ruff and mypy"
	@echo "make docs        the site, in site/html: every page runs, two or three minutes"
	@echo "make release     a wheel and an sdist, each installed and run on a bare environment"
	@echo "make grid        fill the table of transformations, docs/grid.md, with every cell: twenty minutes"
	@echo "make fuzz        20,000 random cases in every framework, judged in 80 digits, docs/fuzz.md: ten minutes"
	@echo "make bench       times beside every framework's own, docs/speed.md: a quarter of an hour, on an idle machine"

demo:
	@echo "This downloads PyTorch, TensorFlow, JAX, autograd, NumPy, SciPy and Matplotlib: about 0.7 GB, 3 GB in $(VENV), and"
	@echo "several GB more where PyTorch comes with its CUDA libraries. With NumPy and SciPy alone, 60 MB: make demo-numpy"
	@$(MAKE) --no-print-directory $(VENV)/all
	$(BIN)/eigengrad compare --plot eigengrad-compare.png
	@echo "The picture is in eigengrad-compare.png"

demo-numpy: $(VENV)/core
	$(BIN)/eigengrad compare

# Both cores have a process of pytest: what BLAS starts beside waits for its turn, and takes a tenth of the time.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# Compiling for JAX is most of the time of the tests: by XLA's older emitters it takes half as long, and what one test had
# compiled another loads.
COMPILER := XLA_FLAGS='--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1' \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1

test: $(VENV)/test
	compiled=$$(mktemp -d) && trap 'rm -rf "$$compiled"' EXIT INT TERM && \
	JAX_COMPILATION_CACHE_DIR="$$compiled" $(THREADS) $(COMPILER) EIGENGRAD_REQUIRE=numpy,torch,tensorflow,jax,autograd \
	$(BIN)/python -m pytest -n 2 --dist worksteal

# And by the emitters that users have.
test-all: $(VENV)/test
	EIGENGRAD_ALL=1 $(MAKE) --no-print-directory test COMPILER=

# The command line with NumPy and SciPy alone, of whatever is installed.
define bare
	rm -rf .venv-bare
	$(PYTHON) -m venv .venv-bare
	.venv-bare/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt $(1)
	cd .venv-bare && bin/eigengrad --version && bin/eigengrad compare && bin/python ../tests/bare.py
endef

# And where there is no compiler: LAPACK serves instead of the kernel for small matrices.
define uncompiled
	rm -rf build
	CC=/bin/false .venv-bare/bin/python -m pip --disable-pip-version-check install --quiet --force-reinstall --no-deps $(1)
	cd .venv-bare && bin/eigengrad --version | grep LAPACK && bin/python ../tests/bare.py
	rm -rf .venv-bare build
endef

test-bare:
	$(call bare,.)
	$(call uncompiled,.)

release: $(VENV)/release
	rm -rf build dist
	$(BIN)/python -m build --outdir dist
	$(call bare,dist/*.whl)
	$(call uncompiled,dist/*.tar.gz)

test-browser: $(VENV)/browser
	$(BIN)/python -m pytest tests/browser

test-distributed: .venv-distributed/ready
	.venv-distributed/bin/python -m pytest --confcutdir=tests/distributed tests/distributed

.venv-distributed/ready: pyproject.toml tests/distributed/install.sh tests/distributed/constraints.txt
	bash tests/distributed/install.sh .venv-distributed $(PYTHON)
	@touch $@

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

grid: $(VENV)/test
	EIGENGRAD_OPTIMIZE=1 $(BIN)/python tests/grid.py > docs/grid.md.new
	mv docs/grid.md.new docs/grid.md

fuzz: $(VENV)/test
	$(BIN)/python benchmarks/fuzz.py --page docs/fuzz.md

docs: $(VENV)/docs
	rm -rf site
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs site/html
	$(BIN)/python docs/links.py site/html
	@echo "The site is in site/html/index.html"

bench: $(VENV)/bench
	$(BIN)/python benchmarks/bench.py
	mv benchmarks/results/speed.json docs/speed.json
	$(BIN)/python benchmarks/page.py docs/speed.json

docs/three.png: docs/figures.py docs/drawing.py $(VENV)/docs
	$(BIN)/python $<

docs/plate.png docs/fiedler.png docs/huckel.png: docs/%.png: docs/draw_%.py docs/%.md docs/pages.py docs/drawing.py $(VENV)/docs
	$(BIN)/python $<

clean:
	rm -rf $(VENV) .venv-bare .venv-distributed build dist site src/*.egg-info

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'eigengrad needs Python 3.11 or later; name one with PYTHON=...')"
	$(PYTHON) -m venv $(VENV)

# All of them at once, for who runs everything: eigengrad is built once.
$(VENV)/everything: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[all,test,check,docs,browser]' build
	@touch $(addprefix $(VENV)/,core all test docs release browser) $@

$(VENV)/core: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/all: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[all]'
	@touch $@

$(VENV)/test: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[all,test,check]'
	@touch $@

$(VENV)/docs: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[all,docs]'
	@touch $@

$(VENV)/release: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) build
	@touch $@

# Two peers that not every machine can install; what is missing is not measured, and the page says so.
$(VENV)/bench: $(VENV)/all
	$(PIP) --editable '.[all,bench]' || echo "The optional peers cannot be installed here: measured without them."
	@touch $@

$(VENV)/browser: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[test,browser]'
	@touch $@
