"""What is found instead of a file when a download or a clone went wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

LFS_HEADER = b"version https://git-lfs"
PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml")
HEAD = 512
"""Bytes of a file that `foreign_content` wants to see."""


def foreign_content(head: bytes) -> str:
    """What a file is instead of itself, by its first bytes; empty if nothing speaks against it.

    Example:
        >>> foreign_content(b"<!DOCTYPE html><title>Sign in</title>")
        'a web page, not the file'
    """
    if head.startswith(LFS_HEADER):
        return "a Git LFS pointer, not the file; run `git lfs pull` where it was cloned"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGE_STARTS):
        return "a web page, not the file"
    return ""


def foreign_file(path: Path) -> str:
    """`foreign_content` of a file; empty if it cannot be read."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return foreign_content(file.read(HEAD))
    return ""
