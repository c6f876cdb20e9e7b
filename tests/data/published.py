"""Small random models as `transformers` saves published ones: config, weights and image processor in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DeformableDetrConfig,
    DeformableDetrForObjectDetection,
    DetrConfig,
    DetrForObjectDetection,
    ResNetConfig,
    ResNetModel,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    ViTConfig,
    ViTModel,
    YolosConfig,
    YolosForObjectDetection,
)

COLOURS = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PROCESSOR = {"do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, **COLOURS}
SHORTEST = {"shortest_edge": 64, "longest_edge": 96}
SQUARE = {"height": 64, "width": 64}
BLOCKS: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 24], "depths": [1, 1, 1, 1]}
LAYERS = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
SIZES = {**LAYERS, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "d_model": 32, "num_queries": 8}


def resnet() -> ResNetConfig:
    return ResNetConfig(**BLOCKS, layer_type="basic", out_features=["stage1", "stage2", "stage3", "stage4"])


def detr(folder: Path) -> Path:
    config = DetrConfig(use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=resnet(),
                        num_labels=5, **SIZES)  # fmt: skip
    return save(DetrForObjectDetection, config, folder, SHORTEST)


def deformable_detr(folder: Path) -> Path:
    blocks = ResNetConfig(**BLOCKS, layer_type="basic", out_features=["stage2", "stage3", "stage4"])
    sizes = {**SIZES, "decoder_layers": 2}  # it ties the heads of its layers, and refuses to have a single one
    config = DeformableDetrConfig(use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
                                  backbone_config=blocks, num_labels=5, num_feature_levels=3, **sizes)  # fmt: skip
    return save(DeformableDetrForObjectDetection, config, folder, SHORTEST)


def rt_detr(folder: Path) -> Path:
    blocks = RTDetrResNetConfig(**BLOCKS, layer_type="basic", out_features=["stage2", "stage3", "stage4"])
    config = RTDetrConfig(backbone_config=blocks, encoder_hidden_dim=16, encoder_in_channels=[8, 16, 24], d_model=16,
                          decoder_in_channels=[16, 16, 16], encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=8,
                          decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, num_denoising=0,
                          num_labels=5, hidden_expansion=0.5)  # fmt: skip
    return save(RTDetrForObjectDetection, config, folder, SQUARE)


def yolos(folder: Path) -> Path:
    config = YolosConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                         patch_size=16, image_size=[64, 64], num_detection_tokens=8, num_labels=5)  # fmt: skip
    return save(YolosForObjectDetection, config, folder, SQUARE)


def vit(folder: Path) -> Path:
    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, patch_size=16,
                       image_size=64)  # fmt: skip
    return save(ViTModel, config, folder, SQUARE)


def residual(folder: Path) -> Path:
    return save(ResNetModel, ResNetConfig(**BLOCKS, layer_type="basic"), folder, SQUARE)


def save(kind: Any, config: Any, folder: Path, size: dict[str, int]) -> Path:
    """A model with weights of one seed, saved. Those of a detector are spread wide, so that its boxes differ."""
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "backbone" not in name and config.num_labels == 5:
                parameter.mul_(3.0)
            if parameter.ndim > 1 and not parameter.any():  # tokens that begin as zeros
                parameter.normal_(0, 0.5)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, "size": size}))
    return folder


DETECTORS = {"detr": detr, "deformable_detr": deformable_detr, "rt_detr": rt_detr, "yolos": yolos}
