# SPDX-License-Identifier: Apache-2.0
"""Texts of token ids: the alphabet of the chain task, or the run's tokenizer through `solera tokenize --decode`."""
import json
import os
import shutil
import subprocess

from solera_run import RunError

CHAIN = "0123456789+-*=;#"  # docs/tasks.md: one token each
TOKENIZERS = ("tokenizer.json", "vocab.json")


def program():
    """the program solera: environment variable SOLERA, the build beside this folder, PATH; None where there is none"""
    built = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "solera")
    for path in (os.environ.get("SOLERA"), built, shutil.which("solera")):
        if path and os.access(path, os.X_OK):
            return path
    return None


def model_folder(run):
    """a folder with the run's tokenizer: what it exported, or what it began from; None where neither has one"""
    for folder in (run.path("model"), run.setting("model.path")):
        if folder and any(os.path.exists(os.path.join(folder, n)) for n in TOKENIZERS):
            return folder
    return None


def decoder(run):
    """(function: list of id lists -> list of texts, None), or (None, why there are no texts)"""
    if run.setting("task.name") == "chain":
        return (lambda lists: ["".join(CHAIN[i] if 0 <= i < len(CHAIN) else "?" for i in ids) for ids in lists]), None
    folder, solera = model_folder(run), program()
    if not folder:
        return None, "no texts: neither model/ nor model.path has a tokenizer"
    if not solera:
        return None, "no texts: the program solera was not found (set SOLERA to its path)"
    return (lambda lists: decode(solera, folder, lists)), None


def decode(solera, folder, lists):
    """texts of lists of ids by one call of the program"""
    rows = "".join(json.dumps({"ids": [int(i) for i in ids]}) + "\n" for ids in lists)
    done = subprocess.run([solera, "tokenize", folder, "--decode", "--replace"], input=rows, capture_output=True, text=True, encoding="utf-8")
    out = [json.loads(line) for line in done.stdout.splitlines()]
    if len(out) != len(lists):
        raise RunError(f"{solera} tokenize {folder}: {done.stderr.strip()[-300:] or 'it gave %d rows for %d' % (len(out), len(lists))}")
    return [r.get("text", "?") for r in out]


def visible(text):
    """a token's text with its white space and control characters to be seen"""
    text = "".join(chr(0x2400 + ord(c)) if c < " " and c not in "\n\t" else "\u2421" if c == "\x7f" else c for c in text)
    return text.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") if text.strip() != text or not text else text
