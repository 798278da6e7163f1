"""The Moonshine speech recogniser: from samples to English words, on the CPU.

The moonshine-cpp wheel gives the model's files (encoder, decoder, tokens); ONNX Runtime runs them. The wheel's own
library is not used: it leaks 2 to 5 MB for every token it writes, and aborts the process on less than 60 ms of audio.
May import: onnxruntime, numpy, the standard library. Rules from: the model's published shape (an encoder over raw
samples, a greedy decoder with cached attention).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
_START, _END = 1, 2
_MAX_TOKENS_PER_S = 6.5  # faster than speech; without a bound a decoder that goes astray repeats itself for ever
# The cached attention of one layer: heads and their width (the base model).
_HEADS, _HEAD_SIZE = 8, 52


class Moonshine:
    """One loaded model (about 0.8 GB). Any number of threads may transcribe with it at once."""

    def __init__(self, folder: Path) -> None:
        """folder: holds encoder_model.ort, decoder_model_merged.ort and tokenizer.bin."""
        self._encoder = _session(folder / "encoder_model.ort")
        self._decoder = _session(folder / "decoder_model_merged.ort")
        self._tokens = _read_tokens((folder / "tokenizer.bin").read_bytes())
        self._past = [i.name for i in self._decoder.get_inputs() if i.name.startswith("past_key_values")]

    def transcribe(self, samples: NDArray[np.float32]) -> tuple[str, float]:
        """Return the words in at most 30 s of speech, and how sure the model is of them.

        samples: 16 kHz mono in [-1, 1], at least 0.1 s. Sureness: the mean log probability of a token, at most 0.
        """
        hidden = self._encoder.run(None, {"input_values": samples[np.newaxis, :]})[0]
        most = int(np.ceil(len(samples) / SAMPLE_RATE_HZ * _MAX_TOKENS_PER_S))
        tokens, log_probabilities = [], []
        for token, log_probability in self._decode(hidden, most):
            tokens.append(token)
            log_probabilities.append(log_probability)
        text = b"".join(self._tokens[token] for token in tokens).decode("utf-8", "ignore").replace("▁", " ")
        return text.strip(), float(np.mean(log_probabilities)) if log_probabilities else 0.0

    def _decode(self, hidden: NDArray[np.float32], most: int) -> Iterator[tuple[int, float]]:
        feed = {name: np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32) for name in self._past}
        feed |= {"encoder_hidden_states": hidden, "use_cache_branch": np.array([False])}
        token, wanted = _START, self._past
        for _ in range(most):
            feed["input_ids"] = np.array([[token]])
            logits, *present = self._decoder.run(["logits", *map(_present, wanted)], feed)
            feed |= zip(wanted, present, strict=True)
            # The encoder part of the decoder's cache does not change after the first step: it is not fetched again.
            wanted = [name for name in self._past if ".decoder." in name]
            feed["use_cache_branch"] = np.array([True])
            scores = logits[0, -1]
            token = int(scores.argmax())
            if token == _END:
                return
            yield token, -float(np.log(np.exp(scores - scores[token]).sum()))


def _present(past: str) -> str:
    return past.replace("past_key_values", "present")


def _session(model: Path) -> ort.InferenceSession:
    """Load one network, optimised.

    The wheel's files hold 8-bit weights, which ONNX Runtime would unpack for every token, because it does not optimise
    models in its own format. Written back as ONNX and loaded again, the unpacking is folded away: 4 times faster.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # One thread for each caller: two callers at once use two cores better than one caller on both.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        rewritten = Path(folder) / "model.onnx"
        rewriting = ort.SessionOptions()
        rewriting.log_severity_level = 3
        rewriting.optimized_model_filepath = str(rewritten)
        rewriting.add_session_config_entry("session.save_model_format", "ONNX")
        ort.InferenceSession(model, rewriting, providers=["CPUExecutionProvider"])
        named = _name_graphs(memoryview(rewritten.read_bytes()), "model")
    return ort.InferenceSession(named, options, providers=["CPUExecutionProvider"])


# Where graphs are nested in an ONNX file: message -> field number -> submessage (onnx.proto).
_GRAPHS_WITHIN = {
    "model": {7: "graph"},
    "graph": {1: "node"},
    "node": {5: "attribute"},
    "attribute": {6: "graph"},
}
_NAME = b"\x12\x01g"  # field 2, one byte long


def _name_graphs(message: memoryview, kind: str) -> bytes:
    """Name every graph in a protobuf message: ONNX requires names, and ONNX Runtime's own format drops them."""
    parts: list[bytes | memoryview] = [_NAME] if kind == "graph" else []
    at = 0
    while at < len(message):
        tag, body_at = _varint(message, at)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == 2:
            size, body_at = _varint(message, body_at)
            end = body_at + size
        else:
            end = {1: body_at + 8, 5: body_at + 4}.get(wire_type) or _varint(message, body_at)[1]
        if wire_type == 2 and field in _GRAPHS_WITHIN[kind]:
            inner = _name_graphs(message[body_at:end], _GRAPHS_WITHIN[kind][field])
            parts += [_as_varint(tag), _as_varint(len(inner)), inner]
        elif not (kind == "graph" and field == 2):
            parts.append(message[at:end])
        at = end
    return b"".join(parts)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def _as_varint(number: int) -> bytes:
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    return bytes([*octets, number])


def _read_tokens(packed: bytes) -> list[bytes]:
    """Read tokenizer.bin: every token's length (one byte, or two from 128 on), then its UTF-8 bytes."""
    message, tokens, at = memoryview(packed), [], 0
    while at < len(message):
        size, at = _varint(message, at)
        tokens.append(bytes(message[at : at + size]))
        at += size
    return tokens
