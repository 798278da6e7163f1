"""How the model is told which language to speak.

May import: the standard library.
"""

from __future__ import annotations

_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "nb": "Norwegian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovene", "sr": "Serbian", "sv": "Swedish", "tr": "Turkish",
    "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip


def language_name(tag: str) -> str:
    """A language for the model: "English (en-GB)"."""
    name = _NAMES.get(tag.partition("-")[0])
    return f"{name} ({tag})" if name else tag


def told_language(language: str | None, languages: tuple[str, ...]) -> str:
    """What the model is told of languages; "" if the bot sets none. language: as in bot.toml."""
    if language is None:
        return ""
    if language != "caller":
        return f"Speak {language_name(language)}, whatever language the caller speaks."
    if not languages:
        return "Speak the language that the caller speaks."
    named = [language_name(each) for each in languages]
    return f"Speak the caller's language if it is one of these: {', '.join(named)}; otherwise {named[0]}."
