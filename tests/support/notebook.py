"""A notebook as somebody may type it, cell by cell, and its execution by Jupyter."""

import warnings

CELLS = {
    "summary": """
import signal
import minidl
from minidl import data, nn, optim, plots, teach, train
minidl.seed(0)
digits, test = (part[:2000] for part in data.mnist())
model = nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10))
model.summary()
""",
    "fit": """
optimizer = optim.Adam(model.parameters())
history = train.fit(model, digits, optimizer=optimizer, epochs=4, validation=test, callbacks=[train.LiveCurve()])
""",
    "history": "history",
    "plot": "history.plot()",
    "model": "model",
    "tensor": "minidl.exp(minidl.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True))",
    "loop": """
model.train()
book = teach.ledger(optimizer, [(model[2].bias, 3)])
for step, (x, y) in enumerate(data.Loader(digits, batch_size=100)):
    optimizer.zero_grad()
    loss = nn.softmax_cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(f"step {step}: {loss:.4f}")
book.detach()
""",
    "book": "book",
    "entry": "book.at(history[-1]['step'] + 1)",
    "compile": """
compiled = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
compiled(x, y)
compiled
""",
    "confusion": "plots.confusion(model, test)",
    "mistakes": "plots.mistakes(model, test, count=9)",
    "weights": "plots.weights(model, count=9)",
    "activations": "plots.activations(model, test)",
    "report": "train.classification_report(model, test)",
    "interrupt": """
def stop(run):
    if run.epoch == 3:
        signal.raise_signal(signal.SIGINT)

train.fit(model, digits, optimizer=optimizer, epochs=100, callbacks=[stop])
""",
    "last": "train.last_history()",
    "again": """
history = train.fit(model, digits, optimizer=optimizer, epochs=1)
model.predict(test.inputs[:5]).argmax(axis=1).shape
""",
}


def executed(cells=CELLS):
    """The notebook of these cells after its execution; where one fails, the others go on."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(code.strip(), id=name) for name, code in cells.items()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's own
        return NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60).execute()


if __name__ == "__main__":
    import sys

    import nbformat

    nbformat.write(executed(), sys.argv[1])
