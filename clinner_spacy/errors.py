"""The one error users meet: a sentence that names the file or setting, what was found and what to do."""


class ClinnerError(ValueError):
    """Bad input or configuration; its message is one sentence for the user and never holds a patient's text."""


#: What taking data apart raises where they are not what they should be.
DAMAGE = (ValueError, LookupError, TypeError, AttributeError)
