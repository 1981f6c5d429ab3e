"""The parts of a processor where the whole needs a library that is not here: pictures and text, and no film.

`AutoProcessor` of several families asks for torchvision, only because of films. What is used here of their processors
are the image processor, the tokenizer and the chat template, which load without it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rlft.types import UserError

# What a folder has of a processor.
_FILES = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json", "chat_template.json")


class Apart:
    """An image processor and a tokenizer side by side, and where they came from.

    settings    what the processor's own file says of it
    """

    def __init__(self, image_processor: Any, tokenizer: Any, settings: dict[str, Any], source: Path | None = None):
        self.image_processor, self.tokenizer, self.settings, self.source = image_processor, tokenizer, settings, source

    @property
    def chat_template(self) -> Any:
        """The tokenizer's, which has read the file that both have."""
        return self.tokenizer.chat_template

    def save_pretrained(self, folder: str | Path) -> None:
        """Both, and beside them the files of the processor as they were: who has the library loads it whole."""
        folder = Path(folder)
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(folder)
        if self.source is not None and self.source.resolve() != folder.resolve():
            for name in _FILES:
                if (self.source / name).is_file():
                    shutil.copy(self.source / name, folder / name)


def processor_at(source: str, tokenizer: Any, trust_remote_code: bool) -> Any:
    """The processor of a folder or hub id, its pictures in Pillow's numbers whatever else is installed.

    Without a library that it asks for, its parts. UserError where those do not load either.
    """
    import transformers

    try:
        processor = transformers.AutoProcessor.from_pretrained(source, trust_remote_code=trust_remote_code)
    except ImportError as error:
        return _parts(source, tokenizer, error)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load the processor of {source}: {' '.join(str(error).split()):.300}") from error
    if getattr(processor, "image_processor", None) is not None:
        # Torchvision rounds otherwise, and a model that was trained with one set of pixels should be used with it.
        processor.image_processor = _pictures(source)
    return processor


def setting(processor: Any, name: str, usual: Any) -> Any:
    """What a processor, or the file of one that is apart, says under this name."""
    if isinstance(processor, Apart):
        return processor.settings.get(name, usual)
    return getattr(processor, name, usual)


def _pictures(source: str) -> Any:
    import transformers

    return transformers.AutoImageProcessor.from_pretrained(source, backend="pil")


def _parts(source: str, tokenizer: Any, error: ImportError) -> Apart:
    import transformers

    try:
        pictures = _pictures(source)
        settings = transformers.ProcessorMixin.get_processor_dict(source)[0]
    except (ImportError, OSError, ValueError, AttributeError) as other:
        missing = " ".join(str(error).split())
        raise UserError(f"the processor of {source} needs a library that is not here: {missing:.300}") from other
    return Apart(pictures, tokenizer, settings, Path(source) if Path(source).is_dir() else None)
