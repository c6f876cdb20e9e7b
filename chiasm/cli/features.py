"""Make features of your own images, or convert, show and export them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Precision(StrEnum):
    """Of features in a store."""

    float16 = "float16"
    float32 = "float32"


Out = Annotated[Path, typer.Option(metavar="STORE", help="The feature store to make; it must not exist.")]
Store = Annotated[Path, typer.Argument(metavar="STORE", help="A feature store.")]
Kept = Annotated[Precision, typer.Option(help="How numbers are kept.")]


def extract(
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="A folder, a zip archive, an image, or a .txt with a path a line.")
    ],
    out: Out,
    extractor: Annotated[
        str, typer.Option(metavar="NAME", help="pixels, grid, or a model of transformers: a folder or a Hub name.")
    ] = "pixels",
    regions: Annotated[
        int | None, typer.Option(min=1, help="At most so many regions an image, the surest ones.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Only detections at least this sure.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Any option of the extractor, e.g. pool=roi, part=grid."),
    ] = None,
    dtype: Kept = Precision.float16,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Work as actors on a Ray cluster instead (extra ray).")] = False,
) -> None:
    """Make a feature store of your own images.

    A detector gives boxes, classes, confidences and a vector for each region; another image encoder (ViT, ResNet, ...)
    its patches, a grid or one vector; pixels and grid need no weights. What is interrupted goes on when the same
    command is given again. Images that cannot be read are named at the end.

    \b
    Examples:
      chiasm features extract photos --extractor PekingU/rtdetr_r50vd --regions 36 --out store
      chiasm features extract photos --extractor models/detr --threshold 0.5 --option pool=roi --out store
      chiasm features extract photos --extractor google/vit-base-patch16-224 --option part=grid --out store --workers 4
      chiasm features extract photos --extractor pixels --out store
    """
    from chiasm.cli._show import written
    from chiasm.data.extraction import extract as run
    from chiasm.data.extractors import chosen_extractor
    from chiasm.data.image_files import find_images

    options = _options(option)
    options |= {key: value for key, value in (("regions", regions), ("threshold", threshold)) if value is not None}
    name, options = chosen_extractor(extractor, options)
    found, others = find_images(images)
    done = run(found, out, name, options, dtype=dtype.value, workers=workers, ray=ray)
    for reason in done.bad.values():
        print(f"left out: {reason}")
    again = f", {done.kept} of them by the interrupted extraction" if done.kept else ""
    print(f"{len(done.store)} of {len(found)} images{again}; {len(done.bad)} left out, {others} files are no images")
    show(out)
    written(out)


def import_store(
    place: Annotated[Path, typer.Argument(metavar="FILES", help="The file or folder to read.")],
    format_name: Annotated[str, typer.Option("--format", metavar="NAME", help="What it is: see below.")],
    out: Out,
    made_by: Annotated[str, typer.Option(metavar="NAME", help="What extractor made the features.")] = "",
    version: Annotated[str, typer.Option(metavar="TEXT", help="Its version or weights.")] = "unknown",
    ids: Annotated[str, typer.Option(metavar="TEMPLATE", help="Image ids of those in the files.")] = "{}",
    dtype: Kept = Precision.float16,
) -> None:
    """Make a feature store of files that other tools wrote.

    \b
    Formats:
      tsv    LXMERT, bottom-up attention: base64 in tab-separated lines (a file, or a folder of .tsv)
      npy    MMF, Pythia: <id>.npy with <id>_info.npy; or <id>.npy with <id>_boxes.npy in [0, 1]
      lmdb   MMF's LMDB folder (extra lmdb)
      hdf5   BAN, ReGAT: train36.hdf5 or train.hdf5 beside its <name>_imgid2idx.pkl (extra hdf5)
      npz    one .npz an image, of bottom-up-attention.pytorch or of `chiasm features export`

    \b
    Examples:
      chiasm features import train2014_obj36.tsv --format tsv --out store
      chiasm features import train36.hdf5 --format hdf5 --made-by bottom-up --ids "COCO_train2014_{:012d}" --out store
      chiasm features import detectron/ --format npy --made-by "MMF X-101 detectron" --out store
    """
    from chiasm.cli._show import written
    from chiasm.data.importers import import_features

    made = import_features(place, format_name, out, made_by=made_by, version=version, dtype=dtype.value, ids=ids)
    for reason in made.about["left_out"].values():
        print(f"left out: {reason}")
    show(out)
    written(out)


def export(
    store: Store,
    format_name: Annotated[str, typer.Option("--format", metavar="NAME", help="tsv (one file) or npz (a folder).")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The file or folder to write; it must not exist.")],
    images: Annotated[
        Path | None,
        typer.Option(metavar="IMAGES", help="The images, for boxes in pixels.  [default: boxes of a 1 x 1 image]"),
    ] = None,
) -> None:
    """Write a feature store as files that other tools read.

    \b
    Examples:
      chiasm features export store --format tsv --images photos --out obj36.tsv
      chiasm features export store --format npz --out folder
    """
    from chiasm.cli._show import written
    from chiasm.data.exporters import export_features
    from chiasm.data.features import FeatureStore
    from chiasm.data.image_files import find_images

    places = find_images(images)[0] if images is not None else None
    count = export_features(FeatureStore(store), format_name, out, images=places)
    print(f"{count} images")
    written(out)


def show(
    store: Store,
    check: Annotated[bool, typer.Option("--check", help="Read all of it: are its bytes those written?")] = False,
) -> None:
    """Say what a feature store holds and which extractor made it.

    \b
    Examples:
      chiasm features show store
      chiasm features show store --check
    """
    from chiasm.data.features import FeatureStore

    opened = FeatureStore(store)
    about, each = opened.about, opened.record["regions_per_image"]
    regions = f"{opened.record['regions']} regions" + (f", {each} an image" if each else "")
    print(f"{store}: {len(opened)} images, {regions}, {opened.feature_size} numbers each ({opened.record['dtype']})")
    print(f"made by {opened.identity}")
    if about.get("label_names"):
        print(f"{len(about['label_names'])} classes: {', '.join(about['label_names'][:8])}, ...")
    if about.get("left_out"):
        print(f"{len(about['left_out'])} images could not be read and are not in it")
    if check:
        opened.check_bytes()
        print("its bytes are those that were written")


def graphs(
    store: Store,
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="The images of the store, for their sizes.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The scene graphs, as GQA's JSON.")],
    threshold: Annotated[float, typer.Option(help="Only regions at least this sure, where that is known.")] = 0.3,
    regions: Annotated[int, typer.Option(min=1, help="At most so many objects a graph.")] = 36,
) -> None:
    """Make scene graphs of detected boxes: names, places, and how things lie to each other.

    \b
    Examples:
      chiasm features graphs store photos --threshold 0.5 --out sceneGraphs/mine_sceneGraphs.json
    """
    from chiasm.cli._show import written
    from chiasm.data.features import FeatureStore
    from chiasm.data.image_files import find_images
    from chiasm.data.store_graphs import write_graphs

    count = write_graphs(FeatureStore(store), find_images(images)[0], out, threshold=threshold, regions=regions)
    print(f"{count} scene graphs")
    written(out)


def ocr(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="A folder, a zip archive or an image.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The words of each image, as JSON lines.")],
    language: Annotated[str, typer.Option(help="Tesseract's name of the language.")] = "eng",
    threshold: Annotated[float, typer.Option(help="Only words at least this sure.")] = 0.3,
) -> None:
    """Read the words in pictures, with their boxes, by tesseract (extra ocr).

    \b
    Examples:
      chiasm features ocr photos --out words.jsonl
    """
    from chiasm.cli._show import written
    from chiasm.data.image_files import find_images
    from chiasm.data.ocr import write_words

    found, _ = find_images(images)
    words, bad = write_words(found, out, language=language, threshold=threshold)
    for reason in bad.values():
        print(f"left out: {reason}")
    print(f"{words} words in {len(found) - len(bad)} images")
    written(out)


def dialogues(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The folder that the source reads.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where dialogues.jsonl and the features go.")],
    source: Annotated[str, typer.Option(help="What kind of data it is: dialogues, meld, iemocap, mosi.")] = "dialogues",
    splits: Annotated[
        list[str] | None, typer.Option("--split", help="A split to take; may be repeated.  [default: the source's]")
    ] = None,
    speech: Annotated[
        Path | None,
        typer.Option(metavar="SOUNDS", help="Add 'audio' features of the files <dialogue>_<position>.wav in SOUNDS."),
    ] = None,
    speech_set: Annotated[str, typer.Option(help="openSMILE's set of speech features.")] = "eGeMAPSv02",
    text_cnn: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Add 'text' features by a trained text CNN (recipe text_cnn_meld)."),
    ] = None,
) -> None:
    """Utterance features of dialogues from sounds, words or a published pickle.

    They are written as the source `dialogues` reads them. Without --speech and --text-cnn it only converts: IEMOCAP's
    published pickle becomes plain files; the pickle is read without being run. Utterances are numbered from 0 in each
    dialogue.

    \b
    Examples:
      chiasm features dialogues IEMOCAP --source iemocap --out iemocap_plain
      chiasm features dialogues MELD --source meld --split train --text-cnn runs/text_cnn_meld/bundle --out meld_text
      chiasm features dialogues DIALOGUES --speech WAVS --out with_audio
    """
    from chiasm.cli._show import written
    from chiasm.data.dialogue_folder import DIALOGUES, gathered, with_features, write_dialogues
    from chiasm.data.sources import source as source_file

    read = source_file(source)
    chosen = splits or list(read.SPLITS)
    dialogues = [one for split in chosen for one in gathered(read.read(data, split), split)]
    if speech is not None:
        from chiasm.data.speech import SpeechFeatures, speech_tables

        dialogues = with_features(dialogues, "audio", speech_tables(dialogues, speech, SpeechFeatures(speech_set)))
    if text_cnn is not None:
        from chiasm.training.bundle import Bundle
        from chiasm.training.text_features import text_tables

        dialogues = with_features(dialogues, "text", text_tables(dialogues, Bundle.load(text_cnn)))
    write_dialogues(out, dialogues)
    written(out / DIALOGUES)


def _options(given: Sequence[str] | None) -> dict[str, Any]:
    """{"pool": "roi", "rows": 3} of ["pool=roi", "rows=3"]. Raises BadParameter."""
    import json

    options: dict[str, Any] = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{text!r} should be KEY=VALUE, e.g. pool=roi")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options


commands = {
    "extract": extract,
    "import": import_store,
    "export": export,
    "show": show,
    "graphs": graphs,
    "ocr": ocr,
    "dialogues": dialogues,
}
