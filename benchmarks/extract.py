"""How fast images become regions: `chiasm features extract` beside calling the detector image by image.

    python benchmarks/extract.py [--model FOLDER_OR_NAME] [--images DIR] [--count 64] [--batch 8] [--workers 1]

"image by image" is what people write: open, the model's own processor, one forward pass, keep the surest boxes. Both
ways do the same work from files to a store on disk; without --model a small random DETR, without --images made-up
photos of two sizes. Loading the model is counted for `extract` only, which does it itself. Printed: images a second and
per CPU second, and the largest difference of a box between the two ways: batching must not change what is found.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from chiasm.data.extraction import extract
from chiasm.data.extractors import make_extractor
from chiasm.data.features import FeatureStore
from chiasm.data.image_files import find_images
from chiasm.data.images import open_image
from chiasm.data.store_writer import StoreWriter

REGIONS = 36


def small_detector(folder: Path) -> Path:
    """A random DETR over a ResNet-18, as `transformers` saves one."""
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    torch.manual_seed(0)
    blocks = ResNetConfig(
        embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic",
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=blocks, num_labels=91,
        encoder_layers=2, decoder_layers=2, encoder_ffn_dim=512, decoder_ffn_dim=512, num_queries=100,
    )  # fmt: skip
    DetrForObjectDetection(config).save_pretrained(folder)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    size = {"shortest_edge": 320, "longest_edge": 533}
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": size, **colours}))
    return folder


def photos(folder: Path, count: int) -> None:
    """Made-up photos, upright and across, as JPEG."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((640, 480) if i % 3 else (480, 640)).save(folder / f"{i:06d}.jpg", quality=90)


def one_by_one(images: dict[str, str], extractor: Any, store: Path) -> None:
    """What people write around a detector."""
    with StoreWriter(store, extractor.identity, dtype="float16") as writer, torch.inference_mode():
        for name, path in images.items():
            image = open_image(path)
            output = extractor.model(pixel_values=torch.from_numpy(extractor.preparation(image))[None])
            scores, labels = output.logits[0].softmax(-1)[:, :-1].max(-1)
            kept = scores.argsort(descending=True, stable=True)[:REGIONS]
            x, y, width, height = output.pred_boxes[0, kept].unbind(-1)
            boxes = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1).clamp(0, 1)
            features = output.last_hidden_state[0, kept]
            writer.append(name, features, boxes, labels=labels[kept], confidences=scores[kept])


def used() -> float:
    """CPU seconds of this process and those that it started and that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a DETR of transformers, in a folder or on the Hub")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or str(small_detector(folder / "model"))
        if options.images is None:
            photos(folder / "images", options.count)
        images = dict(list(find_images(options.images or folder / "images")[0].items())[: options.count])
        chosen = {"model": model, "regions": REGIONS, "batch_size": options.batch}
        extractor = make_extractor("detector", chosen)
        extractor.extract([(open_image(next(iter(images.values()))), None)])  # warm
        numbers = {}
        for way in ("image by image", "extract", "extract", "image by image"):
            store = folder / f"{way}-{len(list(folder.iterdir()))}"
            clock, cpu = time.perf_counter(), used()
            if way == "extract":
                extract(images, store, "detector", chosen, workers=options.workers)
            else:
                one_by_one(images, extractor, store)
            seconds = (time.perf_counter() - clock, used() - cpu)
            numbers.setdefault(way, []).append(seconds)
            numbers.setdefault("stores", []).append(str(store))
        report(numbers, len(images), options.json)


def report(numbers: dict[str, Any], count: int, target: Path | None) -> None:
    """Print the better of both runs of each way."""
    stores = [FeatureStore(store) for store in numbers.pop("stores")]
    boxes = [store.flat.boxes for store in stores]
    print(f"{count} images, {torch.get_num_threads()} threads; the better of two runs, in the order A B B A")
    found: dict[str, Any] = {"images": count, "difference": float((boxes[0] - boxes[1]).abs().max())}
    for way, runs in numbers.items():
        best = [count / min(run[i] for run in runs) for i in (0, 1)]
        found[way] = {"images_per_second": best[0], "images_per_cpu_second": best[1]}
        print(f"{way:<16}{best[0]:>9.2f} images/s{best[1]:>9.2f} images per CPU second")
    ratio = found["extract"]["images_per_second"] / found["image by image"]["images_per_second"]
    print(f"extract is {ratio:.2f} times as fast; largest difference of a box {found['difference']:.1e}")
    if target:
        target.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
