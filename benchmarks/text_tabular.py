"""Every combining method of Multimodal-Toolkit on a data set's folds, beside what people would run instead.

    python benchmarks/text_tabular.py clothing --data FOLDER --out runs/clothing
    python benchmarks/text_tabular.py petfinder --data FOLDER --out runs/petfinder

The rows of Table 3, the table-only model, the majority answer and scikit-learn's gradient boosting (on the table, and
on the table with 50 components of TF-IDF), all on the same folds. A method that is in the output folder is not run
again. The text encoder is the small recipe's, trained here from nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OrdinalEncoder

from chiasm.data.example import Example
from chiasm.data.table import label
from chiasm.metrics import classification, precision_recall
from chiasm.metrics.compare import mcnemar
from chiasm.training.data import BadRowPolicy, read_splits
from chiasm.training.folds import cross_validate, divided, mean_of_folds
from chiasm.training.recipe import Recipe, load_recipe
from chiasm.training.tables import load_table

METHODS = ("text_only", "unimodal", "concat", "mlp_concat", "concat_mlp", "attention", "gating", "weighted_sum")
BASELINES = ("majority", "boosting_table", "boosting_table_text")
SHOWN = {
    "clothing": {"best_f1": "F1", "auprc": "AUPRC", "accuracy": "accuracy"},
    "petfinder": {"macro_f1": "F1 macro", "micro_f1": "F1 micro"},
}
SPLITS = {"clothing": ("train", "val"), "petfinder": ("val",)}


def recipe_of(data_set: str, method: str, settings: Sequence[str]) -> Recipe:
    """The small recipe with the changes of one row of Table 3; the table-only model is ours."""
    raw: dict[str, Any] = copy.deepcopy(dict(load_recipe(f"text_tabular_{data_set}_small").raw))
    first, *rest = SPLITS[data_set]
    raw["data"] |= {"train": [first], "validation": rest}
    rows = {row.name: row.settings for row in load_table(f"text_tabular/3_{data_set}").rows}
    rows["table_only"] = ("options.combine=concat", "options.use_text=false")
    return Recipe(raw).with_settings([*rows[method], *settings])


def run_method(data_set: str, method: str, args: argparse.Namespace) -> dict[str, Any]:
    """One row of the table: our model on every fold."""
    recipe = recipe_of(data_set, method, args.settings)
    found = cross_validate(recipe, args.data, args.out / method, folds=args.folds, overwrite=True, show=False)
    answers = {p.id: p.answer for p in found.predictions}
    right = {e.id: str(answers[e.id]) == label(e.values["answer"]) for e in found.examples}
    return {
        "by_fold": {name: list(values) for name, values in found.by_fold.items()},
        "seconds_per_epoch": found.seconds_per_epoch,
        "peak_megabytes": found.peak_bytes / 2**20,
        "right": right,
    }


def features(
    rows: Sequence[Example], fitted: dict[str, Any] | None, *, text: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """The table, and components of the text, as scikit-learn wants them; what is learnt comes from the first call."""
    table = pd.DataFrame([example.values["table"] for example in rows])
    numbers = table.apply(pd.to_numeric, errors="coerce")
    words = table.columns[numbers.notna().sum() < table.notna().sum()]
    texts = [example.values["text"] for example in rows]
    if fitted is None:
        fitted = {"words": words}
        unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        fitted["codes"] = OrdinalEncoder(**unknown).fit(table[words].map(label))
        if text:
            fitted["tfidf"] = TfidfVectorizer(min_df=3, ngram_range=(1, 2), sublinear_tf=True).fit(texts)
            fitted["svd"] = TruncatedSVD(50, random_state=0).fit(fitted["tfidf"].transform(texts))
    words = fitted["words"]
    parts = [numbers.drop(columns=words).to_numpy(float), fitted["codes"].transform(table[words].map(label))]
    if text:
        parts.append(fitted["svd"].transform(fitted["tfidf"].transform(texts)))
    return np.concatenate(parts, axis=1), fitted


def run_baseline(data_set: str, name: str, args: argparse.Namespace) -> dict[str, Any]:
    """One row of the table that is none of ours, on the same folds."""
    recipe = recipe_of(data_set, "concat", ())
    examples = [e for split in read_splits(recipe, args.data, BadRowPolicy()).values() for e in split]
    by_fold: dict[str, list[float]] = {}
    right: dict[str, bool] = {}
    for splits in divided(examples, args.folds):
        train, test = splits["train"], splits["test"]
        y, truth = ([label(e.values["answer"]) for e in rows] for rows in (train, test))
        labels = sorted(set(y) | set(truth))
        if name == "majority":
            share = np.array([y.count(one) for one in labels], dtype=float) / len(y)
            scores = np.tile(share, (len(test), 1))
        else:
            text = name == "boosting_table_text"
            x, fitted = features(train, None, text=text)
            model = HistGradientBoostingClassifier(random_state=0).fit(x, y)
            scores = model.predict_proba(features(test, fitted, text=text)[0])
            labels = list(model.classes_)
        answers = [labels[i] for i in scores.argmax(1)]
        measured = classification.evaluate(truth, answers, sorted({*labels, *truth}), by_label=False)
        if data_set == "clothing":
            measured |= precision_recall.evaluate([t == "1" for t in truth], scores[:, labels.index("1")])
        for metric, estimate in measured.items():
            by_fold.setdefault(metric, []).append(estimate.value)
        right |= {e.id: a == t for e, a, t in zip(test, answers, truth, strict=True)}
    return {"by_fold": by_fold, "right": right}


def markdown(data_set: str, found: Mapping[str, Mapping[str, Any]], paper: Mapping[str, Any]) -> str:
    """The table: mean (interval over folds), the paper's number, a paired test against text only, time and memory."""
    shown = SHOWN[data_set]
    paired = "p against text only" if "text_only" in found else "p"
    head = [*(f"{title} (paper)" for title in shown.values()), paired, "s per epoch", "MB"]
    lines = [f"| method | {' | '.join(head)} |", f"|---|{'---|' * len(head)}"]
    for name, result in found.items():
        cells = []
        for metric in shown:
            mean = mean_of_folds(result["by_fold"][metric])
            printed = paper.get(name, {}).get(metric)
            told = f" ({printed:.3f})" if printed is not None else ""
            cells.append(f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]{told}")
        cells.append(_paired(found, name))
        cells.append(f"{result['seconds_per_epoch']:.1f}" if "seconds_per_epoch" in result else "")
        cells.append(f"{result['peak_megabytes']:.0f}" if "peak_megabytes" in result else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _paired(found: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """McNemar's exact test of the answers against text only, on every fold's test rows."""
    if name == "text_only" or "text_only" not in found:
        return ""
    first, second = found[name]["right"], found["text_only"]["right"]
    ids = sorted(first)
    return f"{mcnemar([first[i] for i in ids], [second[i] for i in ids]).p_value:.2g}"


def main() -> None:
    """Run what is missing, then print every result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=sorted(SHOWN))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--rows", nargs="*", default=[*BASELINES, "table_only", *METHODS], help="which rows to run")
    parser.add_argument("--set-option", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for name in args.rows:
        file = args.out / f"{name}.json"
        if not file.is_file():
            run = run_baseline if name in BASELINES else run_method
            result = run(args.set, name, args)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(result) + "\n", encoding="utf-8")
        found[name] = json.loads(file.read_text(encoding="utf-8"))
        print(name, {m: round(mean_of_folds(found[name]["by_fold"][m]).value, 4) for m in SHOWN[args.set]}, flush=True)
    print(markdown(args.set, found, load_recipe(f"text_tabular_{args.set}_small").paper))


if __name__ == "__main__":
    main()
