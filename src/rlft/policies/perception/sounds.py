"""Sounds as a token for each forty milliseconds: Qwen2-Audio and its like, whose trunk is called as for a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

from torch import nn

from rlft.policies.perception.kept import Looked
from rlft.policies.perception.llava import Straight
from rlft.policies.perception.media import Shown, sound


@final
class Qwen2Audio(Straight):
    """Qwen2-Audio (Chu et al. 2024, arXiv:2407.10759): Whisper's encoder on log-mel spectrograms of one length."""

    kind: ClassVar[str] = "audio"

    @property
    def symbol(self) -> str:
        return self.processor.audio_token

    @property
    def alone(self) -> str:
        own, known = self.processor, self.tokenizer.get_vocab()
        around = own.audio_bos_token, own.audio_eos_token
        return f"{around[0]}{self.symbol}{around[1]}" if all(word in known for word in around) else self.symbol

    def read(self, shown: Sequence[Shown]) -> Looked:
        extractor = self.processor.feature_extractor
        rate = extractor.sampling_rate
        told = {"sampling_rate": rate, "return_attention_mask": True, "padding": "max_length", "return_tensors": "pt"}
        made = extractor([sound(one.held, one.rate, rate) for one in shown], **told)
        mask = made["attention_mask"]
        counts = [_halved_twice(length) for length in mask.sum(-1).tolist()]
        features = {"input_features": made["input_features"], "feature_attention_mask": mask}
        return Looked(features, [self.symbol * count for count in counts])

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.audio_tower, [model.base_model.multi_modal_projector]


@final
class Windows(Straight):
    """Audio Flamingo 3 (Goel et al. 2025, arXiv:2507.08128): windows of thirty seconds, one behind the other."""

    kind: ClassVar[str] = "audio"

    @property
    def symbol(self) -> str:
        return self.processor.audio_token

    def read(self, shown: Sequence[Shown]) -> Looked:
        extractor = self.processor.feature_extractor
        rate, texts, windows = extractor.sampling_rate, [], []
        for one in shown:
            samples = sound(one.held, one.rate, rate)
            size = int(rate * extractor.chunk_length)
            windows += [samples[start : start + size] for start in range(0, len(samples), size)]
            texts.append(-(-len(samples) // size))
        told = {"sampling_rate": rate, "return_attention_mask": True, "padding": "max_length", "return_tensors": "pt"}
        made = extractor(windows, **told)
        mask = made["attention_mask"]
        lengths = [int(part.sum()) for part in mask.split(texts)]
        features = {"input_features": made["input_features"], "input_features_mask": mask}
        return Looked(features, [self.symbol * _halved_twice(length) for length in lengths])

    def parts(self, model: Any) -> tuple[nn.Module, list[nn.Module]]:
        return model.base_model.audio_tower, [model.base_model.multi_modal_projector]


def _halved_twice(frames: int) -> int:
    """Tokens of so many frames: two convolutions, of which one halves, and a mean over pairs."""
    return (((frames - 1) // 2 + 1) - 2) // 2 + 1
