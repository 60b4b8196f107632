"""Executes every notebook, or with --write also saves it beside its source with its output.

The source is the .py file (jupytext percent); the .ipynb is made from it and never edited. Without
--write nothing is written: the cells must run, their assertions must hold, and the committed .ipynb
must have the source's cells.

`--to FOLDER NAME` executes one notebook and saves it, and its figures as SVG, in that folder.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent
WRITE = "--write" in sys.argv[1:]
TO = Path(sys.argv[2]) if sys.argv[1:2] == ["--to"] else None


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def execute(source):
    """What is wrong with the notebook of this source, or None."""
    target = source.with_suffix(".ipynb")
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        # Random ids would make every saved notebook differ from the one before.
        cell["id"] = f"cell-{number}"
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    if not WRITE and not TO:
        if not target.exists():
            return f"{target.name} is missing: run execute.py --write"
        if cells(nbformat.read(target, as_version=4)) != cells(notebook):
            return f"{target.name} is not made from {source.name}: run execute.py --write"
    client = NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return str(error)
    if WRITE:
        nbformat.write(notebook, target)
    if TO:
        save(notebook, source.stem)
    return None


def save(notebook, name):
    TO.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, TO / f"{name}.ipynb")
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    figures = [output.data["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]
    for number, figure in enumerate(figures, start=1):
        (TO / f"{name}-{number}.svg").write_text(figure)


# Modules that notebooks import have no header of jupytext.
sources = sorted(s for s in FOLDER.glob("*.py") if s.read_text().startswith("# ---\n"))
if TO:
    sources = [source for source in sources if source.stem == sys.argv[3]]
wrong = 0
for source in sources:
    fault = execute(source)
    wrong += fault is not None
    print(f"{source.name}: {fault or 'ok'}", flush=True)
sys.exit(wrong > 0)
