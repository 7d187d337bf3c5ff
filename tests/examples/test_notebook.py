"""The notebook runs from its first cell to its last, whose assertions hold."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "digits.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
def test_the_notebook_runs(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient and ipykernel, of the extra `test`")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the notebook is kept without outputs"
    made = nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [cell["outputs"][-1]["data"]["text/plain"] for cell in made.cells if cell.get("outputs")]
    assert "(360, 1, 8, 8)" in outputs[0]
    assert "report.html" in outputs[-1]
