"""What can go wrong in the generator; every message is one sentence that may be shown to a person.

GeneratorError
├── MissingWeights      no checkpoint where one is needed
├── IncompatibleWeights the checkpoint is of another version or damaged
├── StyleError          a style file does not fit the schema
├── ArrangeError        a lead, a plan and a brief cannot be given to a band
├── SoundError          a soundfont cannot be read
├── EncodeError         ffmpeg is missing or failed
├── NotationError       a music file cannot be read or written
├── EditError           a piece cannot be changed as asked
├── QualityError        the finished audio failed its gates
│   └── OriginalityError every take came too close to a training melody
├── CorpusError         a corpus or a data set is missing, damaged or in the way
└── Cancelled           the caller asked to stop
"""


class GeneratorError(Exception):
    """Base of the generator's errors."""


class MissingWeights(GeneratorError):
    """Raised when no checkpoint lies where one is needed."""


class IncompatibleWeights(GeneratorError):
    """Raised when a checkpoint is of another version or damaged."""


class StyleError(GeneratorError):
    """Raised when a style file does not fit the schema."""


class ArrangeError(GeneratorError):
    """Raised when a lead, a plan and a brief cannot be given to a band."""


class SoundError(GeneratorError):
    """Raised when a soundfont cannot be read."""


class EncodeError(GeneratorError):
    """Raised when ffmpeg is missing or failed."""


class NotationError(GeneratorError):
    """Raised when a MIDI, MusicXML or ABC file cannot be read or a score cannot be written as one."""


class EditError(GeneratorError):
    """Raised when a piece cannot be changed as asked."""


class QualityError(GeneratorError):
    """Raised when the finished audio failed its gates."""


class OriginalityError(QualityError):
    """Raised when every take came too close to a training melody."""


class CorpusError(GeneratorError):
    """Raised when a corpus or a data set is missing, damaged or in the way."""


class Cancelled(GeneratorError):
    """Raised when the caller asked to stop."""
