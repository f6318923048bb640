"""Results: what was measured, as the types that the JSON files on disk are written from and read back through.

```
RUN/evaluation.json         Evaluation         evaluate, transfer; other parts and data sets: see `places`
OUT/crossval.json           CrossValidation    train --folds, transfer --folds
                            MultiLabelEvaluation in both, where tracks have several genres
OUT/compare.json            Comparison         compare
OUT/robustness.json         RobustnessResult   robustness
```

`read_evaluation` and `read_result` open them, `write` writes them. `python -m genrescope.results FOLDER` writes their
JSON Schemas.
"""

from genrescope.results.comparison import (
    AdjustedDifference,
    ComparedGenre,
    Comparison,
    Entry,
    EntryAccuracy,
    GenreEntry,
    NamedDifference,
)
from genrescope.results.evaluation import CrossValidation, Evaluation, FoldResult, Folds, NegativeFigures, Summary
from genrescope.results.facts import AuditFacts, DataFacts, HeldOutFacts, MachineFacts, ModelFacts, TrainingFacts
from genrescope.results.figures import (
    Accuracies,
    Bin,
    Calibration,
    CalibrationError,
    Chance,
    ConfusedPair,
    Difference,
    GenreFigures,
    Interval,
    Level,
    Share,
    TrackRow,
    TrackShare,
    Verdict,
    WindowShare,
)
from genrescope.results.files import (
    COMPARE_NAME,
    CROSSVAL_NAME,
    EVALUATION_NAME,
    ROBUSTNESS_NAME,
    read_comparison,
    read_evaluation,
    read_robustness,
    write,
)
from genrescope.results.multi_label import Estimate, LabelFigures, LabelFold, LabelFolds, LabelRow, MultiLabelEvaluation
from genrescope.results.places import OWN_PART, evaluation_folder, read_either, read_result, result_file
from genrescope.results.prediction_table import predictions
from genrescope.results.robustness import ConditionFigures, RobustnessResult, RobustnessRow

__all__ = [
    "COMPARE_NAME", "CROSSVAL_NAME", "EVALUATION_NAME", "OWN_PART", "ROBUSTNESS_NAME", "Accuracies",
    "AdjustedDifference", "AuditFacts", "Bin", "Calibration", "CalibrationError", "Chance", "ComparedGenre",
    "Comparison", "ConditionFigures", "ConfusedPair", "CrossValidation", "DataFacts", "Difference", "Entry",
    "EntryAccuracy", "Estimate", "Evaluation", "FoldResult", "Folds", "GenreEntry", "GenreFigures", "HeldOutFacts",
    "Interval", "LabelFigures", "LabelFold", "LabelFolds", "LabelRow", "Level", "MachineFacts", "ModelFacts",
    "MultiLabelEvaluation", "NamedDifference", "NegativeFigures", "RobustnessResult", "RobustnessRow", "Share",
    "Summary", "TrackRow", "TrackShare", "TrainingFacts", "Verdict", "WindowShare", "evaluation_folder",
    "predictions", "read_comparison", "read_either", "read_evaluation", "read_result", "read_robustness",
    "result_file", "write",
]  # fmt: skip
