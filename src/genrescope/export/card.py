"""The model card of an exported model, with Hugging Face's headings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope.inference.model_info import ModelInfo
from genrescope.pages.render import interval, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genrescope.export.check import Parity
    from genrescope.export.quantise import Cost
    from genrescope.modelfile import Model
    from genrescope.results.figures import Share

_KNOWN_LICENCES = {
    "Apache License 2.0": "apache-2.0", "Apache-2.0": "apache-2.0", "MIT": "mit", "ISC": "isc", "CC0": "cc0-1.0",
    "CC BY 4.0": "cc-by-4.0", "CC BY-NC": "cc-by-nc-4.0",
}  # fmt: skip


_NAMED = 5  # sounds


FILE = """`{file}` is an ONNX graph from a waveform to scores.

```python
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
scores, starts = session.run(["scores", "starts"], {{"waveform": waveform}})  # {rate} Hz, mono, float32
```

`window_scores` has a row for each window, `starts` the seconds where windows begin, and `silent` whether they hold no
sound. The metadata of the file names the labels."""
"""How to get started with an ONNX file."""

WEB = """This folder is a web page that classifies songs inside the visitor's browser. Serve it with any web server:

```
python -m http.server --directory {folder}
```

`model/front_end.onnx` makes a window from samples, `model/network.onnx` its logits, and `model/pooling.onnx` scores of
the logits of all windows; `model/model.json` names the labels and where windows lie."""
"""How to get started with a web page."""


def text(model: Model, parity: Parity, cost: Cost | None, *, start: str, checked_on: Sequence[str]) -> str:
    """Return the model card as Markdown.

    Args:
        model: what was exported.
        parity: of the export with torch.
        cost: of quantisation.
        start: how to get started, in Markdown.
        checked_on: names of the sounds of the comparison.
    """
    info = ModelInfo.of(model)
    sections = (
        _front_matter(info),
        f"# {info.name}",
        _details(info, model),
        _uses(info, start),
        _limits(model),
        _training(info),
        _evaluation(info),
        _technical(parity, cost, checked_on),
        _citation(info),
        *([f"## License\n\n{info.licence}"] if len(info.licence.splitlines()) > 1 else []),
    )
    return "\n\n".join(sections) + "\n"


def _front_matter(info: ModelInfo) -> str:
    licence = next((tag for name, tag in _KNOWN_LICENCES.items() if name in info.licence), "other")
    lines = ["---", f"license: {licence}"]
    if licence == "other":
        lines.append(f"license_name: {json.dumps(' '.join(info.licence.split())[:200], ensure_ascii=False)}")
    lines += ["library_name: onnx", "pipeline_tag: audio-classification"]
    lines += ["tags:", "- genrescope", "- audio-classification", "- music", "- music-genre", "- onnx"]
    lines += ["metrics:", "- accuracy"] if info.scores else []
    lines += ["model-index:", f"- name: {json.dumps(info.name)}", "  results:"] if info.scores else []
    for subject, figures in info.scores.items():
        share = _headline(figures)
        lines += [
            "  - task:", "      type: audio-classification", "    dataset:",
            f"      name: {json.dumps(info.trained_on['name'] or 'data of its own', ensure_ascii=False)}",
            f"      type: {json.dumps(subject, ensure_ascii=False)}",
            "    metrics:", "    - type: accuracy", f"      value: {share['value']:.4f}",
        ]  # fmt: skip
    return "\n".join([*lines, "---"])


def _details(info: ModelInfo, model: Model) -> str:
    kind = "exactly one label a song (softmax)" if info.exclusive else "any number of labels a song (sigmoid)"
    return "\n".join([
        "## Model Details", "",
        f"It classifies music: {kind}.", "",
        f"- **Labels:** {', '.join(info.labels)}",
        f"- **Input:** `waveform`, float32 (samples,), mono, in [-1, 1], at {info.sample_rate:,} Hz; any length",
        f"- **Windows:** {info.window_seconds:.2f} s; windows without sound are left out of the mean",
        f"- **Architecture:** {model.header.model}, {info.parameters:,} parameters",
        f"- **License:** {_licence_line(info)}",
        f"- **Made with:** genrescope {genrescope.__version__}",
    ])  # fmt: skip


def _licence_line(info: ModelInfo) -> str:
    first = next(iter(info.licence.splitlines()), "")
    return first if first == info.licence else f"{first}; in full at the end"


def _uses(info: ModelInfo, start: str) -> str:
    return f"""## Uses

Genres of whole songs, or of excerpts of {info.window_seconds:.0f} seconds and more.

## How to Get Started with the Model

{start}"""


def _limits(model: Model) -> str:
    unknown = (
        "`unknown` says whether a song is probably none of the labels; it does not find all such songs."
        if model.header.unknown_above is not None
        else "A song of another genre gets the nearest of the labels."
    )
    return f"""## Bias, Risks, and Limitations

Genres are conventions; labelled songs come from few countries and decades. Confidence is
calibrated at most on music like the training data. {unknown}"""


def _training(info: ModelInfo) -> str:
    data = info.trained_on
    lines = ["## Training Details", "", f"- **Training data:** {data['name'] or 'not public'}"]
    lines.append(f"- **Terms of the data:** {' '.join(data['licence'].split())}")
    return "\n".join([*lines, *([f"- **To cite for the data:** {data['citation']}"] if data["citation"] else [])])


def _evaluation(info: ModelInfo) -> str:
    lines = ["## Evaluation", ""]
    if not info.scores:
        return "\n".join([*lines, "The model file holds no scores. `genrescope evaluate` adds them."])
    lines += ["| split and part | accuracy by track | 95 % interval | tracks |", "|---|---|---|---|"]
    for subject, figures in info.scores.items():
        share = _headline(figures)
        lines.append(f"| {subject} | {percent(share['value'])} | {interval(share['interval'])} | {share['total']} |")
    return "\n".join(lines)


def _headline(figures: dict[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = figures[figures.get("verdict", "vote")]
    return chosen


def _technical(parity: Parity, cost: Cost | None, checked_on: Sequence[str]) -> str:
    lines = ["## Technical Specifications", ""]
    names = [*checked_on[:_NAMED], *(["..."] if len(checked_on) > _NAMED else [])]
    lines.append(
        f"In single precision the scores differ from PyTorch's by {parity.largest:.1e} at most, of windows "
        f"by {parity.largest_of_windows:.1e}, on "
        f"{counted(parity.windows, 'window')} of {counted(parity.sounds, 'sound')} ({', '.join(names)})."
    )
    if cost is not None:
        lines += ["", *cost_lines(cost)]
    return "\n".join(lines)


def cost_lines(cost: Cost) -> Iterator[str]:
    """Yield what quantisation costs, in sentences."""
    yield (
        f"int8: scores differ by {cost.parity.largest:.3f} at most; {cost.parity.agree} of "
        f"{counted(cost.parity.sounds, 'sound')} with the same genre."
    )
    if cost.before and cost.after and cost.agree:
        yield (
            f"int8 on {cost.data}: accuracy {_share(cost.before)} in single precision, {_share(cost.after)} in int8; "
            f"{cost.agree.correct} of {cost.agree.total} tracks keep their genre."
        )


def counted(number: int, what: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "sound"), counted(3, "sound")
        ('1 sound', '3 sounds')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _share(share: Share) -> str:
    return f"{percent(share.value)} ({interval(share.interval)})"


def _citation(info: ModelInfo) -> str:
    return f"## Citation\n\n{info.citation or 'There is nothing to cite for the weights.'}"
